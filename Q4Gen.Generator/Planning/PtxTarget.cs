using System;
using System.Globalization;

namespace Q4Gen.Generator.Planning;

/// <summary>What PTX can be compiled for: the devices that have the instructions of the kernels.</summary>
internal static class PtxTarget
{
    private const string Prefix = "sm_";

    /// <summary>All of them, as <c>sm_80</c> is 80. The runtime knows which version of PTX each needs.</summary>
    public static readonly int[] All = [80, 86, 87, 89, 90, 100, 120];

    /// <summary>The target of a name, or null.</summary>
    public static int? Find(string name)
    {
        int index = Array.FindIndex(All, target => NameOf(target) == name);
        return index < 0 ? null : All[index];
    }

    /// <summary>Its name.</summary>
    public static string NameOf(int target) => Prefix + target.ToString(CultureInfo.InvariantCulture);
}
