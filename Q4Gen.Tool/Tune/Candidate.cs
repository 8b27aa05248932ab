using System.Reflection;
using Microsoft.CodeAnalysis.CSharp;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;
using Q4Gen.Kernels;
using Q4Gen.Tool.Bench;

namespace Q4Gen.Tool.Tune;

/// <summary>A variant that is measured, as a kernel that runs.</summary>
/// <param name="Id">What the tuning file calls it.</param>
/// <param name="Kernel">The kernel.</param>
internal sealed record Candidate(string Id, Linear4BitKernel Kernel);

/// <summary>Generates and compiles the kernels of variants, by the very code that a build runs.</summary>
internal static class Candidates
{
    /// <summary>The variant that stands for what the planner chooses by itself, and then those that differ from it and from each other.</summary>
    /// <param name="shape">The layer.</param>
    /// <param name="isa">The instruction set.</param>
    /// <param name="variants">Variants of some rows.</param>
    /// <param name="chosen">What was chosen for other rows already; in every candidate, the default too.</param>
    /// <param name="ct">Stops the compiler.</param>
    public static Candidate[] Compile(LayerShape shape, Isa isa, IEnumerable<Variant> variants, IReadOnlyList<Variant> chosen, CancellationToken ct)
    {
        KernelPlan plan = KernelPlanner.Plan(shape);
        var planned = new List<(string Id, IsaPlan Plan)> { (TuningEntry.Default, KernelPlanner.Vary(shape, isa, plan.Panels, chosen)) };
        foreach (Variant variant in variants)
        {
            IsaPlan varied = KernelPlanner.Vary(shape, isa, plan.Panels, [.. chosen, variant]);
            if (planned.All(known => known.Plan != varied))
            {
                planned.Add((variant.Id, varied));
            }
        }

        SourceFile[] files = [.. planned.Select((item, i) => Emit(plan, item.Plan, i))];
        Assembly assembly = KernelCompiler.Load(files.Select(file => CSharpSyntaxTree.ParseText(file.Text, KernelCompiler.ParseOptions, cancellationToken: ct)), ct);
        return [.. planned.Zip(files, (item, file) => new Candidate(item.Id, Create(assembly, file)))];
    }

    /// <summary>Whether this processor runs kernels of an instruction set.</summary>
    public static bool IsSupported(LayerPrecision precision, Isa isa) => isa switch
    {
        Isa.AvxVnni => System.Runtime.Intrinsics.X86.AvxVnni.IsSupported,
        Isa.Dp => System.Runtime.Intrinsics.Arm.Dp.IsSupported,
        Isa.Avx512 => precision == LayerPrecision.Int8Activations ? System.Runtime.Intrinsics.X86.Avx512BW.IsSupported : System.Runtime.Intrinsics.X86.Avx512F.IsSupported,
        Isa.Avx2 => System.Runtime.Intrinsics.X86.Avx2.IsSupported && System.Runtime.Intrinsics.X86.Fma.IsSupported,
        _ => precision == LayerPrecision.Int8Activations ? DotProducts.IsSupported : System.Runtime.Intrinsics.Vector128.IsHardwareAccelerated,
    };

    private static SourceFile Emit(KernelPlan plan, IsaPlan varied, int index)
    {
        // A name of its own for each is all that the machine is for.
        var machine = new TuningMachine(FormattableString.Invariant($"candidate{index}"), "", 0, 0, 1, "");
        return CpuEmitter.Emit(plan with { TunedFor = new TunedPlan(machine, varied, EquatableArray<TuningEntry>.Empty) }, varied);
    }

    private static Linear4BitKernel Create(Assembly assembly, SourceFile file) =>
        (Linear4BitKernel)Activator.CreateInstance(assembly.GetType($"{KernelFile.Namespace}.{file.HintName[..^".g.cs".Length]}", throwOnError: true)!)!;
}
