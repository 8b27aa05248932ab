using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Scaffold;

/// <summary>C# names.</summary>
internal static class Identifiers
{
    /// <summary>The compiler takes 512 characters, and nobody reads so many.</summary>
    public const int MaxLength = 80;

    /// <summary>Types that written code refers to by their short names.</summary>
    public static IReadOnlyList<string> UsedTypes { get; } =
    [
        nameof(Linear4Bit), nameof(Linear4BitAttribute), nameof(Linear4BitModelAttribute), "Linear4BitModel",
        nameof(WeightNameAttribute), "WeightName", nameof(ModelLoad), nameof(IWeightSource), nameof(Q4Gen),
    ];

    /// <summary>Members that every class has, or that the generator adds.</summary>
    public static IReadOnlyList<string> TakenMembers { get; } =
    [
        "Load", "LoadFrom", "LoadDirect", "OnLoad", "Clone", "Equals", "ReferenceEquals", "GetHashCode", "GetType", "ToString", "MemberwiseClone", "Finalize",
        nameof(Linear4Bit),
    ];

    /// <summary>Words joined, each with a capital: <c>q_proj</c> → <c>QProj</c>. Empty where there is nothing that C# takes.</summary>
    public static string Pascal(string text)
    {
        var name = new StringBuilder(text.Length);
        bool atStart = true;
        foreach (char c in text)
        {
            // Marks and signs that C# would take as well are left out: they cannot be told apart on a screen.
            if (!char.IsLetterOrDigit(c) || !SyntaxFacts.IsIdentifierPartCharacter(c))
            {
                atStart = true;
                continue;
            }

            // Digits that meet would read as another number: 1.5 is no 15.
            if (atStart && name.Length > 0 && char.IsDigit(c) && char.IsDigit(name[^1]))
            {
                name.Append('_');
            }

            name.Append(atStart ? char.ToUpperInvariant(c) : c);
            atStart = false;
            if (name.Length >= MaxLength)
            {
                break;
            }
        }

        return name.ToString();
    }

    /// <summary>A name that C# takes: what begins with no letter gets a word before it.</summary>
    public static string StartWithLetter(string name, string word) =>
        name.Length > 0 && SyntaxFacts.IsIdentifierStartCharacter(name[0]) ? name : word + name;

    /// <summary>The name, or the first of name2, name3, … that is free, which it takes.</summary>
    public static string Take(string name, HashSet<string> taken)
    {
        string candidate = name;
        for (int number = 2; !taken.Add(candidate); number++)
        {
            string separator = char.IsDigit(name[^1]) ? "_" : "";
            candidate = string.Create(CultureInfo.InvariantCulture, $"{name}{separator}{number}");
        }

        return candidate;
    }

    /// <summary>A name as source has it: keywords with an @.</summary>
    public static string ToSource(string name) =>
        SyntaxFacts.GetKeywordKind(name) != SyntaxKind.None || SyntaxFacts.GetContextualKeywordKind(name) != SyntaxKind.None ? "@" + name : name;

    /// <summary>Checks the name of a namespace that somebody chose.</summary>
    /// <exception cref="UsageException">It is none, or hides a type that the classes use.</exception>
    public static string CheckNamespace(string name)
    {
        string[] parts = name.Split('.');
        foreach (string part in parts)
        {
            if (!SyntaxFacts.IsValidIdentifier(part))
            {
                throw new UsageException($"--namespace '{name}' is no C# namespace; write names joined by dots, such as 'MyApp.Models'.");
            }

            if (part != nameof(Q4Gen) && UsedTypes.Contains(part))
            {
                throw new UsageException($"--namespace '{name}' would hide the type Q4Gen.{part}, which the classes use; choose one without '{part}'.");
            }
        }

        return string.Join('.', parts.Select(ToSource));
    }

    /// <summary>Checks the name of a class that somebody chose.</summary>
    /// <exception cref="UsageException">It is none, or that of a type that the classes use.</exception>
    public static string CheckClass(string name)
    {
        if (!SyntaxFacts.IsValidIdentifier(name))
        {
            throw new UsageException($"--class '{name}' is no C# class name; write one such as 'LlamaModel'.");
        }

        return UsedTypes.Contains(name) || TakenMembers.Contains(name)
            ? throw new UsageException($"--class '{name}' is a name that the classes use themselves; choose another, such as 'LlamaModel'.")
            : name;
    }
}
