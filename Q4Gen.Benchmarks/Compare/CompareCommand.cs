using System.CommandLine;
using Q4Gen.Benchmarks.Machine;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>The commands <c>compare</c> and <c>sweep</c>.</summary>
internal static class CompareCommand
{
    private static readonly Linear4BitShape[] s_shapes = [new(4096, 11008, 128), new(11008, 4096, 128), new(4096, 4096, 64), new(2048, 5632, 32)];
    private static readonly Linear4BitShape[] s_quickShapes = [new(4096, 11008, 128), new(2048, 5632, 32)];
    private static readonly int[] s_rows = [1, 4, 8, 16, 64, 512];
    private static readonly int[] s_quickRows = [1, 8, 64];
    private static readonly Linear4BitShape[] s_sweepShape = [new(4096, 4096, 64)];
    private static readonly int[] s_sweepRows = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024];

    /// <summary>All engines side by side.</summary>
    public static Command CreateCompare()
    {
        var quick = new Option<bool>("--quick") { Description = "Fewer shapes and rows: ends within a minute." };
        Option<Linear4BitShape[]> shapes = CompareOptions.Shapes("--shapes", static () => s_shapes);
        Option<int[]> rows = CompareOptions.Rows(static () => s_rows);
        Option<int[]> threads = CompareOptions.Threads();
        Option<int> rounds = CompareOptions.Rounds();
        Option<string?> json = Json();
        Option<string?> plot = CompareOptions.OutputFile("--plot", "Writes a roofline with every engine on it.", ".svg", ".png");
        var command = new Command("compare", "Q4Gen beside ONNX Runtime and the machine's limits, interleaved in one process.")
        {
            quick, shapes, rows, threads, rounds, json, plot,
        };
        command.SetAction(result =>
        {
            bool isQuick = result.GetValue(quick);
            return Run(
                isQuick && IsImplicit(result, shapes) ? s_quickShapes : result.GetRequiredValue(shapes),
                isQuick && IsImplicit(result, rows) ? s_quickRows : result.GetRequiredValue(rows),
                result.GetRequiredValue(threads),
                result.GetRequiredValue(rounds),
                result.GetValue(json),
                results => Save(result.GetValue(plot), extension => RooflinePlot.Render(results, extension)));
        });
        return command;
    }

    /// <summary>Time a row against M, of one shape.</summary>
    public static Command CreateSweep()
    {
        Option<Linear4BitShape[]> shape = CompareOptions.Shapes("--shape", static () => s_sweepShape);
        Option<int[]> rows = CompareOptions.Rows(static () => s_sweepRows);
        Option<int[]> threads = CompareOptions.Threads();
        Option<int> rounds = CompareOptions.Rounds();
        Option<string?> json = Json();
        Option<string?> plot = CompareOptions.OutputFile("--plot", "Writes time a row against M, a line an engine.", ".svg", ".png");
        shape.Validators.Add(static result => RequireOne(result, "--shape"));
        threads.Validators.Add(static result => RequireOne(result, "--threads"));
        var command = new Command("sweep", "Time a row of x against the number of rows, of one shape.") { shape, rows, threads, rounds, json, plot };
        command.SetAction(result => Run(
            result.GetRequiredValue(shape),
            result.GetRequiredValue(rows),
            result.GetRequiredValue(threads),
            result.GetRequiredValue(rounds),
            result.GetValue(json),
            results => Save(result.GetValue(plot), extension => SweepPlot.Render(results[0], extension))));
        return command;
    }

    private static int Run(
        Linear4BitShape[] shapes, int[] rows, int[] threads, int rounds, string? json, Action<IReadOnlyList<ShapeResult>> plot)
    {
        var report = new CompareReport(MachineDescription.Current());
        report.PrintMachine();
        var results = new List<ShapeResult>();
        try
        {
            foreach (int count in threads.Order())
            {
                using var pool = new OnnxRuntimePool(count);
                using var machine = new MachineLimits(count);
                report.PrintEmptyCalls(count, EmptyCalls.Measure(count));
                foreach (Linear4BitShape shape in shapes)
                {
                    ShapeResult result = CompareRun.Measure(shape, count, [.. rows.Order()], rounds, machine, CompareReport.Progress);
                    results.Add(result);
                    report.Print(result);
                }
            }
        }
        catch (Exception exception) when (exception is WrongResultException or TimeoutException)
        {
            Console.Error.WriteLine(exception.Message);
            return 1;
        }

        if (json is not null)
        {
            OutputFiles.Write(json, CompareJson.Write(report.Machine, results));
        }

        plot(results);
        return 0;
    }

    private static Option<string?> Json() => CompareOptions.OutputFile("--json", "Writes all figures.", ".json");

    private static bool IsImplicit(ParseResult result, Option option) => result.GetResult(option) is null or { Implicit: true };

    private static void RequireOne(System.CommandLine.Parsing.OptionResult result, string name)
    {
        if (result.Tokens.Count == 1 && result.Tokens[0].Value.Contains(','))
        {
            result.AddError($"{name} is '{result.Tokens[0].Value}', but a sweep takes one; run it once for each.");
        }
    }

    private static void Save(string? path, Func<string, byte[]> render)
    {
        if (path is not null)
        {
            OutputFiles.Write(path, render(Path.GetExtension(path)));
        }
    }
}
