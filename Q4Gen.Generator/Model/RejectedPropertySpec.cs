namespace Q4Gen.Generator.Model;

/// <summary>
/// An annotated property that no layer can be made for. It gets a body all the same: the compiler reports a partial
/// property without one before it asks any analyzer, and so would hide what is wrong with it.
/// </summary>
/// <param name="Name">The property's name.</param>
/// <param name="Declaration">Its declaration as the implementation repeats it, without accessors.</param>
/// <param name="IsDocumented">Whether the user's declaration has an XML comment.</param>
/// <param name="Getter">The get accessor's keywords.</param>
/// <param name="Setter">The set or init accessor's keywords; empty without one.</param>
internal sealed record RejectedPropertySpec(string Name, string Declaration, bool IsDocumented, string Getter, string Setter);
