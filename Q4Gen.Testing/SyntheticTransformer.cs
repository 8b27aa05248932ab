using System.Globalization;
using System.Text;

namespace Q4Gen.Testing;

/// <summary>The source of a large program, to measure the generator on: transformer blocks of seven layers, each of another shape.</summary>
internal static class SyntheticTransformer
{
    /// <summary>Blocks in a model of the usual size.</summary>
    public const int Blocks = 32;

    /// <summary>Layers, and shapes, in a block.</summary>
    public const int LayersPerBlock = 7;

    private static readonly (string Property, int In, int Out, int Group)[] s_layers =
    [
        ("QProj", 4096, 4096, 128),
        ("KProj", 4096, 1024, 128),
        ("VProj", 4096, 1024, 64),
        ("OProj", 4096, 4096, 64),
        ("GateProj", 4096, 11008, 128),
        ("UpProj", 4096, 11008, 64),
        ("DownProj", 11008, 4096, 128),
    ];

    /// <summary>One file a block, and one that has nothing to do with layers.</summary>
    public static string[] Sources(int blocks = Blocks) =>
        [.. Enumerable.Range(0, blocks).Select(Block), "namespace Synthetic { internal static class Unrelated { } }\n"];

    /// <summary>The file of a block.</summary>
    public static string Block(int index)
    {
        var source = new StringBuilder("using Q4Gen;\n\nnamespace Synthetic;\n\n");
        source.Append(CultureInfo.InvariantCulture, $"public partial class Block{index}\n{{\n");
        foreach ((string property, int inFeatures, int outFeatures, int group) in s_layers)
        {
            source.Append(CultureInfo.InvariantCulture,
                $"    [Linear4Bit(In = {inFeatures}, Out = {outFeatures}, Group = {group})]\n    public partial Linear4Bit {property} {{ get; }}\n\n");
        }

        return source.Append("}\n").ToString();
    }
}
