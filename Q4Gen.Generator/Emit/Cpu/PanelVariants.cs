using System.Collections.Generic;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>A kernel that takes several panels at a time has a second variant for the last ones, where these are fewer.</summary>
internal static class PanelVariants
{
    /// <summary>How many panels at a time the variants of a kernel take: the planned number, and one for what is left at the end.</summary>
    public static IEnumerable<int> Counts(KernelPlan plan, int panels)
    {
        yield return panels;
        if (plan.Panels % panels != 0)
        {
            yield return 1;
        }
    }

    /// <summary>A kernel's role with a mark where it is the variant for what is left at the end.</summary>
    public static string Role(string role, int panels, int fullPanels) => panels == fullPanels ? role : role + "Tail";

    /// <summary>The role of a kernel for few rows, as its name carries it.</summary>
    public static string RowsRole(int rows) => rows == 1 ? "Gemv" : $"Rows{rows}";
}
