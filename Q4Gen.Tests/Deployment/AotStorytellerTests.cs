using System.Runtime.InteropServices;
using Q4Gen.Gpu;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Packaging;
using Storyteller.Commands;

namespace Q4Gen.Tests.Deployment;

/// <summary>The Storyteller as one native executable.</summary>
[Collection(nameof(NativeCollection))]
[Trait(Emulated.Trait, Emulated.Never)] // It takes minutes there.
public class AotStorytellerTests
{
    [Fact]
    public async Task IsOneExecutableThatTellsTheStoryOfTheJit()
    {
        NativeTools.SkipUnlessThere();
        string output = Directory.CreateTempSubdirectory("q4gen-storyteller-").FullName;
        try
        {
            string project = Path.Combine(PackagesFixture.Root, "examples", "AotStoryteller");
            CommandResult publish = await DotnetCommand.RunAsync(
                PackagesFixture.Root,
                ["publish", project, "-c", "Release", "-r", NativeTools.Rid, "-o", output, "-nodeReuse:false"],
                environment: null,
                TestContext.Current.CancellationToken);
            publish.EnsureSucceeded();
            Assert.Empty(publish.Problems);
            Assert.Equal(
                ["AotStoryteller", "AotStoryteller.dbg"],
                Directory.EnumerateFileSystemEntries(output).Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal));

            var native = new NativeExecutable(Path.Combine(output, "AotStoryteller"), publish.Output);
            string[] arguments = ["--prompt", "One day, a cat", "--tokens", "150", "--seed", "5"];
            string told = Story(await native.RunAsync(arguments));
            Assert.StartsWith("One day, a cat", told, StringComparison.Ordinal);
            Assert.Equal(await UnderTheJitAsync(arguments), told);
            await AWrongOptionGetsOneSentenceAsync(native);
            await ItsGpuKernelsArePtxAsync(native);
        }
        finally
        {
            Directory.Delete(output, recursive: true);
        }
    }

    /// <summary>Without AVX-512, which the executable is not compiled for.</summary>
    private static async Task<string> UnderTheJitAsync(string[] arguments) =>
        Story(await DotnetCommand.RunAsync(
            AppContext.BaseDirectory,
            ["exec", typeof(StoryCommand).Assembly.Location, .. arguments],
            new Dictionary<string, string> { ["DOTNET_EnableAVX512"] = "0" },
            TestContext.Current.CancellationToken));

    private static async Task AWrongOptionGetsOneSentenceAsync(NativeExecutable native)
    {
        CommandResult result = await native.RunAsync("--temperature", "warm");
        Assert.Equal(2, result.ExitCode);
        Assert.Equal("--temperature is 'warm'; it must be a number from 0. See --help.", result.Output.Trim());
    }

    /// <summary>Kernels for GPUs are in it as PTX, and nothing of ILGPU; without a driver it says so in one sentence.</summary>
    private static async Task ItsGpuKernelsArePtxAsync(NativeExecutable native)
    {
        Assert.DoesNotContain("ILGPU", await native.AssembliesAsync(), StringComparison.Ordinal);
        string text = System.Text.Encoding.Latin1.GetString(await File.ReadAllBytesAsync(native.Path, TestContext.Current.CancellationToken));
        Assert.Contains(".visible .entry Decode_128x384_g32_mma(", text, StringComparison.Ordinal);
        if (!NativeLibrary.TryLoad(CudaDriver.Library, out _))
        {
            CommandResult none = await native.RunAsync("--gpu");
            Assert.Equal(2, none.ExitCode);
            Assert.StartsWith($"There is no CUDA device: the driver's library '{CudaDriver.Library}' was not found.", none.Output, StringComparison.Ordinal);
        }
    }

    private static string Story(CommandResult result)
    {
        string output = result.EnsureSucceeded().Output;
        return output[..output.LastIndexOf("\n\n", StringComparison.Ordinal)];
    }
}
