using System.ComponentModel;
using System.Runtime.CompilerServices;
using ILGPU;

namespace Q4Gen.Gpu.Kernels;

/// <summary>
/// The order of weights on a GPU. Panels, steps and rows are those of layout R16K8, but within a word the even columns
/// lie in its low half and the odd ones in its high half: column c of eight at bit <c>4·(c / 2) + 16·(c % 2)</c>. So
/// one mask takes two neighbouring columns, each at the foot of a half: the pair that a tensor core wants.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class SplitNibbles
{
    private const int Bias = 8;

    /// <summary>Splits the words of R16K8 where they lie; one thread a word.</summary>
    /// <param name="index">The word.</param>
    /// <param name="words">All of them.</param>
    public static void Split(Index1D index, ArrayView<int> words) => words[index] = Split(words[index]);

    /// <summary>The same with thread groups of one's own; for what is compiled to PTX.</summary>
    /// <param name="words">All of them.</param>
    internal static void SplitInGroups(ArrayView<int> words)
    {
        int index = Grid.GlobalIndex.X;
        if (index < words.Length)
        {
            words[index] = Split(words[index]);
        }
    }

    /// <summary>Splits one word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Split(int word) => unchecked(Gather(word) | (Gather(word >> 4) << 16));

    /// <summary>The weighted sum of eight columns, unscaled.</summary>
    /// <param name="word">Eight weights of one row.</param>
    /// <param name="low">x at the first four columns.</param>
    /// <param name="high">x at the last four.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot<T>(int word, Four<T> low, Four<T> high)
        where T : unmanaged, IActivation<T>
    {
        unchecked
        {
            float sum = Weight(word, 0) * low.A.ToSingle();
            sum += Weight(word, 16) * low.B.ToSingle();
            sum += Weight(word, 4) * low.C.ToSingle();
            sum += Weight(word, 20) * low.D.ToSingle();
            sum += Weight(word, 8) * high.A.ToSingle();
            sum += Weight(word, 24) * high.B.ToSingle();
            sum += Weight(word, 12) * high.C.ToSingle();
            return sum + Weight(word, 28) * high.D.ToSingle();
        }
    }

    /// <summary>The weighted sum of the columns that a last step has, unscaled.</summary>
    /// <param name="word">The weights of one row.</param>
    /// <param name="x">x.</param>
    /// <param name="first">Where in it the step begins.</param>
    /// <param name="columns">How many columns there are.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot<T>(int word, ArrayView<T> x, int first, int columns)
        where T : unmanaged, IActivation<T>
    {
        float sum = 0;
        for (int column = 0; column < columns; column++)
        {
            sum += Weight(word, Shift(column)) * x[first + column].ToSingle();
        }

        return sum;
    }

    /// <summary>Four elements, loaded as two pairs, for rows that begin at even elements only.</summary>
    /// <param name="pairs">x.</param>
    /// <param name="first">The first pair.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Four<T> Load<T>(ArrayView<Two<T>> pairs, int first)
        where T : unmanaged
    {
        Two<T> low = pairs[first];
        Two<T> high = pairs[first + 1];
        Four<T> four = default;
        four.A = low.A;
        four.B = low.B;
        four.C = high.A;
        four.D = high.B;
        return four;
    }

    /// <summary>Stores a result as y holds them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(ArrayView<T> y, int index, float value)
        where T : unmanaged, IActivation<T>
    {
        T result = default;
        result.Set(value);
        y[index] = result;
    }

    /// <summary>The sum over the lanes of a warp that share their lowest two bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float SumOverSteps(float value)
    {
        value += Warp.ShuffleXor(value, 4);
        value += Warp.ShuffleXor(value, 8);
        return value + Warp.ShuffleXor(value, 16);
    }

    /// <summary>The weight that stands at a bit of a word.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Weight(int word, int shift) => unchecked(((word >> shift) & 0xF) - Bias);

    /// <summary>The bit at which a column's weight stands.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int Shift(int column) => (column >> 1) * 4 + (column & 1) * 16;

    /// <summary>Every other nibble from the lowest on, side by side in the low half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Gather(int word)
    {
        word &= 0x0F0F0F0F;
        word = (word | (word >> 4)) & 0x00FF00FF;
        return (word | (word >> 8)) & 0xFFFF;
    }
}
