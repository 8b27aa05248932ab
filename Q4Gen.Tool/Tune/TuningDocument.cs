using System.Text;
using System.Text.Json;
using Microsoft.CodeAnalysis.Text;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing.Tuning;

namespace Q4Gen.Tool.Tune;

/// <summary>
/// The choices of a tuning file as it is written: sorted, a machine or an entry a line, so that a diff shows what changed.
/// Times stand in a file beside it, which builds do not read.
/// </summary>
internal sealed class TuningDocument
{
    private readonly List<TuningMachine> _machines = [];
    private readonly Dictionary<(string Layer, string Isa, string Machine, TunedRows Rows), string> _variants = [];

    /// <summary>The machines.</summary>
    public IReadOnlyList<TuningMachine> Machines => _machines;

    /// <summary>Reads a file; one that is not there is empty.</summary>
    /// <exception cref="WeightFormatException">It is no tuning file.</exception>
    public static TuningDocument Read(string path)
    {
        var document = new TuningDocument();
        if (!File.Exists(path))
        {
            return document;
        }

        string? problem = null;
        TuningFile? file = TuningFile.Parse(path, SourceText.From(File.ReadAllText(path)), (descriptor, location, arguments) =>
        {
            LinePosition place = location!.GetLineSpan().StartLinePosition;
            problem = FormattableString.Invariant($"{path}({place.Line + 1},{place.Character + 1}): {string.Format(System.Globalization.CultureInfo.InvariantCulture, descriptor.MessageFormat.ToString(System.Globalization.CultureInfo.InvariantCulture), arguments)}");
        });
        if (file is null)
        {
            throw new WeightFormatException($"{problem}.");
        }

        document.Add(file.Spec);
        return document;
    }

    /// <summary>Takes over what another file says; where both say something, the other's counts.</summary>
    /// <exception cref="Console.UsageException">Both have a machine of one name, and they are different machines.</exception>
    public void Add(TuningSpec other)
    {
        var names = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (TuningMachine machine in other.Machines)
        {
            TuningMachine here = Find(machine);
            names[machine.Id] = here.Id;
        }

        foreach (TuningEntry entry in other.Entries)
        {
            Set(entry with { Machine = names[entry.Machine] });
        }
    }

    /// <summary>What the whole file says.</summary>
    public TuningSpec Spec => new(
        _machines.OrderBy(static machine => machine.Id, StringComparer.Ordinal).ToEquatableArray(),
        _variants.Select(static item => new TuningEntry(item.Key.Layer, item.Key.Isa, item.Key.Machine, item.Key.Rows, item.Value)).ToEquatableArray());

    /// <summary>The machine of the same kind, added where there is none.</summary>
    /// <exception cref="Console.UsageException">Another machine has its name.</exception>
    public TuningMachine Find(TuningMachine machine)
    {
        if (_machines.FirstOrDefault(machine.IsSameKind) is { } same)
        {
            return same;
        }

        if (_machines.Any(other => other.Id == machine.Id))
        {
            throw new Console.UsageException($"Two different machines are called '{machine.Id}'; give one another id, in the file's machines and entries.");
        }

        _machines.Add(machine);
        return machine;
    }

    /// <summary>Makes or replaces an entry.</summary>
    public void Set(TuningEntry entry) => _variants[(entry.Layer, entry.Isa, entry.Machine, entry.Rows)] = entry.Variant;

    /// <summary>The variant of an entry; null where there is none.</summary>
    public string? Find(string layer, string isa, string machine, TunedRows rows) => _variants.GetValueOrDefault((layer, isa, machine, rows));

    /// <summary>Removes entries of layers that are not among those given, and machines without entries; how many entries went.</summary>
    public int RemoveStale(IReadOnlyCollection<string> layers)
    {
        var stale = _variants.Keys.Where(key => !layers.Contains(key.Layer)).ToArray();
        foreach (var key in stale)
        {
            _variants.Remove(key);
        }

        _machines.RemoveAll(machine => _variants.Keys.All(key => key.Machine != machine.Id));
        return stale.Length;
    }

    /// <summary>The file's text: LF line ends, sorted.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{{\n  \"schema\": {TuningFile.Schema},\n");
        AppendList(text, "machines", Spec.Machines.Select(static machine => FormattableString.Invariant(
            $"{{ \"id\": {Quote(machine.Id)}, \"vendor\": {Quote(machine.Vendor)}, \"family\": {machine.Family}, \"model\": {machine.Model}, \"threads\": {machine.Threads}, \"rid\": {Quote(machine.Rid)} }}")));
        text.Append(",\n");
        AppendList(text, "entries", Spec.Entries
            .OrderBy(static entry => LayerShape.Find(entry.Layer) is { } shape ? (shape.In, shape.Out, shape.Group, shape.Precision) : default)
            .ThenBy(static entry => entry.Layer, StringComparer.Ordinal)
            .ThenBy(static entry => entry.Machine, StringComparer.Ordinal).ThenBy(static entry => entry.Isa, StringComparer.Ordinal).ThenBy(static entry => entry.Rows)
            .Select(static entry =>
                $"{{ \"layer\": {Quote(entry.Layer)}, \"isa\": {Quote(entry.Isa)}, \"machine\": {Quote(entry.Machine)}, \"rows\": {Quote(entry.Rows.ToString().ToLowerInvariant())}, \"variant\": {Quote(entry.Variant)} }}"));
        return text.Append("\n}\n").ToString();
    }

    private static void AppendList(StringBuilder text, string name, IEnumerable<string> lines)
    {
        string[] all = [.. lines];
        text.Append("  \"").Append(name).Append("\": [").Append(all.Length == 0 ? "]" : $"\n    {string.Join(",\n    ", all)}\n  ]");
    }

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text)}\"";
}
