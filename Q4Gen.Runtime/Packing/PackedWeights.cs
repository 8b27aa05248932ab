using System.ComponentModel;
using System.Runtime.InteropServices;
using Q4Gen.Format;
using Q4Gen.Packing;

namespace Q4Gen.Kernels;

/// <summary>
/// The weights of one layer in panel layout, in one block of aligned native memory: words, scales, bias, offsets and the
/// order of columns. Immutable once filled, shared by a layer and its clones, and freed when the last of them lets go.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public sealed unsafe class PackedWeights
{
    private const nuint Alignment = 4096;

    private readonly long _scalesOffset;
    private readonly long _biasOffset;
    private readonly long _offsetsOffset;
    private readonly long _orderOffset;
    private nint _memory;
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
        _scalesOffset = AlignUp(shape.PackedWeightBytes);
        _biasOffset = _scalesOffset + AlignUp(shape.PackedScaleBytes);
        _offsetsOffset = _biasOffset + AlignUp((long)shape.Panels * PanelLayout.PanelRows * sizeof(float));
        _orderOffset = _offsetsOffset + (isAffine ? AlignUp(shape.PackedScaleBytes) : 0);
        ByteLength = _orderOffset + (hasInputOrder ? AlignUp(shape.In * (long)sizeof(int)) : 0);
        _memory = (nint)NativeMemory.AlignedAlloc((nuint)ByteLength, ByteLength < HugePages.MinBlockBytes ? Alignment : HugePages.Bytes);
        HugePages.Advise(_memory, ByteLength);
        GC.AddMemoryPressure(ByteLength);
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

        NativeMemory.Clear(Bias, (nuint)(_offsetsOffset - _biasOffset));
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

    /// <summary>Bytes of native memory.</summary>
    public long ByteLength { get; }

    /// <summary>What of it lies in the memory of other devices.</summary>
    internal DeviceCopies Copies { get; } = new();

    /// <summary>The bias, padded to whole panels.</summary>
    internal float* Bias => (float*)(_memory + (nint)_biasOffset);

    /// <summary>The input feature of each column, <c>[in]</c>, where columns have an order of their own.</summary>
    internal int* Order => (int*)(_memory + (nint)_orderOffset);

    /// <summary>The words of a panel, <c>[step][16]</c>.</summary>
    internal uint* Words(int panel) => (uint*)_memory + (nint)panel * Shape.Steps * PanelLayout.StepWords;

    /// <summary>The scale bits of a panel, <c>[group][16]</c>.</summary>
    internal short* Scales(int panel) =>
        (short*)(_memory + (nint)_scalesOffset) + (nint)panel * Shape.Groups * PanelLayout.PanelRows;

    /// <summary>The offset bits of a panel of affine weights, <c>[group][16]</c>.</summary>
    internal short* Offsets(int panel) =>
        (short*)(_memory + (nint)_offsetsOffset) + (nint)panel * Shape.Groups * PanelLayout.PanelRows;

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

    private static long AlignUp(long bytes) => (bytes + 63) & ~63L;

    private void Free()
    {
        nint memory = Interlocked.Exchange(ref _memory, 0);
        if (memory != 0)
        {
            NativeMemory.AlignedFree((void*)memory);
            GC.RemoveMemoryPressure(ByteLength);
        }
    }
}
