namespace Q4Gen.Tool.Scaffold;

/// <summary>What <c>scaffold --json</c> prints.</summary>
/// <param name="Path">The model.</param>
/// <param name="Namespace">Namespace of the classes.</param>
/// <param name="Class">The class of the whole model.</param>
/// <param name="Layers">Linear layers that the classes hold.</param>
/// <param name="Output">The file that was written; null where none was.</param>
/// <param name="Text">The C# code.</param>
internal sealed record ScaffoldReport(string Path, string Namespace, string Class, int Layers, string? Output, string Text);
