namespace Q4Gen.Testing;

/// <summary>Generated code is not what the accepted snapshots say; the message shows the differences and how to accept them.</summary>
public sealed class SnapshotException : Exception
{
    /// <summary>Creates the exception with its whole message.</summary>
    public SnapshotException(string message)
        : base(message)
    {
    }
}
