using System.CommandLine;
using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;
using static Q4Gen.Benchmarks.Calls.LayerData;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>
/// The command <c>load</c>: a model of many layers from a safetensors file in the page cache; speed, and memory as a
/// factor of the packed bytes. Each load has a process of its own.
/// </summary>
internal static class LoadCommand
{
    private const string ChildName = "load-sample";
    private const int Group = 128;
    private static readonly (string Name, Linear4BitShape Shape)[] s_block =
    [
        ("q_proj", new(4096, 4096, Group)), ("k_proj", new(4096, 4096, Group)), ("v_proj", new(4096, 4096, Group)), ("o_proj", new(4096, 4096, Group)),
        ("gate_proj", new(4096, 11008, Group)), ("up_proj", new(4096, 11008, Group)), ("down_proj", new(11008, 4096, Group)),
    ];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        Option<int> gigabytes = Number("--gigabytes", "Gigabytes of layers, at least.", standard: 2, min: 1, max: 64);
        Option<int> loads = Number("--loads", "Loads, each in a process of its own, of which medians are taken.", standard: 5, min: 1, max: 100);
        Option<string> folder = Folder();
        var command = new Command("load", "Speed and memory of loading a model of many layers from a warm page cache.") { gigabytes, loads, folder };
        command.SetAction(result =>
        {
            if (!OperatingSystem.IsLinux())
            {
                Console.Error.WriteLine("load reads its memory figures from /proc/self/status, so it runs on Linux only.");
                return 1;
            }

            string path = Path.Combine(result.GetRequiredValue(folder), $"q4gen-load-{Guid.NewGuid():n}.safetensors");
            try
            {
                Write(path, result.GetRequiredValue(gigabytes) * 1_000_000_000L);
                Print(path, result.GetRequiredValue(loads));
            }
            finally
            {
                File.Delete(path);
            }

            return 0;
        });
        return command;
    }

    /// <summary>An option for where large files lie meanwhile.</summary>
    public static Option<string> Folder()
    {
        var folder = new Option<string>("--folder")
        {
            Description = "Where the file lies meanwhile; on a disk, not in memory.",
            DefaultValueFactory = static _ => Path.GetTempPath(),
        };
        folder.Validators.Add(static result =>
        {
            if (result.Tokens.Count == 1 && !Directory.Exists(result.Tokens[0].Value))
            {
                result.AddError($"--folder is '{result.Tokens[0].Value}', which does not exist; create it first.");
            }
        });
        return folder;
    }

    /// <summary>Creates the command that a child runs.</summary>
    public static Command CreateChild()
    {
        var path = new Argument<string>("path");
        var command = new Command(ChildName) { path };
        command.Hidden = true;
        command.SetAction(result => ChildSample.Print(Sample(result.GetRequiredValue(path))));
        return command;
    }

    /// <summary>As many blocks as reach the bytes; they share the memory they are written from.</summary>
    public static void Write(string path, long bytes)
    {
        var random = new Random(1);
        var tensors = new Dictionary<string, WeightTensor>();
        var data = s_block.Select(static layer => layer.Shape).Distinct().ToDictionary(static shape => shape, shape =>
        {
            var nibbles = new byte[shape.WeightBytes];
            random.NextBytes(nibbles);
            var scales = new Half[shape.ScaleCount];
            Array.Fill(scales, (Half)0.01f);
            return (
                Nibbles: new WeightTensor(TensorType.U8, [shape.Out, shape.In / 2], nibbles),
                Scales: WeightTensor.FromHalf(scales, shape.Out, shape.Groups));
        });
        long written = 0;
        for (int block = 0; written < bytes; block++)
        {
            foreach ((string name, Linear4BitShape shape) in s_block)
            {
                string prefix = FormattableString.Invariant($"model.layers.{block}.{name}");
                (tensors[$"{prefix}.weight_4bit"], tensors[$"{prefix}.scales_4bit"]) = data[shape];
                written += shape.WeightBytes + 2 * shape.ScaleCount;
            }
        }

        SafetensorsWriter.Write(path, tensors, SafetensorsWriter.DescribeGroup(Group));
    }

    /// <summary>Reads a file, so that it is in the page cache.</summary>
    public static void Warm(string path)
    {
        var buffer = new byte[1 << 20];
        using FileStream file = File.OpenRead(path);
        while (file.Read(buffer) != 0)
        {
            // Into the page cache.
        }
    }

    private static void Print(string path, int loads)
    {
        Warm(path);
        LoadSample[] samples = [.. Enumerable.Range(0, loads).Select(_ => ChildSample.Run<LoadSample>(ChildName, path))];
        LoadSample one = samples[0];
        Line($"{one.PackedBytes / 1e9:F2} GB of packed weights in {one.Layers} layers, {loads} loads, each in a fresh process");
        double[] speeds = [.. samples.Select(static s => s.PackedBytes / s.Seconds / 1e9)];
        Line($"open and load          {Spread.Of(speeds).Median:F2} GB/s   ({speeds.Min():F2} to {speeds.Max():F2})");
        Line($"{"resident memory",-23}{"all",8}{"own",8}{"mapped",8}   as a factor of the packed bytes, beyond the start's");
        Factors("at the end", static s => (s.End, s.EndAnonymous, s.EndFile));
        Factors("at the peak", static s => (s.Peak, s.PeakAnonymous, s.PeakFile));
        Factors("with the file closed", static s => (s.Closed, s.ClosedAnonymous, s.ClosedFile));

        void Factors(string name, Func<LoadSample, (long All, long Own, long Mapped)> of) => Line(
            $"{name,-23}{Factor(s => of(s).All),8:F2}{Factor(s => of(s).Own),8:F2}{Factor(s => of(s).Mapped),8:F2}");

        double Factor(Func<LoadSample, long> bytes) => Spread.Of(samples.Select(s => (double)bytes(s) / s.PackedBytes)).Median;
    }

    private static LoadSample Sample(string path)
    {
        ResidentMemory before = ResidentMemory.Now();
        using var peak = new PeakMemory();
        long start = Stopwatch.GetTimestamp();
        var weights = SafetensorsFile.Open(path);
        var model = new LoadedModel();
        model.Load(weights, "model");
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        (long highest, long anonymous, long file) = peak.Stop();
        ResidentMemory end = ResidentMemory.Now();
        weights.Dispose();
        ResidentMemory closed = ResidentMemory.Now();
        Linear4Bit[] layers = [.. model.Layers!.SelectMany(static b => (Linear4Bit[])[b.QProj, b.KProj, b.VProj, b.OProj, b.GateProj, b.UpProj, b.DownProj])];
        return new LoadSample(
            seconds, layers.Sum(static layer => layer.ByteLength), layers.Length,
            end.All - before.All, end.Anonymous - before.Anonymous, end.File - before.File,
            highest - before.All, anonymous - before.Anonymous, file - before.File,
            closed.All - before.All, closed.Anonymous - before.Anonymous, closed.File - before.File);
    }

    /// <summary>What a child measured; bytes beyond those at the start.</summary>
    private sealed record LoadSample(
        double Seconds, long PackedBytes, int Layers,
        long End, long EndAnonymous, long EndFile,
        long Peak, long PeakAnonymous, long PeakFile,
        long Closed, long ClosedAnonymous, long ClosedFile);
}
