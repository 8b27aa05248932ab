using Q4Gen.Benchmarks.Compare;

namespace Q4Gen.Tests.Benchmarks;

/// <summary>The engines compute the same layer, and one that does not is found out.</summary>
public sealed class CompareEngineTests
{
    private const int Rows = 5;

    // Several blocks a row, outputs that fill no whole panel.
    private static readonly Linear4BitShape s_shape = new(256, 52, 32);

    [Fact]
    public void TheOnnxModelIsTheSameLayerAtBothAccuracyLevels()
    {
        var work = new Workload(s_shape, Rows, copies: 2);
        var y = new float[Rows * s_shape.Out];
        using (var layer = new Linear4Bit(s_shape.In, s_shape.Out, s_shape.Group, work.Weights, work.Scales))
        {
            layer.Forward(work.X, y);
        }

        Assert.InRange(work.RelativeError(y, Rows), 0, 1e-6);
        using var pool = new OnnxRuntimePool(threads: 2);
        foreach (EngineKind peer in EngineKind.Peers)
        {
            using IEngine engine = peer.Create(work, 2);
            foreach (int rows in (int[])[1, Rows])
            {
                engine.Prepare(rows);
                engine.Run(copy: 1);
                double error = work.RelativeError(engine.Y, rows);
                Assert.InRange(error, 0, peer.MaxError);
                Assert.True(peer.IsInt8 == error > 1e-4, $"{peer.Name} has an error of {error}: does it compute at the accuracy that was asked for?");
            }
        }
    }

    [Theory]
    [InlineData(0, 0, 1.1f)]
    [InlineData(Rows - 1, 51, 1.1f)]
    [InlineData(2, 17, float.NaN)]
    public void AnEngineWithAWrongResultIsNotTimed(int row, int output, float factor)
    {
        var work = new Workload(s_shape, Rows, copies: 1);
        using var layer = new Linear4Bit(s_shape.In, s_shape.Out, s_shape.Group, work.Weights, work.Scales);
        var good = new EngineKind("good", IsInt8: false, 1e-5, (_, _) => new Spoiled(work, layer, 0, 1));
        var bad = new EngineKind("bad", IsInt8: false, 1e-5, (_, _) => new Spoiled(work, layer, row * s_shape.Out + output, factor));

        Assert.InRange(CompareRun.Check(good, good.Create(work, 1), work, Rows).Error, 0, 1e-6);
        var exception = Assert.Throws<WrongResultException>(() => CompareRun.Check(bad, bad.Create(work, 1), work, Rows));
        Assert.StartsWith("bad is wrong on 256→52 g32 with M = 5: its relative error against float64 is ", exception.Message);
    }

    /// <summary>A layer with one element of its result multiplied by something.</summary>
    private sealed class Spoiled(Workload work, Linear4Bit layer, int index, float factor) : IEngine
    {
        private readonly float[] _y = new float[Rows * layer.Out];
        private int _rows;

        public string Description => "a layer with one wrong element";

        public ReadOnlySpan<float> Y => _y;

        public void Prepare(int rows) => _rows = rows;

        public void Run(int copy)
        {
            layer.Forward(work.X.AsSpan(0, _rows * layer.In), _y);
            _y[index] *= factor;
        }

        public void Dispose()
        {
        }
    }
}
