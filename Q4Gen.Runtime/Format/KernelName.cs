using System;
using System.Globalization;

namespace Q4Gen.Format;

/// <summary>
/// The grammar of generated kernel names, <c>{role}_{in}x{out}_g{group}[_{precision}]_{isa}[_{variant}]</c>, for instance
/// <c>Gemv_4096x11008_g128_avx512</c> or <c>Gemv_4096x11008_g128_int8_avx2_amd25m1t2</c>: whoever reads a profile or a
/// stack trace knows what ran.
/// </summary>
/// <param name="Role">What the kernel does: <c>Gemv</c>, <c>Rows2</c>, <c>Gemm</c>, or <c>Linear4Bit</c> for the whole family.</param>
/// <param name="In">Input features.</param>
/// <param name="Out">Output features.</param>
/// <param name="Group">Columns that share one scale.</param>
/// <param name="Precision"><c>int8</c> where activations are rounded to 8 bits, or empty.</param>
/// <param name="Isa">Lower-case instruction set, or empty for a family that spans all of them.</param>
/// <param name="Variant">The machine that the kernel is tuned for, or another mark of one of several; empty for the usual one.</param>
internal sealed record KernelName(string Role, int In, int Out, int Group, string Precision, string Isa, string Variant = "")
{
    /// <summary>What marks kernels with 8-bit activations.</summary>
    public const string Int8 = "int8";

    /// <summary>The shape part alone: <c>4096x11008_g128</c>.</summary>
    public static string Shape(int inFeatures, int outFeatures, int group) =>
        string.Format(CultureInfo.InvariantCulture, "{0}x{1}_g{2}", inFeatures, outFeatures, group);

    /// <summary>The whole name.</summary>
    public override string ToString() =>
        Role + "_" + Shape(In, Out, Group) + (Precision.Length == 0 ? "" : "_" + Precision) + (Isa.Length == 0 ? "" : "_" + Isa)
        + (Variant.Length == 0 ? "" : "_" + Variant);

    /// <summary>Reads a name back; false where <paramref name="text"/> does not follow the grammar.</summary>
    public static bool TryParse(string text, out KernelName? name)
    {
        name = null;
        string[] parts = text.Split('_');
        bool hasPrecision = parts.Length > 3 && parts[3] == Int8;
        int isa = hasPrecision ? 4 : 3;
        if (parts.Length < 3 || parts.Length > isa + 2 || parts[0].Length == 0)
        {
            return false;
        }

        string[] features = parts[1].Split('x');
        if (features.Length != 2
            || !TryParsePositive(features[0], out int inFeatures)
            || !TryParsePositive(features[1], out int outFeatures)
            || parts[2].Length < 2
            || parts[2][0] != 'g'
            || !TryParsePositive(parts[2].Substring(1), out int group))
        {
            return false;
        }

        name = new KernelName(
            parts[0], inFeatures, outFeatures, group, hasPrecision ? Int8 : "", parts.Length > isa ? parts[isa] : "", parts.Length > isa + 1 ? parts[isa + 1] : "");
        return name.ToString() == text;
    }

    private static bool TryParsePositive(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value > 0;
}
