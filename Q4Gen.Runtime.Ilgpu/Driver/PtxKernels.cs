using System.Collections.Concurrent;
using System.Text;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>
/// Kernels in PTX: those of shapes from generated code, those that all shapes share from <c>Ptx/shared.ptx</c>, which is what ILGPU
/// makes of their C#. The driver assembles a module when one of its kernels is first asked for.
/// </summary>
/// <param name="backend">The device.</param>
/// <param name="target">Its compute capability, 80 for 8.0.</param>
internal sealed class PtxKernels(CudaBackend backend, int target) : DeviceKernels
{
    private const int HalfBytes = sizeof(ushort), FloatBytes = sizeof(float), IntBytes = sizeof(int);

    private readonly ConcurrentDictionary<Linear4BitShape, PtxLayerKernels> _layers = new();
    private readonly ConcurrentDictionary<string, nint> _shared = new();
    private readonly Lock _lock = new();
    private nint _sharedModule;

    public override LayerKernels Of(Linear4BitShape shape) => _layers.GetOrAdd(shape, static (shape, kernels) =>
    {
        PtxKernelFamily? family = GpuKernelRegistry.FindPtx(shape);
        return family is null && GpuKernelRegistry.Has(shape)
            ? throw new GpuUnavailableException(
                $"The GPU kernels of layers {shape} are for ILGPU, but this program runs kernels in PTX; set the MSBuild property Q4GenPtx in the project of the layers as in that of the program.")
            : new PtxLayerKernels(kernels, shape, family);
    }, this);

    /// <summary>Has the driver assemble a kernel's text for the best of its targets that this device takes.</summary>
    /// <exception cref="GpuUnavailableException">All of them are newer than the device.</exception>
    public nint Load(PtxKernelFamily family, PtxKernel kernel)
    {
        int best = family.Targets.LastOrDefault(known => known <= target);
        if (best == 0)
        {
            throw new GpuUnavailableException(
                $"The kernels {family.Name} are in PTX for {string.Join(", ", family.Targets.Select(static known => $"sm_{known}"))}, which this device, sm_{target}, does not run; add it to the MSBuild property Q4GenPtx.");
        }

        lock (_lock)
        {
            return Function(PtxModule.Of(best, kernel.Text()), kernel.Name);
        }
    }

    /// <summary>Queues a kernel.</summary>
    public void Launch(DeviceQueue queue, nint function, (int X, int Y) grid, int threads, params ReadOnlySpan<PtxArgument> arguments) =>
        backend.Api().Launch(function, grid, threads, ((CudaQueue)queue).Stream, arguments);

    /// <summary>Queues a kernel that all shapes share.</summary>
    public void LaunchShared(DeviceQueue queue, string name, (int X, int Y) grid, int threads, params ReadOnlySpan<PtxArgument> arguments)
    {
        if (!_shared.TryGetValue(name, out nint function))
        {
            _shared[name] = function = LoadShared(name);
        }

        Launch(queue, function, grid, threads, arguments);
    }

    public override void SplitNibbles(DeviceQueue queue, DeviceRange words)
    {
        int count = checked((int)(words.Bytes / IntBytes));
        LaunchShared(queue, SharedPtx.SplitNibbles, ((count + SharedPtx.SplitThreads - 1) / SharedPtx.SplitThreads, 1), SharedPtx.SplitThreads, PtxArgument.View(words, IntBytes));
    }

    public override void Gather(DeviceQueue queue, GpuElement element, DeviceRange x, DeviceRange order, DeviceRange ordered, int inFeatures, int rows)
    {
        int bytes = GpuTensor.SizeOf(element);
        LaunchShared(
            queue, element == GpuElement.Float16 ? SharedPtx.GatherF16 : SharedPtx.GatherF32, (rows, 1), InputKernels.Threads,
            PtxArgument.View(x, bytes), PtxArgument.View(order, IntBytes), PtxArgument.View(ordered, bytes), inFeatures);
    }

    public override void Sum(DeviceQueue queue, GpuElement element, DeviceRange x, DeviceRange sums, Linear4BitShape shape, int rows) => LaunchShared(
        queue, element == GpuElement.Float16 ? SharedPtx.SumF16 : SharedPtx.SumF32, (rows, 1), InputKernels.Threads,
        PtxArgument.View(x, GpuTensor.SizeOf(element)), PtxArgument.View(sums, FloatBytes), shape);

