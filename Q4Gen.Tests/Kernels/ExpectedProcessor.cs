using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using Q4Gen.Tests.Kernels;

[assembly: AssemblyFixture(typeof(ExpectedProcessor))]

namespace Q4Gen.Tests.Kernels;

/// <summary>
/// Fails every test of a run that was meant for another processor than it got, so that nobody mistakes tests of x86
/// kernels for tests of Arm kernels.
/// </summary>
public sealed class ExpectedProcessor
{
    /// <summary>Set by <c>scripts/test-arm64.sh</c>: the architecture and those of AdvSimd and Dp that it has.</summary>
    private const string Variable = "Q4GEN_TEST_EXPECTED_PROCESSOR";

    public ExpectedProcessor()
    {
        string? expected = Environment.GetEnvironmentVariable(Variable);
        if (!string.IsNullOrEmpty(expected) && expected != Found)
        {
            throw new InvalidOperationException($"{Variable} asks for the processor \"{expected}\", but the tests run on \"{Found}\".");
        }
    }

    private static string Found { get; } =
        RuntimeInformation.ProcessArchitecture + (AdvSimd.IsSupported ? " AdvSimd" : "") + (Dp.IsSupported ? " Dp" : "");
}

/// <summary>
/// Marks tests, each with a reason, that <c>scripts/test-arm64.sh</c> leaves out: <c>[Trait(Emulated.Trait, Emulated.Never)]</c>.
/// </summary>
internal static class Emulated
{
    public const string Trait = nameof(Emulated);

    public const string Never = nameof(Never);
}
