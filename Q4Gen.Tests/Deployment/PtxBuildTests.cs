using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Packaging;

namespace Q4Gen.Tests.Deployment;

/// <summary>What a build says and sets where GPU kernels are compiled to PTX, or should be.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // It runs the SDK.
public class PtxBuildTests
{
    private static readonly string s_project = Path.Combine(PackagesFixture.Root, "examples", "GpuQuickstart", "GpuQuickstart.csproj");

    /// <summary>Before code for a native executable is made, of which this runs what finds references and no more.</summary>
    [Fact]
    public async Task ANativeExecutableWithoutPtxIsAWarning()
    {
        CommandResult without = await BuildAsync();
        Assert.StartsWith(
            $"{s_project} : warning Q4G1003: This project references Q4Gen.Runtime.Ilgpu and is published with NativeAOT", Assert.Single(without.EnsureSucceeded().Problems), StringComparison.Ordinal);
        Assert.Empty((await BuildAsync("-p:Q4GenPtx=sm_80")).EnsureSucceeded().Problems);
    }

    [Theory]
    [InlineData("", "[]")]
    [InlineData("sm_80%3Bsm_90", "Q4Gen.Gpu.UseIlgpu")]
    public async Task TheProgramIsToldWhetherThereIsIlgpu(string targets, string expected)
    {
        CommandResult result = await DotnetCommand.RunAsync(
            PackagesFixture.Root,
            ["msbuild", s_project, $"-p:Q4GenPtx={targets}", "-getItem:RuntimeHostConfigurationOption", "-getProperty:_Q4GenPtx"],
            environment: null,
            TestContext.Current.CancellationToken);
        string output = result.EnsureSucceeded().Output;
        Assert.Equal(expected != "[]", output.Contains("Q4Gen.Gpu.UseIlgpu", StringComparison.Ordinal));
        Assert.Contains($"\"_Q4GenPtx\": \"{targets.Replace("%3B", ",", StringComparison.Ordinal)}\"", output, StringComparison.Ordinal);
    }

    private static Task<CommandResult> BuildAsync(params string[] arguments) => DotnetCommand.RunAsync(
        PackagesFixture.Root,
        ["build", s_project, "-c", "Release", "--no-restore", "-nodeReuse:false", "-t:ResolveReferences;Q4GenCheckPtx", .. arguments],
        environment: null,
        TestContext.Current.CancellationToken);
}
