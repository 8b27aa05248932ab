using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Testing;

namespace Q4Gen.Benchmarks;

/// <summary>How long the generator takes on a large program, from scratch and after an edit, and how much source it adds.</summary>
internal static class GeneratorBenchmark
{
    private const int MinRuns = 15;

    public static Command CreateCommand()
    {
        var runs = new Option<int>("--runs")
        {
            Description = $"Runs of which the median is taken; at least {MinRuns}.",
            DefaultValueFactory = static _ => 25,
        };
        runs.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<int>() < MinRuns)
            {
                result.AddError($"--runs must be at least {MinRuns}: the median of fewer runs says little.");
            }
        });
        var command = new Command("generator", "Generation time, edit time and source size for 224 annotated layers of 7 shapes.") { runs };
        command.SetAction(result => Run(result.GetValue(runs)));
        return command;
    }

    /// <summary>Enough for a 99th percentile to mean something.</summary>
    private const int Keys = 1000;

    private static void Run(int runs)
    {
        HarnessOptions options = HarnessOptions.Default;
        string[] sources = SyntheticTransformer.Sources();
        CSharpCompilation Compilation() => GeneratorHarness.CreateCompilation(sources, options);
        GeneratorDriver Driver() => GeneratorHarness.CreateDriver(options, trackSteps: false);

        // Compilations are made anew for each run, so that none finds symbols that another one bound.
        CSharpCompilation compilation = Compilation();
        (double first, GeneratorDriver driver) = Time(Driver(), compilation);
        GeneratorRunResult result = driver.GetRunResult().Results.Single();
        long bytes = result.GeneratedSources.Sum(static s => (long)Encoding.UTF8.GetByteCount(s.SourceText.ToString()));
        Print($"{SyntheticTransformer.Blocks * SyntheticTransformer.LayersPerBlock} layers, {SyntheticTransformer.LayersPerBlock} shapes");
        Print($"generated source          {bytes,9:N0} bytes in {result.GeneratedSources.Length} files");
        Print($"first run of the process  {first,9:F1} ms");
        Print($"from scratch              {Median(runs, () => Time(Driver(), Compilation()).Milliseconds),9:F1} ms");

        SyntaxTree unrelated = compilation.SyntaxTrees[^1];
        SyntaxTree block = compilation.SyntaxTrees[0];
        string text = SyntheticTransformer.Block(0);
        string added = text.Insert(text.LastIndexOf('}'), "    [Linear4Bit(In = 512, Out = 256, Group = 64)]\n    public partial Linear4Bit Extra { get; }\n");
        Print($"new type in another file  {Median(runs, i => Edit(unrelated, $"namespace Synthetic; class C{i} {{ }}")),9:F1} ms");
        Print($"edit beside layers        {Median(runs, i => Edit(block, $"{text}// {i}\n")),9:F1} ms");
        Print($"one more layer and shape  {Median(runs, _ => Edit(block, added)),9:F1} ms");
        _ = Keystrokes(); // An editor has run for a while: what its JIT has not optimised yet is not the generator's time.
        (double median, double p99) = Keystrokes();
        Print($"{Keys:N0} keystrokes           {median,9:F1} ms, 99 % within {p99:F1} ms");

        // Someone types a method beside layers, and the driver follows, as an editor's does.
        (double Median, double P99) Keystrokes()
        {
            const string Typed = "    public int Sum(int a, int b) { int sum = a + b; return sum; }\n";
            int at = text.LastIndexOf('}');
            CSharpCompilation current = compilation;
            GeneratorDriver following = driver;
            SyntaxTree tree = block;
            var times = new double[Keys];
            for (int key = 0; key < Keys; key++)
            {
                // Whole methods stay, the last one grows by a character.
                (int whole, int part) = Math.DivRem(key + 1, Typed.Length);
                string methods = string.Concat(Enumerable.Range(0, whole).Select(i => Typed.Replace("Sum", $"Sum{i}", StringComparison.Ordinal)));
                SyntaxTree next = GeneratorHarness.Parse(text.Insert(at, methods + Typed[..part]), tree.FilePath, options);
                current = current.ReplaceSyntaxTree(tree, next);
                tree = next;
                (times[key], following) = Time(following, current);
            }

            Array.Sort(times);
            return (times[Keys / 2], times[Keys * 99 / 100]);
        }

        double Edit(SyntaxTree tree, string source) =>
            Time(driver, compilation.ReplaceSyntaxTree(tree, GeneratorHarness.Parse(source, tree.FilePath, options))).Milliseconds;
    }

    private static (double Milliseconds, GeneratorDriver Driver) Time(GeneratorDriver driver, CSharpCompilation compilation)
    {
        long start = Stopwatch.GetTimestamp();
        driver = driver.RunGenerators(compilation);
        return (Stopwatch.GetElapsedTime(start).TotalMilliseconds, driver);
    }

    private static double Median(int runs, Func<double> run) => Median(runs, _ => run());

    private static double Median(int runs, Func<int, double> run)
    {
        double[] times = [.. Enumerable.Range(0, runs).Select(run).Order()];
        return times[runs / 2];
    }

    private static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));
}