    public override void AddOffsets(
        DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange offsets, DeviceRange sums, DeviceRange y, Linear4BitShape shape, int rows) => LaunchShared(
        queue, element == GpuElement.Float16 ? SharedPtx.AddOffsetsF16 : SharedPtx.AddOffsetsF32, (rows, OffsetGroups(shape.Out)), InputKernels.Threads,
        PtxArgument.View(results, FloatBytes), PtxArgument.View(offsets, HalfBytes), PtxArgument.View(sums, FloatBytes),
        PtxArgument.View(y, GpuTensor.SizeOf(element)), shape);

    public override void SplitPlanes(DeviceQueue queue, DeviceRange x, DeviceRange planes, DeviceRange exponents, int inFeatures, int columns, int rows) => LaunchShared(
        queue, SharedPtx.SplitPlanes, (rows, 1), Planes.Threads,
        PtxArgument.View(x, FloatBytes), PtxArgument.View(planes, HalfBytes), PtxArgument.View(exponents, IntBytes), inFeatures, columns);

    public override void Pad(DeviceQueue queue, DeviceRange x, DeviceRange padded, int inFeatures, int columns, int rows) => LaunchShared(
        queue, SharedPtx.Pad, (rows, 1), Planes.Threads, PtxArgument.View(x, HalfBytes), PtxArgument.View(padded, HalfBytes), inFeatures, columns);

    public override void Join(
        DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange exponents, DeviceRange bias, DeviceRange y, int outFeatures, int rows) => LaunchShared(
        queue, element == GpuElement.Float16 ? SharedPtx.JoinF16 : SharedPtx.JoinF32, (rows, 1), Planes.Threads,
        PtxArgument.View(results, FloatBytes), PtxArgument.View(exponents, IntBytes), PtxArgument.View(bias, FloatBytes),
        PtxArgument.View(y, GpuTensor.SizeOf(element)), outFeatures);

    public override void Copy(DeviceQueue queue, GpuElement element, DeviceRange results, DeviceRange bias, DeviceRange y, int outFeatures, int rows) => LaunchShared(
        queue, element == GpuElement.Float16 ? SharedPtx.CopyF16 : SharedPtx.CopyF32, (rows, 1), Planes.Threads,
        PtxArgument.View(results, FloatBytes), PtxArgument.View(bias, FloatBytes), PtxArgument.View(y, GpuTensor.SizeOf(element)), outFeatures);

    public override void Unpack(DeviceQueue queue, DeviceRange words, DeviceRange scales, DeviceRange matrix, Linear4BitShape shape) => LaunchShared(
        queue, SharedPtx.Unpack, (shape.Out, 1), UnpackedKernels.Threads,
        PtxArgument.View(words, IntBytes), PtxArgument.View(scales, HalfBytes), PtxArgument.View(matrix, FloatBytes), shape);

    // What is not there is not read; some memory must stand in its place.
    public override void MultiplyUnpacked(DeviceQueue queue, GpuWeights weights, DeviceRange matrix, GpuMatrix x, GpuMatrix y, int rows) => LaunchShared(
        queue, SharedPtx.Multiply(x.Element, y.Element), (rows, UnpackedKernels.OutputGroups(weights.Shape.Out)), UnpackedKernels.Threads,
        PtxArgument.View(matrix, FloatBytes),
        PtxArgument.View(weights.IsAffine ? weights.Offsets : weights.Scales, HalfBytes),
        PtxArgument.View(weights.HasInputOrder ? weights.Order : weights.Words, IntBytes),
        PtxArgument.View(weights.Bias, FloatBytes),
        PtxArgument.View(x.Range, GpuTensor.SizeOf(x.Element)),
        PtxArgument.View(y.Range, GpuTensor.SizeOf(y.Element)),
        weights.Shape,
        weights.IsAffine ? 1 : 0,
        weights.HasInputOrder ? 1 : 0);

    private nint LoadShared(string name)
    {
        lock (_lock)
        {
            CudaApi api = backend.Api();
            if (_sharedModule == 0)
            {
                _sharedModule = api.LoadModule([.. Encoding.ASCII.GetBytes(SharedPtx.Text()), 0], "shared by all layers");
            }

            return api.Function(_sharedModule, name);
        }
    }

    private nint Function(byte[] text, string name)
    {
        CudaApi api = backend.Api();
        return api.Function(api.LoadModule(text, name), name);
    }
}
