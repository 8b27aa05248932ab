namespace Q4Gen.Generator.Model;

/// <summary>One generated file.</summary>
/// <param name="HintName">Its name, unique in the program, ending in <c>.g.cs</c>.</param>
/// <param name="Text">Its text: LF line ends, no trailing white space, the same on every machine.</param>
internal sealed record SourceFile(string HintName, string Text);
