using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Import;

namespace Q4Gen.Tool.Scaffold;

/// <summary>Layers and names as source has them.</summary>
internal static class LayerText
{
    /// <summary>The arguments of <c>[Linear4Bit(…)]</c>, without a name.</summary>
    public static string Attribute(LinearLayer layer)
    {
        Linear4BitShape shape = layer.Shape;

        // A group that reaches beyond the row is one scale a row, and the attribute says so with the row's own length.
        int group = Math.Min(shape.Group, shape.In);
        return string.Create(CultureInfo.InvariantCulture, $"In = {shape.In}, Out = {shape.Out}, Group = {group}")
            + (layer.IsAffine ? ", Affine = true" : "")
            + (layer.HasBias ? ", Bias = true" : "");
    }

    /// <summary><c>4096→11008, with a bias</c>.</summary>
    public static string Shape(LinearLayer layer) =>
        string.Create(CultureInfo.InvariantCulture, $"{layer.Shape.In}→{layer.Shape.Out}") + (layer.IsAffine, layer.HasBias) switch
        {
            (true, true) => ", affine, with a bias",
            (true, false) => ", affine",
            (false, true) => ", with a bias",
            _ => "",
        };

    /// <summary>A string in quotes.</summary>
    public static string Literal(string text) => SymbolDisplay.FormatLiteral(text, quote: true);

    /// <summary>Text for a comment of one line, in XML.</summary>
    public static string Xml(string text)
    {
        var safe = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            _ = c switch
            {
                '<' => safe.Append("&lt;"),
                '>' => safe.Append("&gt;"),
                '&' => safe.Append("&amp;"),
                _ => safe.Append(IsPlain(c) ? c : '?'),
            };
        }

        return safe.ToString();
    }

    // What a name may hold and no comment: ends of lines, half characters, marks that turn the direction of text.
    private static bool IsPlain(char c) =>
        c == ' ' || !(char.IsControl(c) || char.IsSurrogate(c) || char.IsSeparator(c)
            || char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse);
}
