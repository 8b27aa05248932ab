using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing.Tuning;

/// <summary>A tuning file as it was read, with the places of what it says.</summary>
internal sealed class TuningFile
{
    /// <summary>What the name of a tuning file is, or ends in.</summary>
    public const string FileName = "q4gen.tuning.json";

    /// <summary>The version of the format that is read.</summary>
    public const int Schema = 1;

    private readonly string _path;
    private readonly SourceText _text;
    private readonly List<(TuningMachine Machine, int Position)> _machines = [];
    private readonly List<(TuningEntry Entry, int Position)> _entries = [];

    private TuningFile(string path, SourceText text)
    {
        _path = path;
        _text = text;
    }

    /// <summary>The machines and where each stands.</summary>
    public IReadOnlyList<(TuningMachine Machine, int Position)> Machines => _machines;

    /// <summary>The entries and where each stands.</summary>
    public IReadOnlyList<(TuningEntry Entry, int Position)> Entries => _entries;

    /// <summary>What it says, wherever.</summary>
    public TuningSpec Spec => new(
        _machines.Select(static item => item.Machine).OrderBy(static machine => machine.Id, StringComparer.Ordinal).ToEquatableArray(),
        _entries.Select(static item => item.Entry).ToEquatableArray());

    /// <summary>The additional files that are tuning files; a project has one, and the first in the order of their paths counts.</summary>
    public static IEnumerable<AdditionalText> All(IEnumerable<AdditionalText> files) => files
        .Where(static file => file.Path.EndsWith(FileName, StringComparison.OrdinalIgnoreCase))
        .OrderBy(static file => file.Path, StringComparer.Ordinal);

    /// <summary>The tuning file; null where there is none.</summary>
    public static AdditionalText? Find(IEnumerable<AdditionalText> files) => All(files).FirstOrDefault();

    /// <summary>Reads a file; null where it makes no sense, and <paramref name="report"/> is told why.</summary>
    public static TuningFile? Parse(string path, SourceText text, Report? report)
    {
        var file = new TuningFile(path, text);
        try
        {
            file.Read(JsonReader.Read(text.ToString()));
            return file;
        }
        catch (TuningException e)
        {
            report?.Invoke(e.Descriptor, file.At(e.Position), e.Message);
            return null;
        }
    }

    /// <summary>A place in the file.</summary>
    public Location At(int position)
    {
        // To the end of the line, so that an editor has something to underline.
        TextLine line = _text.Lines.GetLineFromPosition(Math.Min(position, _text.Length));
        var span = TextSpan.FromBounds(Math.Min(position, line.End), line.End);
        return Location.Create(_path, span, _text.Lines.GetLinePositionSpan(span));
    }

    private void Read(JsonValue root)
    {
        var members = new JsonMembers(root, "the file");
        int schema = members.Number("schema");
        if (schema != Schema)
        {
            throw new TuningException(Descriptors.UnknownTuningSchema, members.PositionOf("schema"), schema.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        foreach (JsonValue item in members.Array("machines"))
        {
            AddMachine(item);
        }

        foreach (JsonValue item in members.Array("entries"))
        {
            AddEntry(item);
        }

        members.EnsureAllRead();
    }

    private void AddMachine(JsonValue item)
    {
        var members = new JsonMembers(item, "a machine");
        var machine = new TuningMachine(
            members.Text("id"), members.Text("vendor"), members.Number("family"), members.Number("model"), members.Number("threads"), members.Text("rid"));
        members.Skip("name");
        members.EnsureAllRead();
        if (!IsId(machine.Id))
        {
            throw Malformed(members.PositionOf("id"), $"the id '{machine.Id}' goes into names of kernels; write a lower-case letter and then such letters and digits");
        }

        if (machine.Family < 0 || machine.Model < 0 || machine.Threads <= 0)
        {
            throw Malformed(item.Position, $"the machine '{machine.Id}' needs a family and a model that are not negative, and at least one thread");
        }

        foreach ((TuningMachine other, _) in _machines)
        {
            if (other.Id == machine.Id || other.IsSameKind(machine))
            {
                throw Malformed(item.Position, other.Id == machine.Id ? $"there are two machines '{machine.Id}'" : $"the machines '{other.Id}' and '{machine.Id}' are the same kind; write one");
            }
        }

        _machines.Add((machine, item.Position));
    }

    private void AddEntry(JsonValue item)
    {
        var members = new JsonMembers(item, "an entry");
        string rows = members.Text("rows");
        TunedRows? parsed = rows switch { "one" => TunedRows.One, "few" => TunedRows.Few, "many" => TunedRows.Many, _ => null };
        var entry = new TuningEntry(
            members.Text("layer"),
            members.Text("isa"),
            members.Text("machine"),
            parsed ?? throw Malformed(members.PositionOf("rows"), $"rows is '{rows}'; write 'one', 'few' or 'many'"),
            members.Text("variant"));
        members.EnsureAllRead();
        if (_machines.All(known => known.Machine.Id != entry.Machine))
        {
            throw Malformed(members.PositionOf("machine"), $"the machine '{entry.Machine}' is none of the file's machines");
        }

        if (_entries.Any(known => known.Entry with { Variant = entry.Variant } == entry))
        {
            throw Malformed(item.Position, $"there are two entries for {rows} rows of '{entry.Layer}' in {entry.Isa} on '{entry.Machine}'");
        }

        _entries.Add((entry, item.Position));
    }

    private static bool IsId(string id) => id.Length > 0 && id[0] is >= 'a' and <= 'z' && id.All(static c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9'));

    private static TuningException Malformed(int position, string message) => new(Descriptors.MalformedTuning, position, message);
}
