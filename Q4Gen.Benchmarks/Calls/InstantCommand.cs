using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Q4Gen.Benchmarks.Machine;
using static Q4Gen.Benchmarks.Calls.LayerData;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>
/// The command <c>instant</c>: a model of many layers as rows and packed, both in the page cache. How long loading
/// takes, and what memory two processes occupy that have the same file loaded and have run every layer once.
/// </summary>
internal static class InstantCommand
{
    private const string ChildName = "instant-sample";
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5);

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        Option<int> gigabytes = Number("--gigabytes", "Gigabytes of layers, at least.", standard: 2, min: 1, max: 64);
        Option<int> loads = Number("--loads", "Loads of each file, each in a process of its own, of which medians are taken.", standard: 5, min: 1, max: 100);
        Option<string> folder = LoadCommand.Folder();
        var native = new Option<FileInfo?>("--native") { Description = "NativeLoad as one native executable, which scripts/deployment.sh publishes; it loads the packed file, too." };
        var command = new Command("instant", "Time to load packed layers beside layers in rows, and memory of two processes that share a file (Linux).") { gigabytes, loads, folder, native };
        command.SetAction(result =>
        {
            if (!OperatingSystem.IsLinux())
            {
                Console.Error.WriteLine("instant reads its memory figures from /proc/self/smaps_rollup, so it runs on Linux only.");
                return 1;
            }

            string stem = Path.Combine(result.GetRequiredValue(folder), $"q4gen-instant-{Guid.NewGuid():n}");
            (string rows, string packed) = ($"{stem}-rows.safetensors", $"{stem}-packed.safetensors");
            try
            {
                LoadCommand.Write(rows, result.GetRequiredValue(gigabytes) * 1_000_000_000L);
                using (SafetensorsFile source = SafetensorsFile.Open(rows))
                {
                    PackedFile.Write(packed, source);
                }

                Print(("rows", rows), ("packed", packed), result.GetValue(native)?.FullName, result.GetRequiredValue(loads));
            }
            finally
            {
                File.Delete(rows);
                File.Delete(packed);
            }

            return 0;
        });
        return command;
    }

    /// <summary>Creates the command that a child runs.</summary>
    public static Command CreateChild()
    {
        var path = new Argument<string>("path");
        var hold = new Option<bool>("--hold");
        var command = new Command(ChildName) { path, hold };
        command.Hidden = true;
        command.SetAction(result =>
        {
            if (result.GetValue(hold))
            {
                Hold(result.GetRequiredValue(path));
            }
            else
            {
                ChildSample.Print(InstantSample.Take(result.GetRequiredValue(path)));
            }
        });
        return command;
    }

    private static void Print((string Name, string Path) rows, (string Name, string Path) packed, string? native, int loads)
    {
        LoadCommand.Warm(rows.Path);
        LoadCommand.Warm(packed.Path);
        List<(string Name, Func<InstantSample> Take)> programs =
        [
            (rows.Name, () => ChildSample.Run<InstantSample>(ChildName, rows.Path)), (packed.Name, () => ChildSample.Run<InstantSample>(ChildName, packed.Path)),
        ];
        if (native is not null)
        {
            programs.Add(("packed, native", () => ChildSample.RunProgram<InstantSample>(native, packed.Path)));
        }

        // In turns, so that what else happens on the machine meets all.
        InstantSample[][] samples = [.. Enumerable.Range(0, loads).Select(_ => programs.Select(static program => program.Take()).ToArray())];
        InstantSample one = samples[0][1];
        Line($"{one.Bytes / 1e9:F2} GB of packed weights in {one.Layers} layers, {loads} loads of each file, each in a fresh process");
        Line($"{"open and load, ms",-20}{"median",9}{"fastest",9}{"slowest",9}{"again",9}{"first row",11}   (again: a second time in the same process; first row: every layer once)");
        for (int i = 0; i < programs.Count; i++)
        {
            Times(programs[i].Name, [.. samples.Select(round => round[i])]);
        }

        Line($"two processes, MB   {"",3}{"Rss",9}{"RssAnon",9}{"RssFile",9}{"Pss",9}   (each with the file loaded, after every layer ran once)");
        Memory(rows.Name, rows.Path);
        Memory(packed.Name, packed.Path);

        static void Times(string name, InstantSample[] samples)
        {
            double[] load = [.. samples.Select(static s => s.LoadMilliseconds)];
            Line($"{name,-20}{Spread.Of(load).Median,9:F1}{load.Min(),9:F1}{load.Max(),9:F1}{Median(static s => s.AgainMilliseconds),9:F1}{Median(static s => s.FirstRowMilliseconds),11:F1}");

            double Median(Func<InstantSample, double> of) => Spread.Of(samples.Select(of)).Median;
        }
    }

    private static void Memory(string name, string path)
    {
        Process[] children = [ChildSample.Start(ChildName, path, "--hold"), ChildSample.Start(ChildName, path, "--hold")];
        try
        {
            // Shares are only right once both have read all pages.
            foreach (Process child in children)
            {
                child.StandardOutput.ReadLine();
            }

            foreach (Process child in children)
            {
                child.StandardInput.WriteLine();
                var now = System.Text.Json.JsonSerializer.Deserialize<SharedMemory>(child.StandardOutput.ReadLine() ?? throw new InvalidOperationException("A child ended without its figures."));
                Line($"{name,-20}{Array.IndexOf(children, child) + 1,3}{now.Rss / 1e6,9:F0}{now.Anonymous / 1e6,9:F0}{now.File / 1e6,9:F0}{now.Pss / 1e6,9:F0}");
            }
        }
        finally
        {
            foreach (Process child in children)
            {
                child.StandardInput.Close();
                child.WaitForExit(s_patience);
                child.Dispose();
            }
        }
    }

    /// <summary>Loads, runs, says so, and tells the memory when the parent asks; stays until the parent is done.</summary>
    private static void Hold(string path)
    {
        InstantSample.Load(path, out LoadedModel model, out SafetensorsFile file);
        file.Dispose();
        InstantSample.RunAll(model);
        Console.WriteLine("ready");
        Console.ReadLine();
        ChildSample.Print(SharedMemory.Now());
        Console.ReadLine();
        GC.KeepAlive(model);
    }

    /// <summary>Physical memory of this process in bytes, from /proc/self/smaps_rollup.</summary>
    /// <param name="Rss">All of it.</param>
    /// <param name="Anonymous">Its own: heap, stacks, native memory.</param>
    /// <param name="File">Pages of mapped files.</param>
    /// <param name="Pss">All of it, where each page counts for its share among the processes that map it.</param>
    private readonly record struct SharedMemory(long Rss, long Anonymous, long File, long Pss)
    {
        public static SharedMemory Now()
        {
            string[] lines = System.IO.File.ReadAllLines("/proc/self/smaps_rollup");
            ResidentMemory resident = ResidentMemory.Now();
            return new SharedMemory(Field("Rss:"), resident.Anonymous, resident.File, Field("Pss:"));

            long Field(string name)
            {
                string line = lines.First(line => line.StartsWith(name, StringComparison.Ordinal));
                return 1024 * long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
            }
        }
    }
}
