using Q4Gen.Format;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the members that every kernel class has.</summary>
internal static class KernelMembers
{
    /// <summary>The constructor, the name and where the kernel comes from.</summary>
    public static void Write(SourceWriter writer, KernelPlan plan, string name, string isa)
    {
        LayerShape shape = plan.Shape;
        using (writer.Block($"public {name}()\n    : base(new Linear4BitShape({shape.In}, {shape.Out}, {shape.Group}), KernelIsa.{isa})"))
        {
        }

        writer.Line();
        writer.Line($"public override string Name => \"{name}\";");
        writer.Line();
        writer.Line("public override bool IsGenerated => true;");
    }

    /// <summary>The constants of every vector kernel.</summary>
    public static void WriteConstants(SourceWriter writer, KernelPlan plan, int prefetchBytes)
    {
        writer.Line($"private const int In = {plan.Shape.In}, Out = {plan.Shape.Out}, Panels = {plan.Panels}, Steps = {plan.Steps};");
        writer.Line($"private const int WordsPerStep = {PanelLayout.StepWords}, WordsPerPanel = Steps * WordsPerStep, ScalesPerPanel = {plan.Groups * PanelLayout.PanelRows};");
        if (prefetchBytes > 0)
        {
            writer.Line();
            writer.Line("// Cold weights are asked for this far ahead of their use.");
            writer.Line($"private const int PrefetchBytes = {prefetchBytes};");
        }

        if (plan.LastPanelRows != PanelLayout.PanelRows)
        {
            writer.Line();
            writer.Line("// The last panel is partly filled; only these rows of it are stored.");
            writer.Line($"private const int LastPanelRows = {plan.LastPanelRows};");
        }
    }

    /// <summary>A property of the base class.</summary>
    public static void WriteTrait(SourceWriter writer, string name, int value)
    {
        writer.Line();
        writer.Line($"public override int {name} => {value};");
    }
}
