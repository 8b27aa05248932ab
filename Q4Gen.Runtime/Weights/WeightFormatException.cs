namespace Q4Gen;

/// <summary>
/// A weight file or source cannot be used: it is malformed, or a tensor is missing or not what the layer needs. The
/// message names the file, the tensor, what was found, what was expected and what to do.
/// </summary>
public sealed class WeightFormatException : Exception
{
    /// <summary>Creates the exception with its whole message.</summary>
    public WeightFormatException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with its whole message and what lies behind it.</summary>
    public WeightFormatException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
