using System.Globalization;
using Q4Gen.Safetensors;

namespace Q4Gen.Loading;

/// <summary>How many columns share a scale, which a layer's tensors alone do not always tell.</summary>
/// <remarks>
/// In this order: what the caller says; what the source records as <c>group_size</c>; in / groups where that divides;
/// the one usual size that gives as many groups. Two values that mean different layers are an error, never a choice:
/// 288 columns in 3 groups are 96 a group, or 128 with a shorter last one.
/// </remarks>
internal static class GroupInference
{
    private static readonly int[] s_usualSizes = [32, 64, 128, 256];

    /// <summary>The group of a layer whose caller says <paramref name="said"/>.</summary>
    /// <exception cref="WeightFormatException">Sayings contradict each other or the scales, or several groups are possible.</exception>
    public static int Infer(LayerTensors tensors, int? said)
    {
        int? recorded = ReadRecorded(tensors.Source);
        if (said is { } group)
        {
            CheckAgreement(tensors, group, "the group that was asked for");
            return group;
        }

        if (recorded is { } size)
        {
            return CountGroups(tensors.In, size) == tensors.Groups
                ? size
                : throw Contradiction(tensors, $"{SafetensorsWriter.GroupSizeKey} {size}, which the source records,", size, "write the file again with the group size of its layers");
        }

        int[] candidates = [.. Candidates(tensors.In, tensors.Groups)];
        return candidates.Length == 1
            ? candidates[0]
            : throw new WeightFormatException(
                $"{tensors.Source.Description}: tensor {tensors.Name(LayerTensors.ScalesSuffix)} is {tensors.Scales} for In = {tensors.In}, which "
                + (candidates.Length == 0 ? "no usual group size gives" : $"group sizes {string.Join(" and ", candidates)} both give")
                + $", and the source records no {SafetensorsWriter.GroupSizeKey}; say which it is with the argument 'group'.");
    }

    /// <summary>The group that the tensors and the source's records tell, for a message; null where they do not.</summary>
    public static int? TryInfer(LayerTensors tensors)
    {
        try
        {
            return Infer(tensors, null);
        }
        catch (WeightFormatException)
        {
            return null;
        }
    }

    /// <summary>Throws where the scales, or the source's records, contradict a group.</summary>
    /// <exception cref="WeightFormatException">They do.</exception>
    public static void CheckAgreement(LayerTensors tensors, int group, string whose, string toDo = "leave the argument 'group' out, or load the file that it belongs to")
    {
        if (CountGroups(tensors.In, group) != tensors.Groups)
        {
            throw Contradiction(tensors, $"{whose}, {group},", group, toDo);
        }

        if (ReadRecorded(tensors.Source) is { } recorded && !AreSame(tensors.In, recorded, group))
        {
            throw new WeightFormatException(
                $"{tensors.Source.Description}: records {SafetensorsWriter.GroupSizeKey} {recorded}, which contradicts {whose}, {group}, for {tensors.Name(LayerTensors.WeightSuffix)} {tensors.Weight}; {toDo}.");
        }
    }

    private static IEnumerable<int> Candidates(int inFeatures, int groups)
    {
        int exact = inFeatures % groups == 0 ? inFeatures / groups : 0;
        IEnumerable<int> usual = s_usualSizes.Where(size => CountGroups(inFeatures, size) == groups);
        return exact == 0 ? usual : usual.Where(size => !AreSame(inFeatures, size, exact)).Prepend(exact);
    }

    private static int? ReadRecorded(IWeightSource source)
    {
        if (!source.Metadata.TryGetValue(SafetensorsWriter.GroupSizeKey, out string? text))
        {
            return null;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int size) && size > 0
            ? size
            : throw new WeightFormatException(
                $"{source.Description}: records {SafetensorsWriter.GroupSizeKey} {SafetensorsText.Quote(text)}, but a positive whole number is expected; write the file again.");
    }

    /// <summary>Groups that reach to the end of the row are the same, however long they would be.</summary>
    private static bool AreSame(int inFeatures, int a, int b) => Math.Min(a, inFeatures) == Math.Min(b, inFeatures);

    private static int CountGroups(int inFeatures, int group) => new Linear4BitShape(inFeatures, 1, group).Groups;

    private static WeightFormatException Contradiction(LayerTensors tensors, string what, int group, string toDo) =>
        new($"{tensors.Source.Description}: tensor {tensors.Name(LayerTensors.ScalesSuffix)} is {tensors.Scales}, but {what} gives {CountGroups(tensors.In, group)} groups of In = {tensors.In}; {toDo}.");
}
