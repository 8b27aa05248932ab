using System.Numerics.Tensors;

namespace Q4Gen.Quantization;

/// <summary>What errors in the columns of a matrix weigh, as it was given and as a search uses it.</summary>
internal sealed class Importance
{
    private readonly float[] _given;
    private readonly float[] _inGroups;

    private Importance(float[] given, float[] inGroups)
    {
        _given = given;
        _inGroups = inGroups;
    }

    /// <summary>Checks what a caller gave for a matrix.</summary>
    /// <param name="given"><c>[in]</c>, or null for columns that matter the same.</param>
    /// <param name="shape">The matrix's shape.</param>
    /// <param name="what">What to call the matrix in messages.</param>
    /// <exception cref="ArgumentException">It has another length, a negative or no finite element, or only zeros.</exception>
    public static Importance Create(float[]? given, Linear4BitShape shape, string what)
    {
        var inGroups = new float[shape.In];
        if (given is null)
        {
            Array.Fill(inGroups, 1);
            return new Importance([], inGroups);
        }

        // A copy, so that nothing changes while threads read it.
        given = [.. given];
        Check(given, shape, what);
        for (int first = 0; first < given.Length;)
        {
            int length = Math.Min(shape.Group, given.Length - first);
            Normalize(given.AsSpan(first, length), inGroups.AsSpan(first, length));
            first += length;
        }

        return new Importance(given, inGroups);
    }

    /// <summary>As given; empty where nothing was.</summary>
    public ReadOnlySpan<float> Given(int first, int length) => _given.Length == 0 ? default : _given.AsSpan(first, length);

    /// <summary>With 1 as the largest of each group, so that sums stay in range.</summary>
    public ReadOnlySpan<float> InGroup(int first, int length) => _inGroups.AsSpan(first, length);

    /// <summary>A group that does not matter is quantised as if its columns mattered the same.</summary>
    private static void Normalize(ReadOnlySpan<float> given, Span<float> normal)
    {
        float max = TensorPrimitives.Max(given);
        if (max == 0)
        {
            normal.Fill(1);
            return;
        }

        TensorPrimitives.Divide(given, max, normal);
    }

    private static void Check(float[] given, Linear4BitShape shape, string what)
    {
        if (given.Length != shape.In)
        {
            throw Refuse($"it has {given.Length} elements, but one for each of In = {shape.In} columns is expected");
        }

        int bad = Array.FindIndex(given, u => !(float.IsFinite(u) && u >= 0));
        if (bad >= 0)
        {
            throw Refuse($"column {bad} has {given[bad]}, but every element must be finite and not negative; a mean of squares is");
        }

        if (!given.AsSpan().ContainsAnyExcept(0f))
        {
            throw Refuse("all of it is zero, so no column would matter; leave the importance out, or collect it from activations");
        }

        ArgumentException Refuse(string why) => new($"The importance for {what} cannot be used: {why}.");
    }
}
