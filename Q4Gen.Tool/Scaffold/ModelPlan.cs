using System.Globalization;
using System.Text;
using Q4Gen.Import;

namespace Q4Gen.Tool.Scaffold;

/// <summary>A class to write.</summary>
/// <param name="suggestion">What to call it if nothing else is called so.</param>
/// <param name="members">What it holds; empty where it is itself a layer.</param>
/// <param name="layer">A layer that it is itself, as elements of arrays are; null where it holds others.</param>
internal sealed class PlannedClass(string suggestion, IReadOnlyList<PlannedMember> members, LinearLayer? layer)
{
    /// <summary>What to call it if nothing else is called so.</summary>
    public string Suggestion => suggestion;

    /// <summary>What it holds, in the order of the file to write.</summary>
    public IReadOnlyList<PlannedMember> Members => members;

    /// <summary>A layer that it is itself; null where it holds others.</summary>
    public LinearLayer? Layer => layer;

    /// <summary>Equal for classes that can be one, whatever is in their names in the file.</summary>
    public string Signature { get; } = Describe(suggestion, members, layer);

    /// <summary>Its number where it is an element that is no part of an array; null where it is not.</summary>
    public string? ElementNumber { get; init; }

    /// <summary>What it got to be called.</summary>
    public string Name { get; set; } = "";

    /// <summary>Names in the file of what it stands for, with <c>*</c> for any index of an array.</summary>
    public List<string> Paths { get; } = [];

    private static string Describe(string suggestion, IReadOnlyList<PlannedMember> members, LinearLayer? layer)
    {
        var text = new StringBuilder(suggestion);
        Append(layer);
        text.Append('{');
        foreach (PlannedMember member in members)
        {
            // Names may hold anything, so each comes with its length.
            text.Append(CultureInfo.InvariantCulture, $"{member.Kind} {member.WeightName.Length} {member.WeightName} ");
            Append(member.Layer);
            text.Append(member.Class?.Signature).Append(';');
        }

        return text.Append('}').ToString();

        void Append(LinearLayer? some)
        {
            if (some is not null)
            {
                text.Append(CultureInfo.InvariantCulture, $" {LayerText.Attribute(some)} ");
            }
        }
    }
}

/// <summary>What a property holds.</summary>
internal enum MemberKind
{
    /// <summary>A layer.</summary>
    Layer,

    /// <summary>A class with layers.</summary>
    Child,

    /// <summary>An array of classes that have layers or are ones.</summary>
    Array,
}

/// <summary>A property to write.</summary>
/// <param name="Kind">What it holds.</param>
/// <param name="WeightName">Its name in the file, relative to its class; may be empty.</param>
/// <param name="Layer">The layer, of a <see cref="MemberKind.Layer"/>.</param>
/// <param name="Class">The class, of others.</param>
/// <param name="Count">How many elements an array has in the file.</param>
internal sealed record PlannedMember(MemberKind Kind, string WeightName, LinearLayer? Layer, PlannedClass? Class, int Count = 0)
{
    /// <summary>The class, or an earlier one that is the same.</summary>
    public PlannedClass? Class { get; set; } = Class;

    /// <summary>What it got to be called.</summary>
    public string Name { get; set; } = "";
}
