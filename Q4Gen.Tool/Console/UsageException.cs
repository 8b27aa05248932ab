namespace Q4Gen.Tool.Console;

/// <summary>Arguments contradict each other or the file; ends with <see cref="ExitCode.Usage"/>.</summary>
internal sealed class UsageException(string message) : Exception(message);
