extern alias runtime;

using Q4Gen.Kernels;
using Q4Gen.Packing;
using Q4Gen.Threading;
using runtime::Q4Gen.Format;

namespace Q4Gen.Tests.Kernels;

/// <summary>Says what is wrong with outputs.</summary>
internal delegate void Judge(ReadOnlySpan<float> y, string what);

/// <summary>Runs kernels on guarded memory and compares them with float64.</summary>
internal static unsafe class KernelChecks
{
    private static readonly KernelIsa[] s_instructionSets = Enum.GetValues<KernelIsa>();

    /// <summary>The kernels of a family that this processor can run.</summary>
    public static IEnumerable<Linear4BitKernel> Kernels(KernelFamily family) =>
        s_instructionSets.Select(family.Create).OfType<Linear4BitKernel>();

    /// <summary>Compares a kernel with float64 for each number of rows, every operand against a guard page, first behind, then before it.</summary>
    public static void Check(
        LayerData data, Linear4BitKernel kernel, ReadOnlySpan<int> rowCounts, InputKind input = InputKind.Centred, bool checkNorm = true)
    {
        float[] x = LayerData.RandomInput(Max(rowCounts) * data.Shape.In, seed: 7, input);
        Expected expected = data.Reference(x);
        Check(data, kernel, rowCounts, x, (y, what) => expected.Check(y, $"{what}, {input}", checkNorm));
    }

    /// <summary>As <see cref="Check(LayerData, Linear4BitKernel, ReadOnlySpan{int}, InputKind, bool)"/>, for any input and judgement.</summary>
    public static void Check(LayerData data, Linear4BitKernel kernel, ReadOnlySpan<int> rowCounts, float[] x, Judge judge)
    {
        using var weight = new GuardedMemory<byte>(data.Weight, GuardSide.After);
        using var scales = new GuardedMemory<Half>(data.Scales, GuardSide.After);
        using var bias = new GuardedMemory<float>(data.Bias, GuardSide.After);
        PackedWeights packed = PanelPacker.Pack(data.Shape, weight.Span, scales.Span, bias.Span);
        using var layer = new Linear4Bit(kernel, packed);
        foreach (GuardSide side in Enum.GetValues<GuardSide>())
        {
            using var panels = new GuardedPanels(packed, side);
            foreach (int rows in rowCounts)
            {
                using var source = new GuardedMemory<float>(x.AsSpan(0, rows * data.Shape.In), side);
                using var target = new GuardedMemory<float>(rows * data.Shape.Out, side);
                target.Span.Fill(float.NaN);
                layer.Forward(source.Span, target.Span);
                string what = $"{kernel.Name}, {data.Shape}, {rows} rows";
                judge(target.Span, what);
                target.CheckCanaries();

                float[] first = target.Span.ToArray();
                target.Span.Fill(float.NaN);
                RunGuarded(kernel, panels.Call(source.Pointer, target.Pointer, rows), side);
                target.CheckCanaries();
                if (rows <= MaxBlockRows)
                {
                    Assert.True(first.AsSpan().SequenceEqual(target.Span), $"{what}: a second run gave other bits.");
                }
                else
                {
                    judge(target.Span, what);
                }
            }
        }
    }

    /// <summary>One call through a layer, without guards and repetition.</summary>
    public static void CheckPlain(LayerData data, Linear4BitKernel kernel, float[] x, Judge judge)
    {
        using var layer = new Linear4Bit(kernel, PanelPacker.Pack(data.Shape, data.Weight, data.Scales, data.Bias));
        float[] y = new float[x.Length / data.Shape.In * data.Shape.Out];
        layer.Forward(x, y);
        judge(y, $"{kernel.Name}, {data.Shape}");
    }

    private static int Max(ReadOnlySpan<int> values)
    {
        int max = 0;
        foreach (int value in values)
        {
            max = Math.Max(max, value);
        }

        return max;
    }

    /// <summary>Rows that a layer surely computes as one block, so that one tiled call must give the same bits.</summary>
    private const int MaxBlockRows = 48;

    /// <summary>One call without the worker team; activations that the kernel wants in tiles get guard pages as well.</summary>
    private static void RunGuarded(Linear4BitKernel kernel, KernelCall call, GuardSide side)
    {
        if (call.Rows < kernel.MinTiledRows)
        {
            kernel.Run(call, 0, kernel.Shape.Panels);
            return;
        }

        ActivationPacking packing = kernel.Packing;
        using var tiles = new GuardedMemory<byte>(checked((int)packing.Bytes(call.Rows)), side);
        packing.Pack(call, tiles.Pointer, 0, packing.Tiles(call.Rows));
        tiles.CheckCanaries();
        kernel.Run(packing.Tiled(call, tiles.Pointer), 0, kernel.Shape.Panels);
        tiles.CheckCanaries();
    }

    /// <summary>A copy of packed weights whose every part ends, or begins, at a guard page.</summary>
    private sealed class GuardedPanels : IDisposable
    {
        private readonly GuardedMemory<int> _words;
        private readonly GuardedMemory<short> _scales;
        private readonly GuardedMemory<float> _bias;

        public GuardedPanels(PackedWeights packed, GuardSide side)
        {
            Linear4BitShape shape = packed.Shape;
            _words = new GuardedMemory<int>(new ReadOnlySpan<int>(packed.Words(0), checked((int)(shape.PackedWeightBytes / sizeof(int)))), side);
            _scales = new GuardedMemory<short>(new ReadOnlySpan<short>(packed.Scales(0), checked((int)(shape.PackedScaleBytes / sizeof(short)))), side);
            _bias = new GuardedMemory<float>(new ReadOnlySpan<float>(packed.Bias, shape.Panels * PanelLayout.PanelRows), side);
        }

        public KernelCall Call(float* x, float* y, int rows) => new(x, y, rows, _words.Pointer, _scales.Pointer, _bias.Pointer);

        public void Dispose()
        {
            _words.Dispose();
            _scales.Dispose();
            _bias.Dispose();
        }
    }
}
