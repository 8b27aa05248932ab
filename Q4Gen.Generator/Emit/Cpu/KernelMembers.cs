using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the members that every kernel class has.</summary>
internal static class KernelMembers
{
    public static void Write(SourceWriter writer, KernelPlan plan, string name, string isa)
    {
        LayerShape shape = plan.Shape;
        writer.Line("/// <summary>Creates the kernel.</summary>");
        using (writer.Block($"public {name}()\n    : base(new Linear4BitShape({shape.In}, {shape.Out}, {shape.Group}), KernelIsa.{isa})"))
        {
        }

        writer.Line();
        writer.Line("/// <inheritdoc/>");
        writer.Line($"public override string Name => \"{name}\";");
        writer.Line();
        writer.Line("/// <inheritdoc/>");
        writer.Line("public override bool IsGenerated => true;");
    }
}
