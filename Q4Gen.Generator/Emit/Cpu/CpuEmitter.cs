using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Cpu;

/// <summary>Prints the CPU kernels of one plan: a family file, and one file an instruction set.</summary>
internal static class CpuEmitter
{
    public static EquatableArray<SourceFile> Emit(KernelPlan plan) => EquatableArray<SourceFile>.Empty;
}
