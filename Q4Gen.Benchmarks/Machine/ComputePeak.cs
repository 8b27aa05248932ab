using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Q4Gen.Benchmarks.Machine;

/// <summary>
/// What this machine's processors can compute at most: chains of one instruction that touch no memory, enough of them
/// side by side that latency hides, on the widest vectors there are.
/// </summary>
internal sealed class ComputePeak
{
    /// <summary>Two pipes × five cycles need ten; with the two operands these fill 14 of the 16 registers of AVX2.</summary>
    private const int Chains = 12;

    /// <summary>Some two milliseconds at two instructions a cycle: long beside handing over to the threads.</summary>
    private const int Iterations = 1_000_000;

    private readonly Action<int> _run;
    private readonly double _operationsPerStep;
    private int _sink;

    private ComputePeak(string instruction, double operationsPerStep, Func<int> chains)
    {
        Instruction = instruction;
        _operationsPerStep = operationsPerStep;
        _run = _ => _sink = chains();
    }

    /// <summary>What was measured, such as <c>FMA, 512 bits</c>.</summary>
    public string Instruction { get; }

    /// <summary>Float32 multiply-adds.</summary>
    public static ComputePeak Float { get; } =
        Avx512F.IsSupported ? new("FMA, 512 bits", 32, static () => Run<Vector512<float>, Fma512>())
        : Fma.IsSupported ? new("FMA, 256 bits", 16, static () => Run<Vector256<float>, Fma256>())
        : new("FMA, 128 bits", 8, static () => Run<Vector128<float>, Fma128>());

    /// <summary>Sums of products of 8-bit integers.</summary>
    public static ComputePeak Int8 { get; } =
        AvxVnni.IsSupported ? new("vpdpbusd, 256 bits", 64, static () => Run<Vector256<int>, Vnni256>())
        : Avx512BW.IsSupported ? new("vpmaddubsw + vpaddw, 512 bits", 128, static () => Run<Vector512<short>, MultiplyAdd512>())
        : Avx2.IsSupported ? new("vpmaddubsw + vpaddw, 256 bits", 64, static () => Run<Vector256<short>, MultiplyAdd256>())
        : Dp.IsSupported ? new("sdot, 128 bits", 32, static () => Run<Vector128<int>, Dot128>())
        : new("multiply + add of 16-bit integers, 128 bits", 16, static () => Run<Vector128<short>, Multiply128>());

    /// <summary>Operations a second of all threads together; a multiply-add counts as two.</summary>
    public double Measure(ProbeTeam team) => team.Threads * _operationsPerStep * Chains * Iterations / team.Time(_run);

    /// <summary>Optimised from the first call: a loop that is replaced while it runs keeps its vectors in memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static int Run<T, TStep>()
        where T : struct
        where TStep : IStep<T>
    {
        // A sum decays towards a fixed point, neither growing without bound nor becoming denormal.
        T a = TStep.Operand(0.5f, 1), b = TStep.Operand(0.25f, 2);
        T s0 = TStep.Operand(0.01f, 3), s1 = TStep.Operand(0.02f, 4), s2 = TStep.Operand(0.03f, 5), s3 = TStep.Operand(0.04f, 6);
        T s4 = TStep.Operand(0.05f, 7), s5 = TStep.Operand(0.06f, 8), s6 = TStep.Operand(0.07f, 9), s7 = TStep.Operand(0.08f, 10);
        T s8 = TStep.Operand(0.09f, 11), s9 = TStep.Operand(0.1f, 12), s10 = TStep.Operand(0.11f, 13), s11 = TStep.Operand(0.12f, 14);
        for (int i = 0; i < Iterations; i++)
        {
            s0 = TStep.Step(s0, a, b);
            s1 = TStep.Step(s1, a, b);
            s2 = TStep.Step(s2, a, b);
            s3 = TStep.Step(s3, a, b);
            s4 = TStep.Step(s4, a, b);
            s5 = TStep.Step(s5, a, b);
            s6 = TStep.Step(s6, a, b);
            s7 = TStep.Step(s7, a, b);
            s8 = TStep.Step(s8, a, b);
            s9 = TStep.Step(s9, a, b);
            s10 = TStep.Step(s10, a, b);
            s11 = TStep.Step(s11, a, b);
        }

        // Down to one integer without a call: vectors that live across one get a home in memory, in the loop, too.
        T total = TStep.Step(TStep.Step(s0, s1, s2), TStep.Step(s3, s4, s5), TStep.Step(TStep.Step(s6, s7, s8), TStep.Step(s9, s10, s11), a));
        return Unsafe.As<T, int>(ref total);
    }

    private interface IStep<T>
    {
        static abstract T Operand(float single, byte integer);

        static abstract T Step(T sum, T a, T b);
    }

    private readonly struct Fma512 : IStep<Vector512<float>>
    {
        public static Vector512<float> Operand(float single, byte integer) => Vector512.Create(single);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<float> Step(Vector512<float> sum, Vector512<float> a, Vector512<float> b) => Avx512F.FusedMultiplyAdd(sum, a, b);
    }

    private readonly struct Fma256 : IStep<Vector256<float>>
    {
        public static Vector256<float> Operand(float single, byte integer) => Vector256.Create(single);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Step(Vector256<float> sum, Vector256<float> a, Vector256<float> b) => Fma.MultiplyAdd(sum, a, b);
    }

    private readonly struct Fma128 : IStep<Vector128<float>>
    {
        public static Vector128<float> Operand(float single, byte integer) => Vector128.Create(single);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<float> Step(Vector128<float> sum, Vector128<float> a, Vector128<float> b) => Vector128.MultiplyAddEstimate(sum, a, b);
    }

    private readonly struct Vnni256 : IStep<Vector256<int>>
    {
        public static Vector256<int> Operand(float single, byte integer) => Vector256.Create(integer).AsInt32();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<int> Step(Vector256<int> sum, Vector256<int> a, Vector256<int> b) =>
            AvxVnni.MultiplyWideningAndAdd(sum, a.AsByte(), b.AsSByte());
    }

    // One factor is the sum itself, or the product would be computed once, before the loop.
    private readonly struct MultiplyAdd512 : IStep<Vector512<short>>
    {
        public static Vector512<short> Operand(float single, byte integer) => Vector512.Create(integer).AsInt16();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector512<short> Step(Vector512<short> sum, Vector512<short> a, Vector512<short> b) =>
            Avx512BW.Add(a, Avx512BW.MultiplyAddAdjacent(sum.AsByte(), b.AsSByte()));
    }

    private readonly struct MultiplyAdd256 : IStep<Vector256<short>>
    {
        public static Vector256<short> Operand(float single, byte integer) => Vector256.Create(integer).AsInt16();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<short> Step(Vector256<short> sum, Vector256<short> a, Vector256<short> b) =>
            Avx2.Add(a, Avx2.MultiplyAddAdjacent(sum.AsByte(), b.AsSByte()));
    }

    private readonly struct Dot128 : IStep<Vector128<int>>
    {
        public static Vector128<int> Operand(float single, byte integer) => Vector128.Create(integer).AsInt32();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<int> Step(Vector128<int> sum, Vector128<int> a, Vector128<int> b) =>
            Dp.DotProduct(sum, a.AsSByte(), b.AsSByte());
    }

    private readonly struct Multiply128 : IStep<Vector128<short>>
    {
        public static Vector128<short> Operand(float single, byte integer) => Vector128.Create(integer).AsInt16();

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<short> Step(Vector128<short> sum, Vector128<short> a, Vector128<short> b) => a + sum * b;
    }
}
