using System.Buffers.Binary;

namespace Q4Gen.Import.Packed;

/// <summary>
/// The group of each column, which a model that was quantised with act-order (desc_act) has beside its weights. Our
/// groups are neighbours, so columns are sorted by group, those of one group in their order, and the layer gets the input
/// feature of each as <c>order_4bit</c>.
/// </summary>
internal static class GroupIndex
{
    /// <summary>The column of the file that stands at each of ours; null where they are in the order of groups already.</summary>
    /// <param name="tensors">The model.</param>
    /// <param name="prefix">The layer's.</param>
    /// <param name="suffix">What its groups are called.</param>
    /// <param name="shape">In, Out and Group.</param>
    /// <param name="mayBeUnset">Whether −1 everywhere means that columns are in order.</param>
    /// <exception cref="WeightFormatException">The tensor is none of groups, or groups have other numbers of columns.</exception>
    public static int[]? ReadOrder(PackedTensors tensors, string prefix, string suffix, Linear4BitShape shape, bool mayBeUnset = false)
    {
        if (tensors.Find(prefix, suffix) is not { } index)
        {
            return null;
        }

        tensors.Expect(prefix, suffix, index, [TensorType.I32], shape.In);
        ReadOnlySpan<byte> bytes = index.Read(0, new byte[index.ByteLength]);
        int[] groups = new int[shape.In];
        for (int k = 0; k < groups.Length; k++)
        {
            groups[k] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(k * sizeof(int))..]);
        }

        if (mayBeUnset && !groups.AsSpan().ContainsAnyExcept(-1))
        {
            return null;
        }

        string name = $"{tensors.Description}: tensor {PackedTensors.Name(prefix, suffix)}";
        int[] counts = new int[shape.Groups];
        for (int k = 0; k < groups.Length; k++)
        {
            if (groups[k] < 0 || groups[k] >= shape.Groups)
            {
                throw new WeightFormatException($"{name} puts column {k} into group {groups[k]}, but there are {shape.Groups}; fetch the model again.");
            }

            counts[groups[k]]++;
        }

        int[] order = new int[shape.In];
        int[] next = new int[shape.Groups];
        for (int g = 0; g < counts.Length; g++)
        {
            next[g] = g * shape.Group;
            int expected = Math.Min(shape.Group, shape.In - next[g]);
            if (counts[g] != expected)
            {
                throw new WeightFormatException(
                    $"{name} puts {counts[g]} columns into group {g}, but groups of one size are expected, {expected} columns here; take a model whose groups are of one size.");
            }
        }

        bool isInOrder = true;
        for (int k = 0; k < groups.Length; k++)
        {
            int column = next[groups[k]]++;
            order[column] = k;
            isInOrder &= column == k;
        }

        return isInOrder ? null : order;
    }
}
