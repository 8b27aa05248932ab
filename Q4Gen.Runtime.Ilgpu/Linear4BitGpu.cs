using Q4Gen.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// 4-bit layers on GPUs. A layer's weights always lie in host memory, and on every GPU that it was brought to;
/// <c>Forward</c> runs where its input lives.
/// </summary>
public static class Linear4BitGpu
{
    /// <summary>
    /// Brings a layer to a GPU: from then on it, and its clones, also take input in that GPU's memory. The weights are
    /// copied once, and freed with the layer, or by <see cref="RemoveFrom"/>.
    /// </summary>
    /// <returns>The layer.</returns>
    /// <exception cref="GpuOutOfMemoryException">The device has not enough memory left; the layer stays as it was.</exception>
    /// <exception cref="GpuUnavailableException">Of the layer's kernels and the program one was built with <c>Q4GenPtx</c> and one without.</exception>
    /// <exception cref="ObjectDisposedException">The layer or the GPU's context is disposed.</exception>
    public static TLayer To<TLayer>(this TLayer layer, GpuContext gpu)
        where TLayer : Linear4Bit
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(gpu);
        using WeightsLease.Use use = layer.Enter();
        PackedWeights weights = layer.Weights;
        weights.Copies.Add(gpu, () => GpuWeights.Upload(gpu, weights));
        return layer;
    }

    /// <summary>Frees what a layer, and its clones, hold on a GPU, once the GPU is done with it. Nothing where it was not there.</summary>
    /// <exception cref="ObjectDisposedException">The layer is disposed.</exception>
    public static void RemoveFrom(this Linear4Bit layer, GpuContext gpu)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(gpu);
        using WeightsLease.Use use = layer.Enter();
        layer.Weights.Copies.Remove(gpu);
    }

    /// <summary>Whether a layer was brought to a GPU.</summary>
    public static bool IsOn(this Linear4Bit layer, GpuContext gpu)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return layer.Weights.Copies.Find(gpu) is not null;
    }

    /// <summary>What computes a layer on a GPU, such as <c>Linear4Bit_4096x11008_g128_gpu on tensor cores</c>.</summary>
    /// <exception cref="InvalidOperationException">The layer was not brought there.</exception>
    public static string GpuKernel(this Linear4Bit layer, GpuContext gpu)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(gpu);
        LayerKernels kernels = layer.Weights.Copies.Find(gpu) is GpuWeights weights
            ? weights.Kernels
            : throw new InvalidOperationException($"{Name(layer)} is not on {gpu}; call To with it first.");
        return kernels.Name + (gpu.HasTensorCores && kernels.HasTensorKernels ? " on tensor cores" : ", SIMT");
    }

    /// <summary>
    /// Computes <c>y = x · Wᵀ + b</c> on the GPU that x lies on, on x's stream: it returns when the work is queued, and
    /// whatever comes later on that stream sees the result. Allocates nothing; memory for what a float32 input, an input
    /// order or offsets take beside it comes from the stream's pool.
    /// </summary>
    /// <param name="layer">The layer.</param>
    /// <param name="x"><c>[…, in]</c>, float32 or float16.</param>
    /// <param name="y"><c>[…, out]</c> with the same leading dimensions, float32 or float16, on x's stream.</param>
    /// <exception cref="ArgumentException">A shape does not fit, the tensors overlap, or x, y and weights are not on one device.</exception>
    /// <exception cref="GpuOutOfMemoryException">The device has not enough memory left.</exception>
    /// <exception cref="ObjectDisposedException">The layer, a tensor or the GPU's context is disposed.</exception>
    public static void Forward(this Linear4Bit layer, GpuTensor x, GpuTensor y)
    {
        ArgumentNullException.ThrowIfNull(layer);
        using WeightsLease.Use use = layer.Enter();
        (GpuWeights weights, int rows) = Check(layer, x, y);
        GpuForward.Run(weights, x, y, rows);
    }

    /// <summary>Computes <c>x · Wᵀ + b</c> into a new tensor on x's stream, of x's element type.</summary>
    /// <inheritdoc cref="Forward(Linear4Bit, GpuTensor, GpuTensor)"/>
    public static GpuTensor Forward(this Linear4Bit layer, GpuTensor x)
    {
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(x);
        using WeightsLease.Use use = layer.Enter();
        GpuWeights weights = WeightsFor(layer, x);
        int rows = CheckInput(layer, x);
        GpuTensor y = GpuTensor.Allocate(x.Stream, x.Element, [.. x.Shape[..^1], layer.Out]);
        try
        {
            GpuForward.Run(weights, x, y, rows);
            return y;
        }
        catch
        {
            y.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The same result the plain way, to compare with: dequantises W into memory of the stream's pool, then multiplies
    /// with products summed in float64. Slow.
    /// </summary>
    /// <inheritdoc cref="Forward(Linear4Bit, GpuTensor, GpuTensor)"/>
    public static void ForwardUnpack(this Linear4Bit layer, GpuTensor x, GpuTensor y)
    {
        ArgumentNullException.ThrowIfNull(layer);
        using WeightsLease.Use use = layer.Enter();
        (GpuWeights weights, int rows) = Check(layer, x, y);
        GpuUnpacked.Run(weights, x, y, rows);
    }

    private static (GpuWeights Weights, int Rows) Check(Linear4Bit layer, GpuTensor x, GpuTensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(y);
        GpuWeights weights = WeightsFor(layer, x);
        int rows = CheckInput(layer, x);
        CheckOutput(layer, x, y);
        return (weights, rows);
    }

    private static GpuWeights WeightsFor(Linear4Bit layer, GpuTensor x) =>
        layer.Weights.Copies.Find(x.Context) as GpuWeights ?? throw new ArgumentException(
            $"The input {x} lies on another device than the weights of {Name(layer)}, which are in host memory{layer.Weights.Copies}; "
            + "bring the layer to the input's device with To, or the input to the layer's.", nameof(x));

    private static int CheckInput(Linear4Bit layer, GpuTensor x)
    {
        if (x.Shape[^1] != layer.In)
        {
            throw new ArgumentException(
                $"The input is {x}, but {Name(layer)} takes […, {layer.In}]: its last dimension must be In = {layer.In}.", nameof(x));
        }

        return checked((int)(x.Length / layer.In));
    }

    private static void CheckOutput(Linear4Bit layer, GpuTensor x, GpuTensor y)
    {
        if (!ReferenceEquals(x.Stream, y.Stream))
        {
            throw new ArgumentException(
                ReferenceEquals(x.Context, y.Context)
                    ? $"The input {x} and the output {y} belong to different streams of {x.Context}, whose work has no order; allocate the output on the input's stream."
                    : $"The input is {x}, but the output is {y}; allocate the output on the input's device.",
                nameof(y));
        }

        if (y.Shape.Length != x.Shape.Length || y.Shape[^1] != layer.Out || !y.Shape[..^1].SequenceEqual(x.Shape[..^1]))
        {
            throw new ArgumentException(
                $"The output is {y}, but {Name(layer)} makes of an input {x} the same leading dimensions and a last one of Out = {layer.Out}.", nameof(y));
        }

        if (x.Address < y.Address + y.Bytes && y.Address < x.Address + x.Bytes)
        {
            throw new ArgumentException($"The input {x} and the output {y} overlap; give the output memory of its own.", nameof(y));
        }
    }

    private static string Name(Linear4Bit layer) => $"{layer.GetType().Name} {layer.Shape}";
}
