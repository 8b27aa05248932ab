using Q4Gen.Tests.Packaging;

namespace Q4Gen.Tests.Deployment;

/// <summary>A small program of layers, compiled ahead of time for one processor after the other, and for the JIT.</summary>
public sealed class NativeProbe : IDisposable
{
    /// <summary>The instruction sets that the SDK takes without Q4Gen.</summary>
    internal const string Base = "base";

    /// <summary>Outside the repository, whose build files it would take for its own.</summary>
    private readonly string _folder = Directory.CreateTempSubdirectory("q4gen-native-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Publishes the program.</summary>
    /// <param name="instructionSet">The property <c>IlcInstructionSet</c>; null to leave it to Q4Gen.</param>
    /// <returns>The executable.</returns>
    internal async Task<NativeExecutable> PublishAsync(string? instructionSet)
    {
        NativeTools.SkipUnlessThere();
        await RestoreAsync();
        string output = Path.Combine(_folder, "out", instructionSet ?? "unset");
        CommandResult result = await RunAsync(
            ["publish", "Probe.csproj", "--no-restore", "-c", "Release", "-r", NativeTools.Rid, "-o", output, "-nodeReuse:false", .. Property(instructionSet)]);
        result.EnsureSucceeded();
        Assert.Empty(result.Problems);
        return new NativeExecutable(Path.Combine(output, "Probe"), result.Output);
    }

    /// <summary>Runs the same assembly under the JIT.</summary>
    /// <param name="switchedOff">A variable of the runtime that switches off what an executable is not compiled for.</param>
    internal async Task<string[]> RunUnderTheJitAsync(string? switchedOff)
    {
        Dictionary<string, string> environment = switchedOff is null ? [] : new() { [switchedOff] = "0" };
        CommandResult result = await RunAsync(["exec", Path.Combine("bin", "Release", "net10.0", NativeTools.Rid, "Probe.dll")], environment);
        return result.EnsureSucceeded().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static string[] Property(string? instructionSet) => instructionSet is null ? [] : [$"-p:IlcInstructionSet={instructionSet}"];

    private Task<CommandResult> RunAsync(string[] arguments, Dictionary<string, string>? environment = null) =>
        DotnetCommand.RunAsync(_folder, arguments, environment, TestContext.Current.CancellationToken);

    private async Task RestoreAsync()
    {
        if (File.Exists(Path.Combine(_folder, "Probe.csproj")))
        {
            return;
        }

        await WriteAsync("Directory.Build.targets", ProbeSources.Targets(PackagesFixture.Root));
        await WriteAsync("Program.cs", ProbeSources.Program);
        await WriteAsync("Probe.csproj", ProbeSources.Project(PackagesFixture.Root, AppContext.BaseDirectory, PackagesFixture.Pinned("System.Numerics.Tensors")));
        (await RunAsync(["restore", "Probe.csproj", "-r", NativeTools.Rid, "-nodeReuse:false"])).EnsureSucceeded();
    }

    private Task WriteAsync(string name, string text) =>
        File.WriteAllTextAsync(Path.Combine(_folder, name), text, TestContext.Current.CancellationToken);
}

/// <summary>Publishing takes all processors: one after the other.</summary>
[CollectionDefinition(nameof(NativeCollection))]
public sealed class NativeCollection : ICollectionFixture<NativeProbe>;
