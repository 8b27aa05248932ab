using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Gpu;

/// <summary>The kernels of one shape on one GPU in PTX: those for tensor cores, or else the generic one.</summary>
internal sealed class PtxLayerKernels(PtxKernels kernels, Linear4BitShape shape, PtxKernelFamily? family) : LayerKernels(shape)
{
    private const int HalfBytes = sizeof(ushort), FloatBytes = sizeof(float), IntBytes = sizeof(int);

    private readonly IReadOnlyList<PtxKernel> _tensorKernels = family?.TensorKernels ?? [];
    private readonly nint[] _functions = new nint[family?.TensorKernels.Count ?? 0];

    public override string Name => HasTensorKernels ? family!.Name : "the generic GPU kernel";

    public override bool HasTensorKernels => _tensorKernels.Count > 0;

    protected override bool HasSimtKernels => false;

    public override void RunTensor(DeviceQueue queue, GpuWeights weights, nint x, nint y, int rows, TensorFlags flags)
    {
        int index = 0;
        while (index < _functions.Length - 1 && rows > _tensorKernels[index].MaxRows)
        {
            index++;
        }

        PtxKernel kernel = _tensorKernels[index];
        nint function = Volatile.Read(ref _functions[index]);
        if (function == 0)
        {
            Volatile.Write(ref _functions[index], function = kernels.Load(family!, kernel));
        }

        kernels.Launch(
            queue, function, TensorGrid.Of(Shape.Out, kernel.OutputsPerGroup, rows, kernel.RowsPerGroup), kernel.Threads,
            weights.Words.Address, weights.Scales.Address, weights.Bias.Address, x, y, rows, (int)flags);
    }

    protected override void RunSimt(DeviceQueue queue, SimtRole role, GpuWeights weights, GpuMatrix x, GpuMatrix y, int rows, int rowGroups) => kernels.LaunchShared(
        queue, SharedPtx.Generic(x.Element, y.Element), (Shape.Panels, rowGroups), WarpThreads,
        PtxArgument.View(weights.Words, IntBytes), PtxArgument.View(weights.Scales, HalfBytes), PtxArgument.View(weights.Bias, FloatBytes),
        PtxArgument.View(x.Range, GpuTensor.SizeOf(x.Element)), PtxArgument.View(y.Range, GpuTensor.SizeOf(y.Element)), rows, Shape);
}
