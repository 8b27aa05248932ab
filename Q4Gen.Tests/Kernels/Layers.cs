using System.Reflection;

namespace Q4Gen.Tests.Kernels;

/// <summary>
/// The shapes that generated kernels are tested on: every kind of last step, last panel and last group, from the
/// smallest layer to ones that several threads share.
/// </summary>
internal static partial class Layers
{
    private static readonly Linear4BitAttribute[] s_annotations =
    [
        .. typeof(Layers).GetNestedTypes(BindingFlags.NonPublic)
            .Select(static t => t.GetCustomAttribute<Linear4BitAttribute>())
            .OfType<Linear4BitAttribute>(),
    ];

    /// <summary>All exact shapes below.</summary>
    public static IReadOnlyList<Linear4BitShape> Shapes { get; } = [.. Of(Linear4BitPrecision.Exact)];

    /// <summary>All shapes below with 8-bit activations.</summary>
    public static IReadOnlyList<Linear4BitShape> Int8Shapes { get; } = [.. Of(Linear4BitPrecision.Int8Activations)];

    private static IEnumerable<Linear4BitShape> Of(Linear4BitPrecision precision) =>
        s_annotations.Where(a => a.Precision == precision).Select(static a => new Linear4BitShape(a.In, a.Out, a.Group));

    /// <summary>Whether the layer of this shape declares a bias.</summary>
    public static bool HasBias(Linear4BitShape shape) =>
        s_annotations.First(a => a.In == shape.In && a.Out == shape.Out && a.Group == shape.Group).Bias;

    /// <summary>The smallest layer, whose one step has 2 of 8 columns.</summary>
    [Linear4Bit(In = 2, Out = 1, Group = 8)]
    private sealed partial class Smallest;

    /// <summary>One whole step, one whole panel.</summary>
    [Linear4Bit(In = 8, Out = 16, Group = 8)]
    private sealed partial class OneStep;

    /// <summary>A last panel of 5 rows.</summary>
    [Linear4Bit(In = 16, Out = 37, Group = 8)]
    private sealed partial class LastPanel;

    /// <summary>One group a row.</summary>
    [Linear4Bit(In = 64, Out = 64, Group = 64, Bias = true)]
    private sealed partial class OneGroup;

    /// <summary>A last group of 44 columns and a last step of 4.</summary>
    [Linear4Bit(In = 172, Out = 64, Group = 64)]
    private sealed partial class RaggedGroup;

    /// <summary>A last group of 96 columns.</summary>
    [Linear4Bit(In = 352, Out = 128, Group = 128)]
    private sealed partial class RaggedWide;

    /// <summary>A last group of 2 columns, alone in its step, and a last panel of one row.</summary>
    [Linear4Bit(In = 130, Out = 33, Group = 64)]
    private sealed partial class LastColumns;

    /// <summary>A last step of 6 columns.</summary>
    [Linear4Bit(In = 78, Out = 17, Group = 16)]
    private sealed partial class SixColumns;

    /// <summary>A group longer than the row.</summary>
    [Linear4Bit(In = 100, Out = 50, Group = 128)]
    private sealed partial class LongGroup;

    /// <summary>The longest group that int can name.</summary>
    [Linear4Bit(In = 24, Out = 20, Group = int.MaxValue)]
    private sealed partial class LongestGroup;

    /// <summary>Long rows, few panels.</summary>
    [Linear4Bit(In = 4096, Out = 64, Group = 128)]
    private sealed partial class LongRows;

    /// <summary>Short rows, many panels.</summary>
    [Linear4Bit(In = 256, Out = 4096, Group = 32)]
    private sealed partial class ManyPanels;

    /// <summary>A group of 64 steps.</summary>
    [Linear4Bit(In = 512, Out = 48, Group = 512)]
    private sealed partial class WideGroup;

    /// <summary>A group so long that its sum must be cut.</summary>
    [Linear4Bit(In = 1024, Out = 256, Group = 1024)]
    private sealed partial class WidestGroup;

    /// <summary>A ragged last group that is longer than a sum may be.</summary>
    [Linear4Bit(In = 1500, Out = 24, Group = 768)]
    private sealed partial class RaggedWidest;

    /// <summary>Five panels and a row: no multiple of what any kernel computes at once.</summary>
    [Linear4Bit(In = 48, Out = 81, Group = 24)]
    private sealed partial class FivePanels;

    /// <summary>A group that is no multiple of 8: the scalar kernel.</summary>
    [Linear4Bit(In = 40, Out = 24, Group = 12)]
    private sealed partial class OddGroup;

    /// <summary>The smallest layer with 8-bit activations.</summary>
    [Linear4Bit(In = 2, Out = 1, Group = 8, Precision = Linear4BitPrecision.Int8Activations)]
    private sealed partial class Int8Smallest;

    /// <summary>A last group of 44 columns and a last step of 4; four panels.</summary>
    [Linear4Bit(In = 172, Out = 64, Group = 64, Bias = true, Precision = Linear4BitPrecision.Int8Activations)]
    private sealed partial class Int8RaggedGroup;

    /// <summary>Five panels and a row.</summary>
    [Linear4Bit(In = 48, Out = 81, Group = 24, Precision = Linear4BitPrecision.Int8Activations)]
    private sealed partial class Int8FivePanels;

    /// <summary>One group a row, cut into blocks.</summary>
    [Linear4Bit(In = 1024, Out = 256, Group = 1024, Precision = Linear4BitPrecision.Int8Activations)]
    private sealed partial class Int8WidestGroup;

    /// <summary>Groups whose blocks do not divide them, the last one ragged.</summary>
    [Linear4Bit(In = 1500, Out = 24, Group = 328, Precision = Linear4BitPrecision.Int8Activations)]
    private sealed partial class Int8CutGroups;

    /// <summary>Long rows, as in a model.</summary>
    [Linear4Bit(In = 4096, Out = 64, Group = 128, Precision = Linear4BitPrecision.Int8Activations)]
    private sealed partial class Int8LongRows;

    /// <summary>A group that is no multiple of 8: the scalar kernel.</summary>
    [Linear4Bit(In = 40, Out = 24, Group = 12, Precision = Linear4BitPrecision.Int8Activations)]
    private sealed partial class Int8OddGroup;
}
