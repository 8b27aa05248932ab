using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing.Tuning;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Tune;

/// <summary>
/// A tuning file and the folder beside it, <c>q4gen.tuning</c>, with the times that its choices rest on and a picture of them
/// for each layer and machine.
/// </summary>
internal sealed class TuneOutput
{
    private const string TimingsFile = "timings.json";

    private readonly TuningDocument _document;
    private readonly List<ChoiceTimings> _choices = [];
    private TuningTimings _timings;

    /// <summary>Reads what is there.</summary>
    /// <exception cref="WeightFormatException">The file is no tuning file.</exception>
    /// <exception cref="UsageException">A build would not know it by its name.</exception>
    public TuneOutput(string path)
    {
        if (!path.EndsWith(TuningFile.FileName, StringComparison.OrdinalIgnoreCase))
        {
            throw new UsageException($"{path}: a build knows a tuning file by a name that is {TuningFile.FileName} or ends in it; name it so.");
        }

        OutputFile.Check(path, force: true);
        Path = path;
        _document = TuningDocument.Read(path);
        _timings = TuningTimings.Read(System.IO.Path.Combine(FolderOf(path), TimingsFile));
    }

    /// <summary>The tuning file.</summary>
    public string Path { get; }

    /// <summary>What was measured or taken over now.</summary>
    public IReadOnlyList<ChoiceTimings> Choices => _choices;

    /// <summary>Entries that needed no measuring.</summary>
    public int Known { get; private set; }

    /// <summary>The folder beside a tuning file.</summary>
    public static string FolderOf(string path) => path[..^".json".Length];

    /// <summary>Measures what is missing for this machine.</summary>
    public void Tune(ToolConsole console, TuneOptions options, CancellationToken ct)
    {
        // What is finished stays, also when a later layer is interrupted.
        var run = new TuneRun(options, _document, () => OutputFile.WriteText(Path, _document.ToString()));
        console.Track("Measuring", 0, progress =>
        {
            run.Run(progress, ct);
            return true;
        });
        Known = run.Known;
        Take(run.Timings);
    }

    /// <summary>Takes over another machine's file, with its times where they are beside it.</summary>
    public void Merge(string path)
    {
        TuningDocument other = TuningDocument.Read(path);
        _document.Add(other.Spec);
        Take(TuningTimings.Read(System.IO.Path.Combine(FolderOf(path), TimingsFile)).Choices);
    }

    /// <summary>Removes entries of other layers than these; how many.</summary>
    public int RemoveStale(IReadOnlyCollection<string> layers)
    {
        _timings = new TuningTimings([.. _timings.Choices.Where(choice => layers.Contains(choice.Layer))]);
        return _document.RemoveStale(layers);
    }

    /// <summary>Writes everything.</summary>
    public void Save()
    {
        OutputFile.WriteText(Path, _document.ToString());
        if (_timings.Choices.Count == 0)
        {
            return;
        }

        string folder = FolderOf(Path);
        Directory.CreateDirectory(folder);
        OutputFile.WriteText(System.IO.Path.Combine(folder, TimingsFile), _timings.ToString());
        foreach (IGrouping<(string Layer, string Machine), ChoiceTimings> layer in _choices.GroupBy(static choice => (choice.Layer, choice.Machine)))
        {
            ChoiceTimings[] all = [.. _timings.Choices.Where(choice => (choice.Layer, choice.Machine) == layer.Key)];
            OutputFile.WriteText(System.IO.Path.Combine(folder, $"{layer.Key.Layer}.{layer.Key.Machine}.svg"), TunePicture.Draw(all));
        }
    }

    private void Take(IReadOnlyList<ChoiceTimings> choices)
    {
        _choices.AddRange(choices);
        _timings = _timings.With(choices);
    }
}
