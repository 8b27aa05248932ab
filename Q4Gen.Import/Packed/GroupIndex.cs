using System.Buffers.Binary;

namespace Q4Gen.Import.Packed;

/// <summary>The group of each column, which a model with act-order has beside its weights.</summary>
internal static class GroupIndex
{
    /// <summary>Checks that columns are in their groups' order.</summary>
    /// <exception cref="WeightFormatException">They are not, or the tensor is none of groups.</exception>
    public static void Check(PackedTensors tensors, string prefix, string suffix, Linear4BitShape shape)
    {
        if (tensors.Find(prefix, suffix) is not { } index)
        {
            return;
        }

        tensors.Expect(prefix, suffix, index, [TensorType.I32], shape.In);
        ReadOnlySpan<byte> bytes = index.Read(0, new byte[index.ByteLength]);
        int[] groups = new int[shape.In];
        int moved = 0;
        for (int k = 0; k < shape.In; k++)
        {
            groups[k] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(k * sizeof(int))..]);
            if (groups[k] < 0 || groups[k] >= shape.Groups)
            {
                throw new WeightFormatException(
                    $"{tensors.Description}: tensor {PackedTensors.Name(prefix, suffix)} puts column {k} into group {groups[k]}, but there are {shape.Groups}; fetch the model again.");
            }

            moved += groups[k] == k / shape.Group ? 0 : 1;
        }

        if (moved != 0)
        {
            // Columns sorted by group, equal ones in their order: where the first of them would have to come from.
            IEnumerable<int> order = Enumerable.Range(0, shape.In).OrderBy(k => groups[k]).Take(8);
            throw new WeightFormatException(
                $"{tensors.Description}: tensor {PackedTensors.Name(prefix, suffix)} puts {moved} of {shape.In} columns into other groups than their neighbours' (act-order; by group they are {string.Join(", ", order)}, …), "
                + "and layers whose inputs are permuted are not supported yet; take a model that was quantised with desc_act: false.");
        }
    }
}
