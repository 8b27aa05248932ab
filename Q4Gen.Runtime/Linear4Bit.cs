using System.Globalization;
using System.Runtime.CompilerServices;
using Q4Gen.Kernels;
using Q4Gen.Loading;
using Q4Gen.Packing;
using Q4Gen.Reference;
using Q4Gen.Threading;

namespace Q4Gen;

/// <summary>
/// A linear layer with 4-bit weights: <c>y[…, out] = x[…, in] · W[out, in]ᵀ + b[out]</c>, where
/// <c>W[o, k] = (nibble[o, k] − 8) · scale[o, k / group]</c>, and for affine weights <c>+ offset[o, k / group]</c>.
/// Column k multiplies input feature k, or <c>order[k]</c> of a layer that has an input order.
/// </summary>
/// <remarks>
/// Immutable: any number of threads may call <see cref="Forward(ReadOnlySpan{float}, Span{float})"/> at once, which
/// allocates nothing and takes no lock. The weights lie in native memory, or in a mapped file where <see cref="IsMapped"/>;
/// <see cref="Dispose()"/> lets go of them as soon as no call is in flight and no clone uses them.
/// </remarks>
public partial class Linear4Bit : IDisposable
{
    private readonly PackedWeights _weights;
    private readonly WeightsLease _lease;
    private readonly Linear4BitKernel _kernel;

    /// <summary>Packs a layer from memory.</summary>
    /// <param name="inFeatures">Input features; positive and even.</param>
    /// <param name="outFeatures">Output features; positive.</param>
    /// <param name="group">Columns that share a scale; positive.</param>
    /// <param name="weight4Bit">Packed weights <c>[out, in/2]</c>: byte i of a row holds column 2i in its low nibble, 2i+1 in its high one.</param>
    /// <param name="scales4Bit">Scales <c>[out, ceil(in/group)]</c>; finite.</param>
    /// <param name="bias">Bias <c>[out]</c>, finite; empty for none.</param>
    /// <param name="precision">Whether activations stay float32 or are rounded to 8 bits inside each call.</param>
    /// <exception cref="ArgumentOutOfRangeException">A feature count or the group is not positive, In is odd, or the precision is none.</exception>
    /// <exception cref="ArgumentException">A span has the wrong length, or a scale or bias is not finite.</exception>
    public Linear4Bit(
        int inFeatures,
        int outFeatures,
        int group,
        ReadOnlySpan<byte> weight4Bit,
        ReadOnlySpan<Half> scales4Bit,
        ReadOnlySpan<float> bias = default,
        Linear4BitPrecision precision = Linear4BitPrecision.Exact)
        : this(
            KernelRegistry.Find(new Linear4BitShape(inFeatures, outFeatures, group), precision),
            PanelPacker.Pack(new Linear4BitShape(inFeatures, outFeatures, group), weight4Bit, scales4Bit, bias))
    {
    }

    /// <summary>For generated layer classes: a layer over packed weights, run by a family of kernels of the same shape.</summary>
    protected Linear4Bit(KernelFamily family, PackedWeights weights)
        : this(family.Best, weights)
    {
    }

    internal Linear4Bit(Linear4BitKernel kernel, PackedWeights weights)
    {
        if (kernel.Shape != weights.Shape)
        {
            throw new ArgumentException($"Weights of {weights.Shape} cannot run on kernels of {kernel.Shape}.", nameof(weights));
        }

        _weights = weights;
        _kernel = kernel;
        _lease = new WeightsLease(weights);
    }

    /// <summary>Input features.</summary>
    public int In => _weights.Shape.In;

    /// <summary>Output features.</summary>
    public int Out => _weights.Shape.Out;

    /// <summary>Columns that share one scale.</summary>
    public int Group => _weights.Shape.Group;

    /// <summary>In, Out and Group together.</summary>
    public Linear4BitShape Shape => _weights.Shape;

    /// <summary>Whether the layer adds a bias.</summary>
    public bool HasBias => _weights.HasBias;

    /// <summary>Whether each group has an offset beside its scale.</summary>
    public bool IsAffine => _weights.IsAffine;

    /// <summary>
    /// Whether columns of the packed weights are in another order than input features, as those of models that were
    /// quantised with act-order are; each call then first brings x into it.
    /// </summary>
    public bool HasInputOrder => _weights.HasInputOrder;

