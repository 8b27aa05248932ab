namespace Q4Gen.Tool.Console;

/// <summary>What the tool ends with; docs/tool.md lists them.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>The command line is wrong: no file was read or written.</summary>
    public const int Usage = 1;

    /// <summary>A file is malformed, or holds what cannot be taken.</summary>
    public const int BadFile = 2;

    /// <summary>A file is not there, or cannot be read or written.</summary>
    public const int InputOutput = 3;

    /// <summary><c>verify</c> found a difference beyond what was allowed.</summary>
    public const int Different = 4;

    /// <summary>Interrupted by Ctrl-C or SIGTERM: no output was left behind.</summary>
    public const int Interrupted = 130;
}
