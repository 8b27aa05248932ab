extern alias runtime;

using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Q4Gen.Generator.Emit;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;
using KernelName = runtime::Q4Gen.Format.KernelName;
using PanelLayout = runtime::Q4Gen.Format.PanelLayout;

namespace Q4Gen.Testing;

/// <summary>What was chosen for each shape, in a few lines that a reviewer reads first.</summary>
internal static partial class KernelSummary
{
    /// <summary>The summary of generated kernels, given by hint name.</summary>
    public static string Describe(IReadOnlyList<KeyValuePair<string, string>> files)
    {
        var text = new StringBuilder();
        Line($"layout {PanelLayout.Id}, Q4Gen {GeneratorVersion.Text}");
        foreach (KernelName family in files.Select(static file => Parse(file.Key)).OfType<KernelName>().Where(static name => name.Isa.Length == 0))
        {
            bool isInt8 = family.Precision == KernelName.Int8;
            KernelPlan plan = KernelPlanner.Plan(new LayerShape(
                family.In, family.Out, family.Group, isInt8 ? LayerPrecision.Int8Activations : LayerPrecision.Exact));
            Line($"");
            Line($"{family}: {GeneratedText.Describe(plan.Shape, hasBias: false, isAffine: false)}{(isInt8 ? "" : ", exact")}; sums of {plan.BlockSteps * PanelLayout.StepColumns} columns");
            foreach (IsaPlan isa in plan.Isas.Where(isa => files.Any(file => file.Key == $"{family with { Isa = IsaNames.NameOf(isa.Isa) }}.g.cs")))
            {
                string name = IsaNames.NameOf(isa.Isa);
                Line($"  {name}: {Rows(isa)}{Tile(isa.Tile)}; prefetch {isa.PrefetchBytes} B; packed from {isa.MinPackedRows} rows");
                Line($"    {Kernels(family with { Isa = name })}");
                foreach (KernelName tuned in files.Select(static file => Parse(file.Key)).OfType<KernelName>()
                    .Where(tuned => tuned.Variant.Length > 0 && tuned with { Variant = "" } == family with { Isa = name }))
                {
                    Line($"  {name}, tuned for {tuned.Variant}:");
                    Line($"    {Kernels(tuned)}");
                }
            }

            Line($"  scalar:");
            Line($"    {Kernels(family with { Isa = "scalar" })}");
            if (!isInt8 && files.Any(file => file.Key == $"{family with { Isa = "gpu" }}.g.cs"))
            {
                Line($"  gpu:");
                Line($"    {string.Join(", ", files.Where(file => Parse(file.Key) is { Isa: "simt" or "mma" } gpu && IsOf(gpu, family)).SelectMany(static file => Methods(file.Value)))}");
            }
        }

        return text.ToString();

        // A kernel whose methods have plain names is named by its class.
        string Kernels(KernelName name) => string.Join(
            ", ", files.Where(file => file.Key == $"{name}.g.cs").SelectMany(static file => Methods(file.Value)).DefaultIfEmpty(name.ToString()));

        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    private static string Rows(IsaPlan isa) => "rows " + string.Join(", ", isa.Rows.Select(static rows => string.Create(
        CultureInfo.InvariantCulture,
        $"{rows.Rows} x {rows.Panels} panels ({rows.Accumulators} accumulators{(rows.IsFixedPoint ? ", fixed point" : "")})")));

    private static string Tile(TilePlan? tile) => tile is null ? "" : string.Create(
        CultureInfo.InvariantCulture, $"; tile {tile.Rows} rows (tails of {tile.TailRows}) x {tile.Panels} panels, {tile.ExpandSteps} steps expanded");

    /// <summary>The name that a file carries.</summary>
    private static KernelName? Parse(string hintName) => KernelName.TryParse(hintName[..^".g.cs".Length], out KernelName? name) ? name : null;

    private static bool IsOf(KernelName kernel, KernelName family) => kernel with { Isa = "", Variant = "" } == family;

    private static IEnumerable<string> Methods(string text) => KernelMethod().Matches(text).Select(static match => match.Groups[1].Value);

    [GeneratedRegex(@" static void (\w+_\d+x\d+_g\d+\w*)")]
    private static partial Regex KernelMethod();
}
