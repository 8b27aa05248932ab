using System.Collections.Generic;
using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator.Parsing.Outline;

/// <summary>A 64-bit hash of what declarations say. White space and comments do not count.</summary>
internal struct Fingerprint
{
    // FNV-1a's, for 64 bits.
    private const ulong Seed = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    private ulong _hash;
    private bool _isStarted;

    public readonly ulong Value => _isStarted ? _hash : 0;

    /// <summary>
    /// The sum of several, whose order does not count: the compiler's order of files is no property of a program. Each
    /// is spread first, for FNV's low bits depend on low bits alone.
    /// </summary>
    public static ulong Sum(IEnumerable<ulong> values)
    {
        ulong sum = 0;
        foreach (ulong value in values)
        {
            ulong spread = unchecked((value ^ (value >> 32)) * 0x9E3779B97F4A7C15);
            sum = unchecked(sum + (spread ^ (spread >> 29)));
        }

        return sum;
    }

    public void Add(ulong value)
    {
        _hash = unchecked(((_isStarted ? _hash : Seed) ^ value) * Prime);
        _isStarted = true;
    }

    public void Add(string text)
    {
        foreach (char c in text)
        {
            Add(c);
        }

        Add((ulong)text.Length);
    }

    public void Add(SyntaxToken token)
    {
        Add((ulong)token.RawKind << 1 | (token.IsMissing ? 1u : 0u));
        Add(token.Text);
    }
}
