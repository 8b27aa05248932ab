using System.Text.RegularExpressions;

namespace Q4Gen.Import.Floats;

/// <summary>
/// The matrices of GPT-2, whose layers are Conv1D: <c>[in, out]</c> in the file, where all others are <c>[out, in]</c>.
/// </summary>
/// <remarks>
/// Names alone do not say it: GPT-BigCode has the same ones on ordinary layers. But <c>c_attn</c> makes three of its input,
/// so there it is <c>[n, 3n]</c>, and nowhere else. Source: <c>modeling_gpt2.py</c> and <c>pytorch_utils.py</c> of Transformers.
/// </remarks>
internal static partial class Conv1d
{
    /// <summary>Whether a name is that of such a layer, for one model.</summary>
    public static Func<string, bool> In(IWeightSource source)
    {
        bool has = source.Names.Any(name =>
            AttentionName().IsMatch(name) && source.TryGet(name, out WeightTensor? tensor)
            && tensor.Shape is [var inFeatures, var outFeatures] && outFeatures == 3 * inFeatures);
        return has ? name => LayerName().IsMatch(name) : static _ => false;
    }

    /// <summary>The matrix as <c>[out, in]</c> in float32, in memory.</summary>
    public static WeightTensor Transpose(WeightTensor matrix)
    {
        int rows = (int)matrix.Shape[0], columns = (int)matrix.Shape[1];
        float[] transposed = new float[(long)rows * columns];
        float[] row = new float[columns];
        for (int r = 0; r < rows; r++)
        {
            matrix.ReadSingle((long)r * columns, row);
            for (int c = 0; c < columns; c++)
            {
                transposed[(long)c * rows + r] = row[c];
            }
        }

        return WeightTensor.FromSingle(transposed, columns, rows);
    }

    [GeneratedRegex(@"(^|\.)h\.[0-9]+\.attn\.c_attn\.weight$", RegexOptions.CultureInvariant)]
    private static partial Regex AttentionName();

    [GeneratedRegex(@"(^|\.)h\.[0-9]+\.(attn|crossattention|mlp)\.(c_attn|c_proj|c_fc|q_attn)$", RegexOptions.CultureInvariant)]
    private static partial Regex LayerName();
}
