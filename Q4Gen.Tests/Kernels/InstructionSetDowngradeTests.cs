namespace Q4Gen.Tests.Kernels;

/// <summary>Kernel tests again on lesser processors, which switches of the runtime make of this one.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The switches are for x86; a second emulated processor is the lesser one there.
public class InstructionSetDowngradeTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", KernelIsa.Avx2)]
    [InlineData("DOTNET_EnableAVX2", KernelIsa.Vector128)]
    [InlineData("DOTNET_EnableHWIntrinsic", KernelIsa.Scalar)]
    public async Task KernelsPassOnALesserProcessor(string switchedOff, KernelIsa expected)
    {
        Assert.SkipUnless(
            KernelSelectionTests.IsAvailable(expected),
            $"This processor has no {expected}, with {switchedOff} or without.");
        ChildResult child = await ChildProcess.RunAsync(
            new Dictionary<string, string>
            {
                [switchedOff] = "0",
                [KernelSelectionTests.ExpectedVariable] = expected.ToString(),
            },
            [
                "-class", typeof(KernelSelectionTests).FullName!,
                "-class", typeof(GeneratedKernelTests).FullName!,
                "-class", typeof(GenericKernelTests).FullName!,
                "-class", typeof(Int8KernelTests).FullName!,
            ],
            TestContext.Current.CancellationToken);
        Assert.True(child.ExitCode == 0 && child.Passed > 2 * Layers.Shapes.Count, child.Output);
    }
}
