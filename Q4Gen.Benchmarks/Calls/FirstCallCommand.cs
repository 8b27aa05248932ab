using System.CommandLine;
using System.Diagnostics;
using Q4Gen.Benchmarks.Compare;
using Q4Gen.Benchmarks.Machine;
using static Q4Gen.Benchmarks.Calls.LayerData;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>The command <c>firstcall</c>: the first <c>Forward</c> of a shape in a fresh process, compilation included.</summary>
internal static class FirstCallCommand
{
    private const string ChildName = "firstcall-sample";
    private static readonly int[] s_rows = [1, 8, 64];
    private static readonly Linear4BitShape[] s_shapes = [new(4096, 11008, 128), new(11008, 4096, 128), new(4096, 4096, 64), new(2048, 5632, 32)];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        Option<Linear4BitShape[]> shapes = CompareOptions.Shapes("--shapes", static () => s_shapes);
        Option<int> samples = Number("--samples", "Processes for each figure.", standard: 5, min: 1, max: 100);
        Option<Linear4BitPrecision> precision = Precision();
        var command = new Command("firstcall", "The first Forward of a shape in a fresh process, beside the second.") { shapes, samples, precision };
        command.SetAction(result =>
        {
            Line($"{"shape",-18}{"M",4}{"first ms",11}{"slowest",10}{"second ms",11}");
            foreach (Linear4BitShape shape in result.GetRequiredValue(shapes))
            {
                foreach (int rows in s_rows)
                {
                    Print(shape, result.GetRequiredValue(precision), rows, result.GetRequiredValue(samples));
                }
            }
        });
        return command;
    }

    /// <summary>Creates the command that a child runs.</summary>
    public static Command CreateChild()
    {
        Option<Linear4BitShape[]> shape = CompareOptions.Shapes("--shapes", static () => s_shapes);
        Option<int> rows = Number("--rows", "", standard: 1, min: 1, max: 4096);
        Option<Linear4BitPrecision> precision = Precision();
        var command = new Command(ChildName) { shape, rows, precision };
        command.Hidden = true;
        command.SetAction(result => ChildSample.Print(
            Sample(result.GetRequiredValue(shape)[0], result.GetRequiredValue(precision), result.GetRequiredValue(rows))));
        return command;
    }

    private static void Print(Linear4BitShape shape, Linear4BitPrecision precision, int rows, int samples)
    {
        double[][] times = [.. Enumerable.Range(0, samples).Select(_ => ChildSample.Run<double[]>(
            ChildName,
            "--shapes", FormattableString.Invariant($"{shape.In}x{shape.Out}g{shape.Group}"),
            "--rows", FormattableString.Invariant($"{rows}"),
            "--precision", precision.ToString()))];
        var first = times.Select(static time => time[0]).ToArray();
        Line($"{shape,-18}{rows,4}{Spread.Of(first).Median,11:F1}{first.Max(),10:F1}{Spread.Of(times.Select(static time => time[1])).Median,11:F1}");
    }

    private static double[] Sample(Linear4BitShape shape, Linear4BitPrecision precision, int rows)
    {
        using Linear4Bit layer = LayerData.Create(shape, precision);
        float[] x = Activations(rows * shape.In), y = new float[rows * shape.Out];
        return [Time(layer, x, y), Time(layer, x, y)];
    }

    private static double Time(Linear4Bit layer, float[] x, float[] y)
    {
        long start = Stopwatch.GetTimestamp();
        layer.Forward(x, y);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
