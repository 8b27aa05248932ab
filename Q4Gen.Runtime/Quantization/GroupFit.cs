namespace Q4Gen.Quantization;

/// <summary>Scale and offset of a group, <c>w = code · scale + offset</c>, rounded as files hold them.</summary>
internal readonly record struct GroupFit(Half Scale, Half Offset)
{
    public bool IsFinite => Half.IsFinite(Scale) && Half.IsFinite(Offset);
}

/// <summary>Chooses scale, offset and codes of a group. Keeps scratch memory: for one thread at a time.</summary>
internal interface IGroupMethod
{
    /// <summary>Quantises a group.</summary>
    /// <param name="w">The weights, finite.</param>
    /// <param name="u">What their errors weigh, 0 … 1.</param>
    /// <param name="codes">Set to −8 … 7.</param>
    /// <returns>The fit; with an infinite scale where F16 does not reach, and codes of no meaning then.</returns>
    GroupFit Choose(ReadOnlySpan<float> w, ReadOnlySpan<float> u, Span<float> codes);
}
