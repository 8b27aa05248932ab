using System.Globalization;
using System.Text;

namespace Q4Gen.Tool.Scaffold;

/// <summary>Prints a planned class.</summary>
internal static class ClassWriter
{
    private const int ShownPaths = 3;

    /// <summary>Appends the class.</summary>
    /// <param name="text">Where to.</param>
    /// <param name="planned">The class.</param>
    /// <param name="modelFile">The file that the class of the whole model is for; null for others.</param>
    /// <param name="layers">Layers in the file.</param>
    public static void Write(StringBuilder text, PlannedClass planned, string? modelFile, int layers)
    {
        string name = Identifiers.ToSource(planned.Name);
        if (planned.Layer is { } layer)
        {
            Line(text, $"/// <summary>Layer {PathsOf(planned)}: {Describe(layer.Name, layer, isNamed: false)}.</summary>");
            Line(text, $"[Linear4Bit({LayerText.Attribute(layer)})]");
            Line(text, $"public sealed partial class {name};");
            return;
        }

        WriteSummary(text, planned, modelFile, layers);
        if (modelFile is not null || planned.Members.All(static member => member.Kind != MemberKind.Layer))
        {
            Line(text, "[Linear4BitModel]");
        }

        Line(text, $"public sealed partial class {name}");
        Line(text, "{");
        for (int i = 0; i < planned.Members.Count; i++)
        {
            if (i > 0)
            {
                text.Append('\n');
            }

            WriteMember(text, planned.Members[i]);
        }

        Line(text, "}");
    }

    private static void WriteSummary(StringBuilder text, PlannedClass planned, string? modelFile, int layers)
    {
        if (modelFile is null)
        {
            Line(text, $"/// <summary>The linear layers of {PathsOf(planned)}.</summary>");
            return;
        }

        string count = layers == 1 ? "The one linear layer" : string.Create(CultureInfo.InvariantCulture, $"The {layers} linear layers");
        Line(text, $"/// <summary>{count} of {LayerText.Xml(modelFile)}, which <c>Load</c> fills.</summary>");
        Line(text, "/// <remarks>");
        Line(text, "/// Other tensors, such as norms and embeddings, are read in <c>partial void OnLoad(ModelLoad load, string prefix)</c>,");
        Line(text, "/// which every class here may implement.");
        Line(text, "/// </remarks>");
    }

    private static void WriteMember(StringBuilder text, PlannedMember member)
    {
        string name = Identifiers.ToSource(member.Name);
        bool isDefault = PlanNames.IsDefault(member);
        string literal = LayerText.Literal(member.WeightName);
        if (member.Kind == MemberKind.Layer)
        {
            Line(text, $"    /// <summary>{Describe(member.WeightName, member.Layer!, isNamed: true)}.</summary>");
            Line(text, $"    [Linear4Bit({LayerText.Attribute(member.Layer!)}{(isDefault ? "" : $", Name = {literal}")})]");
            Line(text, $"    public partial Linear4Bit {name} {{ get; }}");
            return;
        }

        string code = $"<c>{LayerText.Xml(member.WeightName)}</c>";
        string type = Identifiers.ToSource(member.Class!.Name);
        bool isArray = member.Kind == MemberKind.Array;
        Line(text, (isArray, member.WeightName.Length) switch
        {
            (true, 0) => $"    /// <summary>Elements by their numbers; {Count(member.Count)} in the file, and <c>Load</c> makes as many as it finds.</summary>",
            (true, _) => $"    /// <summary>Elements of {code}; {Count(member.Count)} in the file, and <c>Load</c> makes as many as it finds.</summary>",
            _ => $"    /// <summary>The layers of {code}.</summary>",
        });
        if (!isDefault)
        {
            Line(text, $"    [WeightName({literal})]");
        }

        Line(text, isArray ? $"    public {type}[] {name} {{ get; set; }} = null!;" : $"    public {type} {name} {{ get; }} = new();");
    }

    /// <summary><c>Hidden state to queries, 4096→4096</c>.</summary>
    private static string Describe(string name, Import.LinearLayer layer, bool isNamed)
    {
        string shape = LayerText.Shape(layer);
        string? meaning = ModelWords.MeaningOf(name);
        return (meaning, isNamed) switch
        {
            (null, true) => name.Length == 0 ? $"The layer itself, {shape}" : $"Layer <c>{LayerText.Xml(name)}</c>, {shape}",
            (null, false) => shape,
            (not null, true) => $"{meaning}, {shape}",
            _ => $"{char.ToLowerInvariant(meaning[0])}{meaning[1..]}, {shape}",
        };
    }

    private static string PathsOf(PlannedClass planned)
    {
        List<string> paths = [.. planned.Paths.Distinct()];
        string[] shown = [.. (paths.Count <= ShownPaths ? paths : paths.Take(ShownPaths - 1)).Select(static path => $"<c>{LayerText.Xml(path)}</c>")];
        return paths.Count > ShownPaths
            ? $"{string.Join(", ", shown)}, … and <c>{LayerText.Xml(paths[^1])}</c>"
            : shown.Length == 1 ? shown[0] : $"{string.Join(", ", shown[..^1])} and {shown[^1]}";
    }

    private static string Count(int count) => count.ToString(CultureInfo.InvariantCulture);

    private static void Line(StringBuilder text, string line) => text.Append(line).Append('\n');
}
