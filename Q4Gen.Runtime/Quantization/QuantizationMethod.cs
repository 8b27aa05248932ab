namespace Q4Gen;

/// <summary>How <see cref="Linear4BitQuantizer"/> finds the scale of a group, and its offset where there is one.</summary>
public enum QuantizationMethod
{
    /// <summary>
    /// From the extremes, no search. Symmetric: the element of largest magnitude, with its sign, becomes −8, <c>scale =
    /// max / −8</c>, as in ggml's Q4_0. Affine: the smallest element becomes code −8 and the largest 7, <c>scale =
    /// (max − min) / 15</c>. Every other element takes the nearest code.
    /// </summary>
    SignedMax,

    /// <summary>
    /// The least (weighted) squared error that a search finds. Symmetric: the codes q for which <c>(Σ uwq)² / Σ uq²</c>
    /// is largest, which is what the least-squares scale <c>Σ uwq / Σ uq²</c> takes off the error, over many candidate
    /// scales and then by steps of single codes, as ggml's <c>make_qx_quants</c> does. Affine: nearest codes and the
    /// least-squares line through them in turn, from many starts. Never a larger error in any group than
    /// <see cref="SignedMax"/> has, and with an offset never a larger one than without.
    /// </summary>
    Search,
}
