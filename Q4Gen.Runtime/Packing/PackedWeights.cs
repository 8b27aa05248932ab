using System.ComponentModel;
using System.Runtime.InteropServices;
using Q4Gen.Format;
using Q4Gen.Packing;

namespace Q4Gen.Kernels;

/// <summary>
/// The weights of one layer in panel layout: words, scales, bias, offsets and the order of columns. In one block of
/// aligned native memory, or where they lie in a mapped file. Immutable once filled, shared by a layer and its clones, and
/// freed when the last of them lets go.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed unsafe class PackedWeights
{
    private const nuint Alignment = 4096;

    private readonly nint _memory;
    private readonly long _memoryBytes;
    private readonly TensorHold? _file;
    private nint _words;
    private nint _scales;
    private nint _bias;
    private nint _offsets;
    private nint _order;
    private int _references;

    /// <summary>
    /// Allocates, and fills what no row of the matrix will cover with zero weights, scales and biases. Words that
    /// reach past the last column are the packer's.
    /// </summary>
    /// <exception cref="OutOfMemoryException">There is no such block of native memory.</exception>
    internal PackedWeights(Linear4BitShape shape, bool hasBias, bool isAffine = false, bool hasInputOrder = false)
    {
        shape.Validate();
        Shape = shape;
        HasBias = hasBias;
        IsAffine = isAffine;
        HasInputOrder = hasInputOrder;
        long scales = AlignUp(shape.PackedWeightBytes);
        long bias = scales + AlignUp(shape.PackedScaleBytes);
        long offsets = bias + AlignUp(shape.PackedBiasBytes);
        long order = offsets + (isAffine ? AlignUp(shape.PackedScaleBytes) : 0);
        ByteLength = order + (hasInputOrder ? AlignUp(shape.In * (long)sizeof(int)) : 0);
        _memory = Allocate(ByteLength);
        _memoryBytes = ByteLength;
        (_words, _scales, _bias, _offsets, _order) = (
            _memory, _memory + (nint)scales, _memory + (nint)bias, _memory + (nint)offsets, _memory + (nint)order);
        if (shape.Out % PanelLayout.PanelRows != 0)
        {
            // Only the last panel has rows that no data will reach.
            new Span<uint>(Words(shape.Panels - 1), shape.Steps * PanelLayout.StepWords).Fill(PanelLayout.ZeroWord);
            new Span<short>(Scales(shape.Panels - 1), shape.Groups * PanelLayout.PanelRows).Clear();
            if (isAffine)
            {
                new Span<short>(Offsets(shape.Panels - 1), shape.Groups * PanelLayout.PanelRows).Clear();
            }
        }

        NativeMemory.Clear(Bias, (nuint)(offsets - bias));
    }

    /// <summary>
    /// Uses parts where they lie in mapped files. Only the order is copied: its indices must stay what they were when they
    /// were checked.
    /// </summary>
    /// <param name="shape">The layer's shape; all parts are as long as it says.</param>
    /// <param name="parts">Where they lie.</param>
    /// <param name="order">The input feature of each column, checked; empty for none.</param>
    /// <exception cref="OutOfMemoryException">There is no native memory left.</exception>
    internal PackedWeights(Linear4BitShape shape, in MappedPanels parts, ReadOnlySpan<int> order)
    {
        shape.Validate();
        Shape = shape;
        HasBias = parts.Bias != 0;
        IsAffine = parts.Offsets != 0;
        HasInputOrder = !order.IsEmpty;
        _memoryBytes = AlignUp(order.Length * (long)sizeof(int));
        ByteLength = shape.PackedWeightBytes + shape.PackedScaleBytes * (IsAffine ? 2 : 1)
            + (HasBias ? shape.PackedBiasBytes : 0) + _memoryBytes;
        _memory = _memoryBytes == 0 ? 0 : Allocate(_memoryBytes);
        (_words, _scales, _bias, _offsets, _order) = (
            parts.Words, parts.Scales, HasBias ? parts.Bias : SharedZeros.Of(shape.PackedBiasBytes), parts.Offsets, _memory);
        _file = parts.File;
        order.CopyTo(new Span<int>(Order, order.Length));
    }

    /// <summary>Frees what nobody released.</summary>
    ~PackedWeights() => Free();

    /// <summary>The layer's shape.</summary>
    public Linear4BitShape Shape { get; }

    /// <summary>Whether the layer declares a bias.</summary>
    public bool HasBias { get; }

    /// <summary>Whether each group has an offset beside its scale.</summary>
    public bool IsAffine { get; }

    /// <summary>Whether columns are in another order than input features.</summary>
    public bool HasInputOrder { get; }

    /// <summary>Whether they lie in a mapped file.</summary>
    internal bool IsMapped => _file is not null;

    /// <summary>Bytes of native memory and of a mapped file.</summary>
    public long ByteLength { get; }

    /// <summary>What of it lies in the memory of other devices.</summary>
    internal DeviceCopies Copies { get; } = new();

    /// <summary>The bias, padded to whole panels.</summary>
    internal float* Bias => (float*)_bias;

    /// <summary>The input feature of each column, <c>[in]</c>, where columns have an order of their own.</summary>
    internal int* Order => (int*)_order;

    /// <summary>The words of a panel, <c>[step][16]</c>.</summary>
    internal uint* Words(int panel) => (uint*)_words + (nint)panel * Shape.Steps * PanelLayout.StepWords;

    /// <summary>The scale bits of a panel, <c>[group][16]</c>.</summary>
    internal short* Scales(int panel) =>
        (short*)_scales + (nint)panel * Shape.Groups * PanelLayout.PanelRows;

    /// <summary>The offset bits of a panel of affine weights, <c>[group][16]</c>.</summary>
    internal short* Offsets(int panel) =>
        (short*)_offsets + (nint)panel * Shape.Groups * PanelLayout.PanelRows;

    /// <summary>A kernel call on these weights; the caller holds a reference to them until the call is over.</summary>
    internal KernelCall Call(float* x, float* y, int rows) => new(
        x, y, rows, (int*)Words(0), Scales(0), Bias, IsAffine ? Offsets(0) : null, order: HasInputOrder ? Order : null);

    /// <summary>Counts one more layer.</summary>
    /// <exception cref="ObjectDisposedException">The last layer on these weights let go of them already.</exception>
    internal void AddReference()
    {
        int seen = Volatile.Read(ref _references);
        while (true)
        {
            ObjectDisposedException.ThrowIf(seen < 0, typeof(Linear4Bit));
            int now = Interlocked.CompareExchange(ref _references, seen + 1, seen);
            if (now == seen)
            {
                return;
            }

            seen = now;
        }
    }

    /// <summary>Counts one layer less; the last one frees.</summary>
    internal void Release()
    {
        // Below zero for good: a clone that is made at this moment either keeps the memory or meets an exception.
        if (Interlocked.Decrement(ref _references) == 0
            && Interlocked.CompareExchange(ref _references, int.MinValue, 0) == 0)
        {
            Copies.Dispose();
            Free();
            GC.SuppressFinalize(this);
        }
    }

    /// <summary>Frees weights that never became a layer's.</summary>
    internal void Discard()
    {
        AddReference();
        Release();
    }

    private static long AlignUp(long bytes) => (bytes + 63) & ~63L;

    private static nint Allocate(long bytes)
    {
        nint memory = (nint)NativeMemory.AlignedAlloc((nuint)bytes, bytes < HugePages.MinBlockBytes ? Alignment : HugePages.Bytes);
        HugePages.Advise(memory, bytes);
        GC.AddMemoryPressure(bytes);
        return memory;
    }

    private void Free()
    {
        if (Interlocked.Exchange(ref _words, 0) == 0)
        {
            return;
        }

        (_scales, _bias, _offsets, _order) = (0, 0, 0, 0);
        if (_memory != 0)
        {
            NativeMemory.AlignedFree((void*)_memory);
            GC.RemoveMemoryPressure(_memoryBytes);
        }

        _file?.Dispose();
    }
}

/// <summary>Where the parts of a layer lie in mapped files.</summary>
/// <param name="Words">The words, <c>[panel][step][16]</c>.</param>
/// <param name="Scales">The scale bits, <c>[panel][group][16]</c>.</param>
/// <param name="Bias">The bias, padded to whole panels; 0 where there is none.</param>
/// <param name="Offsets">The offset bits, <c>[panel][group][16]</c>; 0 where there are none.</param>
/// <param name="File">Keeps the mappings.</param>
internal readonly record struct MappedPanels(nint Words, nint Scales, nint Bias, nint Offsets, TensorHold File);
