namespace Q4Gen.Testing;

/// <summary>A check on generated code failed; the message says which, and shows what was found.</summary>
public sealed class GeneratorCheckException : Exception
{
    /// <summary>Creates the exception with its whole message.</summary>
    public GeneratorCheckException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with its whole message and what lies behind it.</summary>
    public GeneratorCheckException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
