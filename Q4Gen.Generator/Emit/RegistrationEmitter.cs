using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Emit.Gpu;
using Q4Gen.Generator.Model;
using static Q4Gen.Generator.Emit.GeneratedText;

namespace Q4Gen.Generator.Emit;

/// <summary>Prints what makes a program's kernels known to the runtime.</summary>
internal static class RegistrationEmitter
{
    /// <summary>One file that registers the kernels of all shapes, on the processor and on GPUs; none where there are no shapes.</summary>
    public static EquatableArray<SourceFile> Emit(EquatableArray<LayerShape> shapes, EquatableArray<LayerShape> gpuShapes)
    {
        if (shapes.Count == 0)
        {
            return EquatableArray<SourceFile>.Empty;
        }

        var writer = new SourceWriter();
        Header(
            writer,
            "Makes the kernels of this assembly known when it is first used, so that a layer of the same shape that is",
            "loaded without an attribute runs on them, too.");
        writer.Line($"namespace {KernelFile.Namespace};");
        writer.Line();
        writer.Line(GeneratedCode);
        using (writer.Block("internal static class Registration"))
        {
            writer.Line("[global::System.Runtime.CompilerServices.ModuleInitializer]");
            using (writer.Block("internal static void Register()"))
            {
                foreach (LayerShape shape in shapes)
                {
                    writer.Line($"global::Q4Gen.Kernels.KernelRegistry.Register({Kernels(shape)});");
                }

                foreach (LayerShape shape in gpuShapes)
                {
                    writer.Line(SourceWriter.Text($"global::Q4Gen.Gpu.Kernels.GpuKernelRegistry.Register(new global::Q4Gen.Linear4BitShape({shape.In}, {shape.Out}, {shape.Group}), static () => global::{KernelFile.Namespace}.{GpuEmitter.FamilyName(shape)}.Instance);"));
                }
            }
        }

        return new([new SourceFile("Q4Gen.Registration.g.cs", writer.ToString())]);
    }
}
