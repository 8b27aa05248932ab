using System;
using System.Collections.Generic;
using System.Linq;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the CPU kernels of one plan: a family file, and one file an instruction set.</summary>
internal static class CpuEmitter
{
    /// <summary>All files of a plan.</summary>
    public static EquatableArray<SourceFile> Emit(KernelPlan plan)
    {
        bool isInt8 = plan.Shape.Precision == LayerPrecision.Int8Activations;
        var files = new List<SourceFile>
        {
            FamilyEmitter.Emit(plan),
            isInt8 ? Int8ScalarEmitter.Emit(plan) : ExactScalarEmitter.Emit(plan),
        };
        files.AddRange(plan.Isas.Select(isa => Emit(plan, isa)));
        files.AddRange(plan.TunedKernels.Select(tuned => Emit(plan with { TunedFor = tuned }, tuned.Plan)));
        return files.ToEquatableArray();
    }

    /// <summary>The file of one instruction set.</summary>
    public static SourceFile Emit(KernelPlan plan, IsaPlan isa) => plan.Shape.Precision == LayerPrecision.Int8Activations
        ? Int8KernelEmitter.Emit(plan, isa, Int8IsaOf(isa.Isa))
        : ExactKernelEmitter.Emit(plan, isa, FloatIsaOf(isa.Isa));

    /// <summary>How the kernels of a plan speak an instruction set.</summary>
    public static VectorIsa VectorIsaOf(KernelPlan plan, Isa isa) =>
        plan.Shape.Precision == LayerPrecision.Int8Activations ? Int8IsaOf(isa) : FloatIsaOf(isa);

    private static FloatIsa FloatIsaOf(Isa isa) => isa switch
    {
        Isa.Avx512 => new Avx512Isa(),
        Isa.Avx2 => new Avx2Isa(),
        Isa.Vector128 => new Vector128Isa(),
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, "No exact kernels are written for it."),
    };

    private static Int8Isa Int8IsaOf(Isa isa) => isa switch
    {
        Isa.AvxVnni => new AvxVnniInt8Isa(),
        Isa.Dp => new DpInt8Isa(),
        Isa.Avx512 => new Avx512Int8Isa(),
        Isa.Avx2 => new Avx2Int8Isa(),
        Isa.Vector128 => new Vector128Int8Isa(),
        _ => throw new ArgumentOutOfRangeException(nameof(isa), isa, "No kernels with 8-bit activations are written for it."),
    };
}
