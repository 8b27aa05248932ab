namespace Q4Gen.Generator.Model;

/// <summary>Where the generated part of a type goes: its namespace and the types that it is nested in.</summary>
/// <param name="Namespace">The namespace, escaped; empty for the global one.</param>
/// <param name="Declarations">Partial declarations from the outermost type to the type itself, such as <c>partial class Outer&lt;T&gt;</c>.</param>
/// <param name="Name">The type's name without type parameters.</param>
/// <param name="DisplayName">The whole name for people, such as <c>MyApp.Outer&lt;T&gt;.Mlp</c>.</param>
/// <param name="HintName">The generated file's name, unique in the program.</param>
internal sealed record TypeShell(
    string Namespace,
    EquatableArray<string> Declarations,
    string Name,
    string DisplayName,
    string HintName);
