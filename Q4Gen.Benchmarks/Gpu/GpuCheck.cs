namespace Q4Gen.Benchmarks.Gpu;

/// <summary>What came of verifying one call.</summary>
/// <param name="Shape">The layer's shape.</param>
/// <param name="Kernel">The kernel, and by which way x comes to it.</param>
/// <param name="Case">The call.</param>
/// <param name="Error">The largest |y − y64| / (Σ|w·x| + |bias|); null where x has no numbers in it, or nothing was computed.</param>
/// <param name="RelativeError">‖y − y64‖ / ‖y64‖ of all that was compared; null where <paramref name="Error"/> is.</param>
/// <param name="Failure">What is wrong; null where nothing is.</param>
internal sealed record GpuCheck(Linear4BitShape Shape, string Kernel, GpuCase Case, double? Error, double? RelativeError, string? Failure)
{
    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant(
        $"{Shape}, {Kernel}{(Case.IsNonFinite ? ", NaN and ∞ in x" : "")}, {GpuCase.Name(Case.X)} → {GpuCase.Name(Case.Y)}, M = {Case.Rows}: {Failure ?? "right"}");
}
