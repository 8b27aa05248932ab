extern alias runtime;

using Q4Gen.Kernels;
using Q4Gen.Packing;
using Q4Gen.Threading;
using runtime::Q4Gen.Format;

namespace Q4Gen.Tests.Kernels;

/// <summary>Runs kernels on guarded memory and compares them with float64.</summary>
internal static unsafe class KernelOracle
{
    private static readonly KernelIsa[] s_instructionSets = Enum.GetValues<KernelIsa>();

    /// <summary>The kernels of a family that this processor can run.</summary>
    public static IEnumerable<Linear4BitKernel> Kernels(KernelFamily family) =>
        s_instructionSets.Select(family.Create).OfType<Linear4BitKernel>();

    /// <summary>Compares a kernel with float64 for each number of rows, every operand against a guard page, first behind, then before it.</summary>
    public static void Check(
        LayerData data, Linear4BitKernel kernel, ReadOnlySpan<int> rowCounts, InputKind input = InputKind.Centred, bool checkNorm = true)
    {
        int maxRows = 0;
        foreach (int rows in rowCounts)
        {
            maxRows = Math.Max(maxRows, rows);
        }

        float[] x = LayerData.RandomInput(maxRows * data.Shape.In, seed: 7, input);
        Expected expected = data.Reference(x);
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
                string what = $"{kernel.Name}, {data.Shape}, {rows} rows, {input}";
                expected.Check(target.Span, what, checkNorm);
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
                    expected.Check(target.Span, what, checkNorm);
                }
            }
        }
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

        TileCounts counts = TileCounts.For(call.Rows, kernel.TileRows, kernel.TailTileRows);
        using var tiles = new GuardedMemory<float>(checked((int)ActivationTiles.Length(kernel, counts)), side);
        ActivationTiles.Pack(kernel, call, tiles.Pointer, counts, 0, counts.Full + counts.Tail);
        tiles.CheckCanaries();
        kernel.Run(call.Tiled(tiles.Pointer, counts), 0, kernel.Shape.Panels);
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
