namespace Q4Gen.Import;

/// <summary>How far a layer in 4 bits is from what the imported file says.</summary>
/// <param name="RelativeRms"><c>√(Σ(w − ŵ)² / Σw²)</c>; 0 where all weights are zero.</param>
/// <param name="MaxAbsolute">The largest <c>|w − ŵ|</c>, in units of the weights.</param>
public sealed record ImportError(double RelativeRms, double MaxAbsolute);
