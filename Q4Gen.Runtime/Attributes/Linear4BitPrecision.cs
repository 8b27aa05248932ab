namespace Q4Gen;

/// <summary>What a layer does with its activations. Weights are the same 4-bit numbers either way.</summary>
public enum Linear4BitPrecision
{
    /// <summary>Activations stay float32; results are within a few units of float32 rounding of the exact sum.</summary>
    Exact,

    /// <summary>
    /// Activations are rounded to signed 8-bit inside each call, with one scale for each row of x and block of columns
    /// (a group, or a part of it of at most 256 columns): <c>scale = max|x| / 127</c>. Products are then summed in
    /// integers, which is faster and costs about 0.6 % relative error where x is Gaussian, more where single
    /// columns tower above their block; see docs/kernels.md. Results are the same bit for bit on every processor,
    /// number of threads and number of rows.
    /// </summary>
    Int8Activations,
}
