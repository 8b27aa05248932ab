using System.Collections.Generic;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the CPU kernels of one plan: a family file, and one file an instruction set.</summary>
internal static class CpuEmitter
{
    /// <summary>All files of a plan.</summary>
    public static EquatableArray<SourceFile> Emit(KernelPlan plan)
    {
        var files = new List<SourceFile> { FamilyEmitter.Emit(plan), ScalarKernelEmitter.Emit(plan) };
        foreach (IsaPlan isa in plan.Isas)
        {
            files.Add(VectorKernelEmitter.Emit(plan, isa, VectorIsaOf(isa.Isa)));
        }

        return files.ToEquatableArray();
    }

    /// <summary>How an instruction set is spoken.</summary>
    public static VectorIsa VectorIsaOf(Isa isa) => isa switch
    {
        Isa.Avx512 => new Avx512Isa(),
        Isa.Avx2 => new Avx2Isa(),
        _ => new Vector128Isa(),
    };
}
