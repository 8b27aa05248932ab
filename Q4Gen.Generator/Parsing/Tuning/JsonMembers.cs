using System;
using System.Collections.Generic;
using System.Linq;
using Q4Gen.Generator.Diagnostics;

namespace Q4Gen.Generator.Parsing.Tuning;

/// <summary>The members of an object, asked for by name and type; what nobody asked for is an error at the end.</summary>
internal sealed class JsonMembers
{
    private readonly JsonObject _object;
    private readonly string _what;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    /// <summary>The members of a value, which must be an object.</summary>
    /// <param name="value">The value.</param>
    /// <param name="what">What it is, for errors: <c>an entry</c>.</param>
    /// <exception cref="TuningException">It is something else.</exception>
    public JsonMembers(JsonValue value, string what)
    {
        _object = value as JsonObject ?? throw Malformed(value.Position, $"{what} must be an object in braces");
        _what = what;
    }

    /// <summary>A text.</summary>
    public string Text(string name) => Get<JsonString>(name, "a text in quotes").Value;

    /// <summary>A whole number.</summary>
    public int Number(string name) => Get<JsonNumber>(name, "a whole number").Value;

    /// <summary>The items of an array.</summary>
    public IReadOnlyList<JsonValue> Array(string name) => Get<JsonArray>(name, "an array in brackets").Items;

    /// <summary>A text that only people read, and that may be missing.</summary>
    public void Skip(string name)
    {
        if (_object.Members.ContainsKey(name))
        {
            Text(name);
        }
    }

    /// <summary>Where a member's value begins.</summary>
    public int PositionOf(string name) => _object.Members[name].Position;

    /// <summary>Refuses members that nobody asked for: a misspelt one must not count as not written.</summary>
    public void EnsureAllRead()
    {
        if (_object.Members.FirstOrDefault(member => !_read.Contains(member.Key)) is { Value: not null } unknown)
        {
            throw Malformed(unknown.Value.Position, $"{_what} has no '{unknown.Key}'; it has {string.Join(", ", _read.OrderBy(static name => name, StringComparer.Ordinal))}");
        }
    }

    private T Get<T>(string name, string expected)
        where T : JsonValue
    {
        _read.Add(name);
        if (!_object.Members.TryGetValue(name, out JsonValue? value))
        {
            throw Malformed(_object.Position, $"{_what} needs '{name}', {expected}");
        }

        return value as T ?? throw Malformed(value.Position, $"'{name}' must be {expected}");
    }

    private static TuningException Malformed(int position, string message) => new(Descriptors.MalformedTuning, position, message);
}
