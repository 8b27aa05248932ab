using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ILGPU;

namespace Q4Gen.Gpu;

/// <summary>
/// A dense row-major tensor of float32 or float16 in a GPU's memory. Slices and reshaped tensors share memory with the
/// tensor they come from, and each is disposed on its own; the memory is free for others when the last one is. There is no
/// finalizer: a tensor that is not disposed keeps its memory until its context is.
/// </summary>
public sealed class GpuTensor : IDisposable
{
    private readonly GpuStorage _storage;
    private readonly long _firstByte;
    private readonly int[] _shape;
    private int _isDisposed;

    private GpuTensor(GpuStorage storage, long firstByte, GpuElement element, int[] shape)
    {
        _storage = storage;
        _firstByte = firstByte;
        _shape = shape;
        Element = element;
        Length = Count(shape);
    }

    /// <summary>What the elements are.</summary>
    public GpuElement Element { get; }

    /// <summary>The dimensions, the one whose elements lie beside each other last.</summary>
    public ReadOnlySpan<int> Shape => _shape;

    /// <summary>Elements.</summary>
    public long Length { get; }

    /// <summary>Bytes.</summary>
    public long Bytes => Length * SizeOf(Element);

    /// <summary>The GPU whose memory it is.</summary>
    public GpuContext Context => _storage.Stream.Context;

    /// <summary>The stream that copies of it go to.</summary>
    public GpuStream Stream => _storage.Stream;

    /// <summary>Where the first element lies on the device.</summary>
    /// <exception cref="ObjectDisposedException">The tensor is disposed.</exception>
    internal nint Address => Range.Address;

    /// <summary>Its bytes.</summary>
    /// <exception cref="ObjectDisposedException">The tensor is disposed.</exception>
    internal DeviceRange Range
    {
        get
        {
            ThrowIfDisposed();
            return _storage.Bytes(_firstByte, Bytes);
        }
    }

    /// <summary>Memory for a tensor; what is in it is undefined.</summary>
    /// <param name="stream">The stream that it belongs to.</param>
    /// <param name="element">What its elements are.</param>
    /// <param name="shape">Its dimensions, none below one.</param>
    /// <exception cref="ArgumentException">There is no dimension, or one below one.</exception>
    /// <exception cref="GpuOutOfMemoryException">The device has not enough memory left.</exception>
    public static GpuTensor Allocate(GpuStream stream, GpuElement element, params ReadOnlySpan<int> shape)
    {
        if (shape.IsEmpty || shape.ContainsAnyInRange(int.MinValue, 0))
        {
            throw new ArgumentException($"A tensor has at least one dimension, and none below 1; these are {Describe(shape)}.", nameof(shape));
        }

        return new GpuTensor(new GpuStorage(stream, checked(Count(shape) * SizeOf(element))), 0, element, shape.ToArray());
    }

    /// <inheritdoc cref="Allocate(GpuStream, GpuElement, ReadOnlySpan{int})"/>
    public static GpuTensor Allocate(GpuContext context, GpuElement element, params ReadOnlySpan<int> shape) =>
        Allocate(context.DefaultStream, element, shape);

    /// <summary>A tensor with a copy of <paramref name="values"/>.</summary>
    /// <inheritdoc cref="Allocate(GpuStream, GpuElement, ReadOnlySpan{int})"/>
    public static GpuTensor From(GpuContext context, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape) =>
        From(context, GpuElement.Float32, values, shape);

    /// <inheritdoc cref="From(GpuContext, ReadOnlySpan{float}, ReadOnlySpan{int})"/>
    public static GpuTensor From(GpuContext context, ReadOnlySpan<System.Half> values, params ReadOnlySpan<int> shape) =>
        From(context, GpuElement.Float16, values, shape);

    /// <summary>Copies host memory in; it may change as soon as this returns.</summary>
    /// <exception cref="ArgumentException">There are not as many values as elements, or they are of another type.</exception>
    public void Upload(ReadOnlySpan<float> values) => Upload(GpuElement.Float32, values);

    /// <inheritdoc cref="Upload(ReadOnlySpan{float})"/>
    public void Upload(ReadOnlySpan<System.Half> values) => Upload(GpuElement.Float16, values);

    /// <summary>Copies to host memory what all work of the stream up to here makes of it.</summary>
    /// <exception cref="ArgumentException">There is not room for as many values as elements, or for another type.</exception>
    public void Download(Span<float> values) => Download(GpuElement.Float32, values);

    /// <inheritdoc cref="Download(Span{float})"/>
    public void Download(Span<System.Half> values) => Download(GpuElement.Float16, values);

    /// <summary>As <see cref="Upload(ReadOnlySpan{float})"/>, but returns at once. The memory must not change before the task ends.</summary>
    public Task UploadAsync(ReadOnlyMemory<float> values)
    {
        Check(GpuElement.Float32, values.Length);
        return CopyAsync(values.Pin(), toHost: false);
    }

    /// <inheritdoc cref="UploadAsync(ReadOnlyMemory{float})"/>
    public Task UploadAsync(ReadOnlyMemory<System.Half> values)
    {
        Check(GpuElement.Float16, values.Length);
        return CopyAsync(values.Pin(), toHost: false);
    }

