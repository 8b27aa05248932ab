using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Q4Gen;

public partial class Linear4Bit
{
    /// <summary>Checks input and output; returns the number of rows.</summary>
    private int CheckRows(ReadOnlySpan<float> x, Span<float> y)
    {
        int rows = x.Length / In;
        if (rows * In != x.Length)
        {
            throw new ArgumentException(
                $"The input has {x.Length} elements, which is no multiple of In = {In}; give whole rows [rows, {In}].", nameof(x));
        }

        long needed = (long)rows * Out;
        if (y.Length < needed)
        {
            throw new ArgumentException(
                $"The output has {y.Length} elements, but {rows} rows of Out = {Out} take {needed}.", nameof(y));
        }

        if (x.Overlaps(y[..(int)needed]))
        {
            throw new ArgumentException("Input and output overlap; give the output memory of its own.", nameof(y));
        }

        return rows;
    }

    /// <summary>Checks <c>[…, in] → […, out]</c>.</summary>
    private void CheckTensors(in ReadOnlyTensorSpan<float> x, in ReadOnlyTensorSpan<float> y)
    {
        CheckInput(x);
        ReadOnlySpan<nint> lengths = y.Lengths;
        if (lengths.Length != x.Rank || lengths[^1] != Out || !lengths[..^1].SequenceEqual(x.Lengths[..^1]))
        {
            throw new ArgumentException(
                $"The output has shape {Describe(lengths)}, but an input of {Describe(x.Lengths)} gives {Describe(OutputLengths(x.Lengths))}.", nameof(y));
        }
    }

    private void CheckInput(in ReadOnlyTensorSpan<float> x)
    {
        if (x.Rank == 0 || x.Lengths[^1] != In)
        {
            throw new ArgumentException(
                $"The input has shape {Describe(x.Lengths)}, but this layer takes […, {In}]: its last dimension must be In = {In}.", nameof(x));
        }
    }

    /// <summary>The input's lengths with the last one Out.</summary>
    private nint[] OutputLengths(ReadOnlySpan<nint> input)
    {
        nint[] lengths = input.ToArray();
        lengths[^1] = Out;
        return lengths;
    }

    /// <summary>A tensor's elements as one span, which takes row-major order without gaps.</summary>
    private static Span<float> Flatten(in ReadOnlyTensorSpan<float> tensor, string role, string parameter)
    {
        if (tensor.FlattenedLength > int.MaxValue)
        {
            throw new ArgumentException(
                $"The {role} {Describe(tensor.Lengths)} has {tensor.FlattenedLength} elements, but one call takes at most {int.MaxValue}; call in slices of rows.", parameter);
        }

        nint stride = 1;
        for (int i = tensor.Rank - 1; i >= 0 && !tensor.IsEmpty; i--)
        {
            // The stride of a dimension of one element is never taken.
            if (tensor.Lengths[i] != 1 && tensor.Strides[i] != stride)
            {
                throw new ArgumentException(
                    $"The {role} {Describe(tensor.Lengths)} has strides {Describe(tensor.Strides)}, but must be dense and row-major; "
                    + "copy it with ToDenseTensor first.", parameter);
            }

            stride *= tensor.Lengths[i];
        }

        return MemoryMarshal.CreateSpan(ref Unsafe.AsRef(in tensor.GetPinnableReference()), (int)tensor.FlattenedLength);
    }

    private static string Describe(ReadOnlySpan<nint> lengths) => $"[{string.Join(", ", lengths.ToArray())}]";
}
