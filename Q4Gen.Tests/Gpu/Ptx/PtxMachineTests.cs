using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Kernels as ILGPU compiles them, compared with C#.</summary>
[Trait(Emulated.Trait, Emulated.Never)]
public class PtxMachineTests
{
    private const int Rows = 13;
    private const int Columns = 200;

    [Fact]
    public void AKernelOfIlgpuWithShufflesComputesAProduct()
    {
        var random = new Random(3);
        float[] weights = [.. Enumerable.Range(0, Rows * Columns).Select(_ => random.NextSingle() - 0.5f)];
        float[] x = [.. Enumerable.Range(0, Columns).Select(_ => random.NextSingle() - 0.5f)];
        var memory = new PtxMemory();
        var target = memory.AddUnwrittenView<float>("y", Rows);
        PtxProgram.Parse(Compile(nameof(Gemv))).Run(
            memory, (Rows, 1, 1), (64, 1, 1), 0,
            memory.AddView("weights", weights, PtxBufferUse.ReadOnly), memory.AddView("x", x, PtxBufferUse.ReadOnly), target, Columns);
        float[] y = memory.Read<float>("y");
        for (int row = 0; row < Rows; row++)
        {
            double sum = 0;
            for (int column = 0; column < Columns; column++)
            {
                sum += (double)weights[(row * Columns) + column] * x[column];
            }

            Assert.Equal(sum, y[row], 1e-5);
        }

        Assert.Equal(weights.Length * sizeof(float), memory["weights"].BytesRead);
    }

    [Fact]
    public void AKernelOfIlgpuWithSharedMemoryBranchesAndInlinePtx()
    {
        int[] x = [.. Enumerable.Range(0, 100).Select(index => index * 7919)];
        var memory = new PtxMemory();
        var target = memory.AddUnwrittenView<int>("y", x.Length);
        PtxProgram.Parse(Compile(nameof(Mixed))).Run(
            memory, (2, 1, 1), (64, 1, 1), 64 * sizeof(int), memory.AddView("x", x, PtxBufferUse.ReadOnly), target);
        int[] y = memory.Read<int>("y");
        for (int index = 0; index < x.Length; index++)
        {
            int opposite = (index / 64 * 64) + 63 - (index % 64);
            int value = opposite < x.Length ? x[opposite] : 0;
            int picked = (index % 4) switch { 0 => value + 1, 1 => value * 3, 2 => -value, _ => index % 4 };
            Assert.Equal(picked ^ 0x5A5A, y[index]);
        }
    }

    private static void Gemv(ArrayView<float> weights, ArrayView<float> x, ArrayView<float> y, int columns)
    {
        var sums = SharedMemory.Allocate<float>(2);
        float sum = 0;
        for (int column = Group.IdxX; column < columns; column += Group.DimX)
        {
            sum += weights[(Grid.IdxX * columns) + column] * x[column];
        }

        for (int distance = 16; distance > 0; distance /= 2)
        {
            sum += Warp.ShuffleXor(sum, distance);
        }

        if (Warp.LaneIdx == 0)
        {
            sums[Warp.WarpIdx] = sum;
        }

        Group.Barrier();
        if (Group.IdxX == 0)
        {
            y[Grid.IdxX] = sums[0] + sums[1];
        }
    }

    private static void Mixed(ArrayView<int> x, ArrayView<int> y)
    {
        var shared = SharedMemory.GetDynamic<int>();
        var local = LocalMemory.Allocate<int>(4);
        int index = (Grid.IdxX * Group.DimX) + Group.IdxX;
        shared[Group.IdxX] = index < x.Length ? x[index] : 0;
        for (int place = 0; place < 4; place++)
        {
            local[place] = place;
        }

        Group.Barrier();
        int value = shared[63 - Group.IdxX];
        int picked;
        switch (index % 4)
        {
            case 0:
                picked = value + 1;
                break;
            case 1:
                picked = value * 3;
                break;
            case 2:
                picked = -value;
                break;
            default:
                picked = local[index % 4];
                break;
        }

        CudaAsm.Emit("{ .reg .b32 mask; mov.b32 mask, 0x5A5A; xor.b32 %0, %1, mask; }", out int result, picked);
        if (index < y.Length)
        {
            y[index] = result;
        }
    }

    private static string Compile(string method)
    {
        using var context = Context.Create(builder =>
            builder.CPU(CPUDeviceKind.Nvidia).Optimize(OptimizationLevel.O2).Inlining(InliningMode.Aggressive));
        var architecture = CudaArchitecture.SM_80;
        using var backend = new PTXBackend(
            context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_70, null);
        var kernel = typeof(PtxMachineTests).GetMethod(method, System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic)!;
        return ((PTXCompiledKernel)backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel), KernelSpecialization.Empty)).PTXAssembly;
    }
}
