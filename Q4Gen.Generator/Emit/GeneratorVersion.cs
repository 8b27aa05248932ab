namespace Q4Gen.Generator.Emit;

/// <summary>The version that generated code names; changes only with what is emitted, so that snapshots do not churn.</summary>
internal static class GeneratorVersion
{
    /// <summary>The version.</summary>
    public const string Text = "0.1";
}