    /// <summary>As <see cref="Download(Span{float})"/>, but returns at once. The memory is filled when the task ends.</summary>
    public Task DownloadAsync(Memory<float> values)
    {
        Check(GpuElement.Float32, values.Length);
        return CopyAsync(values.Pin(), toHost: true);
    }

    /// <inheritdoc cref="DownloadAsync(Memory{float})"/>
    public Task DownloadAsync(Memory<System.Half> values)
    {
        Check(GpuElement.Float16, values.Length);
        return CopyAsync(values.Pin(), toHost: true);
    }

    /// <summary>Elements <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> − 1 of the first dimension, in the same memory.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are not as many.</exception>
    public GpuTensor Slice(int first, int count)
    {
        ThrowIfDisposed();
        if (first < 0 || count < 1 || count > _shape[0] - first)
        {
            throw new ArgumentOutOfRangeException(
                nameof(count), $"The first dimension of {this} has {_shape[0]} elements; {count} from {first} on are not in it.");
        }

        long stride = Length / _shape[0] * SizeOf(Element);
        _storage.AddOwner();
        return new GpuTensor(_storage, _firstByte + first * stride, Element, [count, .. _shape.AsSpan(1)]);
    }

    /// <summary>The same elements in the same memory and order, in other dimensions.</summary>
    /// <exception cref="ArgumentException">They hold more or fewer elements.</exception>
    public GpuTensor Reshape(params ReadOnlySpan<int> shape)
    {
        ThrowIfDisposed();
        if (shape.IsEmpty || shape.ContainsAnyInRange(int.MinValue, 0) || Count(shape) != Length)
        {
            throw new ArgumentException($"{this} cannot be reshaped to {Describe(shape)}, which is not {Length} elements.", nameof(shape));
        }

        _storage.AddOwner();
        return new GpuTensor(_storage, _firstByte, Element, shape.ToArray());
    }

    /// <summary>ILGPU's side of it, for kernels of one's own: valid as long as the tensor is not disposed.</summary>
    /// <typeparam name="T"><see cref="float"/> or <see cref="ILGPU.Half"/>, or a struct of some.</typeparam>
    /// <exception cref="InvalidOperationException">The program was built with <c>Q4GenPtx</c> and runs without ILGPU.</exception>
    public ArrayView<T> View<T>()
        where T : unmanaged => Range.Memory is IlgpuMemory ? Range.View<T>() : throw GpuContext.WithoutIlgpu();

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            _storage.Release();
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Element}{Describe(_shape)} on {Context}";

    internal static int SizeOf(GpuElement element) => element switch
    {
        GpuElement.Float32 => sizeof(float),
        GpuElement.Float16 => sizeof(ushort),
        _ => throw new ArgumentOutOfRangeException(nameof(element), element, "Elements are Float32 or Float16."),
    };

    private static GpuTensor From<T>(GpuContext context, GpuElement element, ReadOnlySpan<T> values, ReadOnlySpan<int> shape)
        where T : unmanaged
    {
        GpuTensor tensor = Allocate(context, element, shape);
        try
        {
            tensor.Upload(element, values);
            return tensor;
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    private unsafe void Upload<T>(GpuElement element, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        Check(element, values.Length);
        fixed (T* host = values)
        {
            Stream.Queue.CopyIn((nint)host, Range);
            Stream.Synchronize();
        }
    }

    private unsafe void Download<T>(GpuElement element, Span<T> values)
        where T : unmanaged
    {
        Check(element, values.Length);
        fixed (T* host = values)
        {
            Stream.Queue.CopyOut(Range, (nint)host);
            Stream.Synchronize();
        }
    }

    private unsafe Task CopyAsync(MemoryHandle host, bool toHost)
    {
        try
        {
            if (toHost)
            {
                Stream.Queue.CopyOut(Range, (nint)host.Pointer);
            }
            else
            {
                Stream.Queue.CopyIn((nint)host.Pointer, Range);
            }
        }
        catch
        {
            host.Dispose();
            throw;
        }

        // The copy holds on to the memory, here and there, until it is done.
        _storage.AddOwner();
        return Task.Run(() =>
        {
            try
            {
                Stream.Synchronize();
            }
            finally
            {
                _storage.Release();
                host.Dispose();
            }
        });
    }

    private void Check(GpuElement element, long count)
    {
        ThrowIfDisposed();
        if (element != Element || count != Length)
        {
            throw new ArgumentException(string.Create(
                CultureInfo.InvariantCulture, $"{this} holds {Length} elements of {Element}; these are {count} of {element}."));
        }
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_isDisposed != 0, this);

    private static long Count(ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (int dimension in shape)
        {
            count = checked(count * dimension);
        }

        return count;
    }

    private static string Describe(ReadOnlySpan<int> shape)
    {
        var text = new System.Text.StringBuilder("[");
        for (int i = 0; i < shape.Length; i++)
        {
            text.Append(i == 0 ? "" : ", ").Append(shape[i].ToString(CultureInfo.InvariantCulture));
        }

        return text.Append(']').ToString();
    }
}
