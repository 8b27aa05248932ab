using System.Collections.Generic;

namespace Q4Gen.Generator.Parsing.Tuning;

/// <summary>A value of a JSON file and where it begins.</summary>
/// <param name="Position">Characters before it.</param>
internal abstract record JsonValue(int Position);

/// <summary>A text.</summary>
internal sealed record JsonString(int Position, string Value) : JsonValue(Position);

/// <summary>A whole number; there are no others in tuning files.</summary>
internal sealed record JsonNumber(int Position, int Value) : JsonValue(Position);

/// <summary>Values in brackets.</summary>
internal sealed record JsonArray(int Position, IReadOnlyList<JsonValue> Items) : JsonValue(Position);

/// <summary>Named values in braces, each name once.</summary>
internal sealed record JsonObject(int Position, IReadOnlyDictionary<string, JsonValue> Members) : JsonValue(Position);
