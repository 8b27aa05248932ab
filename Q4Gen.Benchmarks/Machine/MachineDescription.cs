using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Q4Gen.Benchmarks.Machine;

/// <summary>What measurements were taken on.</summary>
/// <param name="Processor">The processor's own name for itself, or its architecture.</param>
/// <param name="Processors">Logical processors that this process may use.</param>
/// <param name="InstructionSets">Those of the kernels that this process may use.</param>
/// <param name="OperatingSystem">The operating system.</param>
/// <param name="Runtime">The .NET runtime.</param>
/// <param name="FloatPeak">The instruction whose peak limits float engines.</param>
/// <param name="Int8Peak">The instruction whose peak limits int8 engines.</param>
internal sealed record MachineDescription(
    string Processor, int Processors, IReadOnlyList<string> InstructionSets, string OperatingSystem, string Runtime, string FloatPeak, string Int8Peak)
{
    private const int BrandLeaf = unchecked((int)0x80000002);

    /// <summary>The machine and process we run in.</summary>
    public static MachineDescription Current() => new(
        ProcessorName(),
        Environment.ProcessorCount,
        [.. Sets().Where(static set => set.IsSupported).Select(static set => set.Name)],
        RuntimeInformation.OSDescription,
        RuntimeInformation.FrameworkDescription,
        ComputePeak.Float.Instruction,
        ComputePeak.Int8.Instruction);

    private static IEnumerable<(string Name, bool IsSupported)> Sets() =>
    [
        ("AVX2", Avx2.IsSupported),
        ("FMA", Fma.IsSupported),
        ("AVX-512", Avx512BW.IsSupported),
        ("AVX-VNNI", AvxVnni.IsSupported),
        ("AdvSimd", AdvSimd.IsSupported),
        ("Dp", Dp.IsSupported),
    ];

    private static string ProcessorName()
    {
        if (!X86Base.IsSupported || X86Base.CpuId(unchecked((int)0x80000000), 0).Eax < BrandLeaf + 2)
        {
            return RuntimeInformation.ProcessArchitecture.ToString();
        }

        var bytes = new List<byte>();
        for (int leaf = BrandLeaf; leaf <= BrandLeaf + 2; leaf++)
        {
            (int eax, int ebx, int ecx, int edx) = X86Base.CpuId(leaf, 0);
            bytes.AddRange(MemoryMarshal.AsBytes<int>([eax, ebx, ecx, edx]));
        }

        return Encoding.ASCII.GetString([.. bytes]).TrimEnd('\0').Trim();
    }
}