    /// <summary>Whether the weights are used where they lie in a mapped file that <see cref="PackedFile"/> wrote; only an order is copied.</summary>
    public bool IsMapped => _weights.IsMapped;

    /// <summary>Bytes that the packed weights, scales, offsets, order and bias take, in native memory or in a mapped file.</summary>
    public long ByteLength => _weights.ByteLength;

    /// <summary>Whether activations stay float32 or are rounded to 8 bits inside each call.</summary>
    public Linear4BitPrecision Precision => _kernel.Precision;

    /// <summary>What computes this layer: its name, instruction set and precision, and whether the compiler emitted it for this shape.</summary>
    public KernelInfo Kernel => new(_kernel.Name, _kernel.Isa, _kernel.Precision, _kernel.IsGenerated);

    /// <summary>For what runs on other devices: the weights, to be used while <see cref="Enter"/> holds them.</summary>
    internal PackedWeights Weights => _weights;

    /// <summary>For generated layer classes: the weights, to share with a clone.</summary>
    protected PackedWeights SharedWeights
    {
        get
        {
            return _lease.IsDisposed ? throw WeightsLease.Disposed(this) : _weights;
        }
    }

    /// <summary>Packs a layer from memory, with any of the parts that a layer may have.</summary>
    /// <param name="inFeatures">Input features; positive and even.</param>
    /// <param name="outFeatures">Output features; positive.</param>
    /// <param name="group">Columns that share a scale and an offset; positive.</param>
    /// <param name="weight4Bit">Packed weights <c>[out, in/2]</c>: byte i of a row holds column 2i in its low nibble, 2i+1 in its high one.</param>
    /// <param name="scales4Bit">Scales <c>[out, ceil(in/group)]</c>; finite.</param>
    /// <param name="bias">Bias <c>[out]</c>, finite; empty for none.</param>
    /// <param name="offsets4Bit">Offsets of affine weights <c>[out, ceil(in/group)]</c>, finite; empty for none.</param>
    /// <param name="order4Bit">The input feature that each column multiplies, <c>[in]</c>, each once; empty, or in order, for none.</param>
    /// <param name="precision">Whether activations stay float32 or are rounded to 8 bits inside each call; offsets meet them as they are.</param>
    /// <exception cref="ArgumentOutOfRangeException">A feature count or the group is not positive, In is odd, or the precision is none.</exception>
    /// <exception cref="ArgumentException">A span has the wrong length, a scale, offset or bias is not finite, or the order lacks an input feature.</exception>
    public static Linear4Bit Create(
        int inFeatures,
        int outFeatures,
        int group,
        ReadOnlySpan<byte> weight4Bit,
        ReadOnlySpan<Half> scales4Bit,
        ReadOnlySpan<float> bias = default,
        ReadOnlySpan<Half> offsets4Bit = default,
        ReadOnlySpan<int> order4Bit = default,
        Linear4BitPrecision precision = Linear4BitPrecision.Exact)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        return new Linear4Bit(KernelRegistry.Find(shape, precision), PanelPacker.Pack(shape, weight4Bit, scales4Bit, bias, offsets4Bit, order4Bit));
    }

    /// <summary>
    /// Loads the layer named <paramref name="prefix"/>: <c>{prefix}.weight_4bit</c>, <c>.scales_4bit</c> and, where they are
    /// there, <c>.offsets_4bit</c>, <c>.order_4bit</c> and <c>.bias</c>. Of a file that <see cref="PackedFile"/> wrote, the
    /// layer's panels are used where they lie; nothing is read but an order, and values are not looked at.
    /// </summary>
    /// <param name="weights">Where the tensors are.</param>
    /// <param name="prefix">Name of the layer in the source, without the last dot.</param>
    /// <param name="group">
    /// Columns that share a scale. Where null: the source's own <c>group_size</c>, else in / groups when that divides,
    /// else the one size of 32, 64, 128 and 256 that gives as many groups, else an error that asks for it.
    /// </param>
    /// <param name="precision">Whether activations stay float32 or are rounded to 8 bits inside each call.</param>
    /// <exception cref="WeightFormatException">A tensor is missing, or has the wrong type, shape or values.</exception>
    public static Linear4Bit Load(
        IWeightSource weights, string prefix, int? group = null, Linear4BitPrecision precision = Linear4BitPrecision.Exact)
    {
        PackedWeights packed = LayerLoader.Load(weights, prefix, group);
        return new Linear4Bit(KernelRegistry.Find(packed.Shape, precision), packed);
    }

    /// <summary>Loads the layer named <paramref name="prefix"/> from tensors in memory; as <see cref="Load"/>.</summary>
    /// <exception cref="WeightFormatException">A tensor is missing, or has the wrong type, shape or values.</exception>
    public static Linear4Bit LoadDirect(
        IReadOnlyDictionary<string, WeightTensor> tensors,
        string prefix,
        int? group = null,
        Linear4BitPrecision precision = Linear4BitPrecision.Exact) =>
        Load(new TensorDictionary(tensors), prefix, group, precision);

    /// <summary>Computes <c>y = x · Wᵀ + b</c> for any number of rows.</summary>
    /// <param name="x">Row-major <c>[rows, in]</c>; see docs/kernels.md for the range of x.</param>
    /// <param name="y">Row-major <c>[rows, out]</c>: at least that long; what lies behind is left alone.</param>
    /// <exception cref="ArgumentException">x is no whole number of rows, y is too short, or they overlap.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    [OverloadResolutionPriority(1)] // An array converts to tensor spans too.
    public unsafe void Forward(ReadOnlySpan<float> x, Span<float> y)
    {
        int rows = CheckRows(x, y);
        using WeightsLease.Use use = _lease.Enter(this);
        if (rows != 0)
        {
            fixed (float* xPointer = x, yPointer = y)
            {
                Execution.Run(_kernel, _weights.Call(xPointer, yPointer, rows));
            }
        }
    }

    /// <summary>
    /// The same result the plain way, to read and to compare with: dequantises W, then multiplies with products summed
    /// in float64. Slow, and allocates.
    /// </summary>
    /// <inheritdoc cref="Forward(ReadOnlySpan{float}, Span{float})"/>
    [OverloadResolutionPriority(1)]
    public void ForwardUnpack(ReadOnlySpan<float> x, Span<float> y)
    {
        int rows = CheckRows(x, y);
        using WeightsLease.Use use = _lease.Enter(this);
        Unpacked.Forward(_weights, x, y[..(rows * Out)]);
    }

    /// <summary>A second layer on the same weights, which live until both are disposed.</summary>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public Linear4Bit Clone()
    {
        using WeightsLease.Use use = _lease.Enter(this);
        return new Linear4Bit(_kernel, _weights);
    }

    /// <summary>A second layer on the same weights with another precision.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The precision is none.</exception>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public Linear4Bit CloneFor(Linear4BitPrecision precision)
    {
        using WeightsLease.Use use = _lease.Enter(this);
        return new Linear4Bit(KernelRegistry.Find(Shape, precision).Best, _weights);
    }

    /// <summary>
    /// A clone of the same precision that runs the kernel of one instruction set, for tests and comparisons; null where
    /// this processor lacks it or the shape has no kernel for it.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public Linear4Bit? CloneFor(KernelIsa isa)
    {
        using WeightsLease.Use use = _lease.Enter(this);
        return KernelRegistry.Find(Shape, Precision).Create(isa) is { } kernel ? new Linear4Bit(kernel, _weights) : null;
    }

    /// <summary>
    /// Frees the native memory once calls in flight are over and clones disposed. Later calls throw; a second
    /// <see cref="Dispose()"/> does nothing.
    /// </summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Class, shape, what it has beside weights and scales, bytes, kernel and the other devices that it is on:
    /// <c>Linear4Bit 4096→11008 g128, bias, 23.3 MB, Linear4Bit_4096x11008_g128_avx2 (generated)</c>, or <c>23.3 MB mapped</c>
    /// where <see cref="IsMapped"/>.
    /// </summary>
    public override string ToString() =>
        $"{GetType().Name} {Shape}, {(IsAffine ? "affine, " : "")}{(HasInputOrder ? "input order, " : "")}{(HasBias ? "bias, " : "")}{DescribeBytes(ByteLength)}{(IsMapped ? " mapped" : "")}, {Kernel}{_weights.Copies}";

    /// <summary>Keeps the weights, here and on other devices, until the result is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    internal WeightsLease.Use Enter() => _lease.Enter(this);

    /// <summary>Releases the layer's hold on its weights.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _lease.Dispose();
        }
    }

    private static string DescribeBytes(long bytes) => bytes switch
    {
        < 1_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:F1} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:F1} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:F1} GB"),
    };
}
