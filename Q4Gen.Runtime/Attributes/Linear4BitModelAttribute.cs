namespace Q4Gen;

/// <summary>
/// Asks for a generated <c>Load</c> on a partial type that has no layer of its own but members that do, such as the
/// class of a whole transformer that holds an array of blocks. Types with a <see cref="Linear4BitAttribute"/>
/// property get theirs without it.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = false)]
public sealed class Linear4BitModelAttribute : Attribute;
