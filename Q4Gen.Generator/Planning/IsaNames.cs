using System;
using System.Linq;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>What instruction sets are called in kernel names, tuning files and project files.</summary>
internal static class IsaNames
{
    private static readonly Isa[] s_isas = (Isa[])Enum.GetValues(typeof(Isa));

    /// <summary>The names of all that have vector kernels.</summary>
    public static readonly EquatableArray<string> All = s_isas.Select(NameOf).OrderBy(static name => name, StringComparer.Ordinal).ToEquatableArray();

    /// <summary>The name of each.</summary>
    public static string NameOf(Isa isa) => isa.ToString().ToLowerInvariant();

    /// <summary>The one with a name; null where there is none.</summary>
    public static Isa? Find(string name) => s_isas.Where(isa => NameOf(isa) == name).Select(static isa => (Isa?)isa).FirstOrDefault();
}
