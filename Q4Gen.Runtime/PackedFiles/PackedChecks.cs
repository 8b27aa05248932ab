using Q4Gen.Format;
using Q4Gen.Kernels;
using Q4Gen.Loading;
using Q4Gen.Packing;

namespace Q4Gen.PackedFiles;

/// <summary>What loading in place does not look at: values, and what fills panels up.</summary>
internal static unsafe class PackedChecks
{
    /// <summary>What is wrong with a layer's panels, with the tensor that has it; null where nothing is.</summary>
    public static string? FindFlaw(PackedWeights weights) =>
        FindScaleFlaw(weights, PackedFormat.ScalesSuffix, "scales", areOffsets: false)
        ?? (weights.IsAffine ? FindScaleFlaw(weights, PackedFormat.OffsetsSuffix, "offsets", areOffsets: true) : null)
        ?? FindBiasFlaw(weights)
        ?? FindWordFlaw(weights);

    private static string? FindScaleFlaw(PackedWeights weights, string suffix, string what, bool areOffsets)
    {
        Linear4BitShape shape = weights.Shape;
        for (int panel = 0; panel < shape.Panels; panel++)
        {
            var values = new ReadOnlySpan<Half>(areOffsets ? weights.Offsets(panel) : weights.Scales(panel), shape.Groups * PanelLayout.PanelRows);
            int index = PanelPacker.IndexOfNonFinite(values);
            if (index >= 0)
            {
                return $"{suffix} holds {LayerTensors.Describe((float)values[index])} at row {Row(panel, index)}, group {index / PanelLayout.PanelRows}, but {what} are finite";
            }

            for (int i = 0; panel == shape.Panels - 1 && i < values.Length; i++)
            {
                if (Row(panel, i) >= shape.Out && BitConverter.HalfToInt16Bits(values[i]) != 0)
                {
                    return Filled(suffix, (float)values[i], $"row {Row(panel, i)}, group {i / PanelLayout.PanelRows}", shape);
                }
            }
        }

        return null;
    }

    private static string? FindBiasFlaw(PackedWeights weights)
    {
        var bias = new ReadOnlySpan<float>(weights.Bias, weights.Shape.Panels * PanelLayout.PanelRows);
        int index = PanelPacker.IndexOfNonFinite(bias);
        if (index >= 0)
        {
            return $"{PackedFormat.BiasSuffix} holds {LayerTensors.Describe(bias[index])} at row {index}, but biases are finite";
        }

        index = bias[weights.Shape.Out..].IndexOfAnyExcept(0f);
        return index < 0 ? null : Filled(PackedFormat.BiasSuffix, bias[weights.Shape.Out + index], $"row {weights.Shape.Out + index}", weights.Shape);
    }

    private static string? FindWordFlaw(PackedWeights weights)
    {
        Linear4BitShape shape = weights.Shape;
        int lastColumns = shape.In - (shape.Steps - 1) * PanelLayout.StepColumns;

        // Bits of a row's last word that no column reaches; none where steps are whole.
        uint behind = lastColumns == PanelLayout.StepColumns ? 0 : uint.MaxValue << (lastColumns * PanelLayout.NibbleBits);
        for (int panel = 0; panel < shape.Panels; panel++)
        {
            uint* words = weights.Words(panel);
            for (int lane = 0; lane < PanelLayout.PanelRows; lane++)
            {
                bool isRow = Row(panel, lane) < shape.Out;
                for (int step = isRow ? shape.Steps - 1 : 0; step < shape.Steps; step++)
                {
                    uint word = words[(nint)step * PanelLayout.StepWords + lane];
                    uint mask = isRow ? behind : uint.MaxValue;
                    if ((word & mask) != (PanelLayout.ZeroWord & mask))
                    {
                        return $"{PackedFormat.WeightSuffix} holds 0x{word:x8} at row {Row(panel, lane)}, step {step}, but what fills panels of [{shape.Out}, {shape.In}] up is 0x{PanelLayout.ZeroWord:x8}";
                    }
                }
            }
        }

        return null;
    }

    private static string Filled(string suffix, float value, string where, Linear4BitShape shape) =>
        $"{suffix} holds {value.ToString(System.Globalization.CultureInfo.InvariantCulture)} at {where}, but what fills panels of {shape.Out} rows up is 0";

    private static int Row(int panel, int index) => panel * PanelLayout.PanelRows + index % PanelLayout.PanelRows;
}
