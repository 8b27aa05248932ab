namespace Storyteller.Commands;

/// <summary>What the user asked for cannot be done; the message says why, and what to do.</summary>
public sealed class UsageException(string message) : Exception(message);
