namespace Q4Gen.Tests.Packaging;

/// <summary>A project that uses the packages.</summary>
/// <param name="Project">The path of its project file.</param>
internal sealed record Consumer(string Project)
{
    public string Folder => Path.GetDirectoryName(Project)!;

    private string Name => Path.GetFileNameWithoutExtension(Project);

    public Task<CommandResult> RestoreAsync() => DotnetAsync("restore", Project, "-nodeReuse:false", "-m:1");

    /// <summary>Builds what was restored.</summary>
    public Task<CommandResult> BuildAsync(string configuration, params string[] arguments) =>
        DotnetAsync(["build", Project, "-c", configuration, "--no-restore", "-nodeReuse:false", "-m:1", "-clp:NoSummary", .. arguments]);

    /// <summary>What a property is once the packages' files have been read, after a restore.</summary>
    public async Task<string> PropertyAsync(string name, params string[] arguments) =>
        (await DotnetAsync(["msbuild", Project, $"-getProperty:{name}", .. arguments])).EnsureSucceeded().Output.Trim();

    /// <summary>Runs what was built.</summary>
    public Task<CommandResult> RunAsync(string configuration, IReadOnlyDictionary<string, string>? environment = null) =>
        DotnetCommand.RunAsync(
            Folder, ["exec", Path.Combine(Folder, "bin", configuration, "net10.0", Name + ".dll")], environment, TestContext.Current.CancellationToken);

    /// <summary>Names of the generated files that a build left in <c>obj</c>.</summary>
    public string[] GeneratedFiles(string configuration)
    {
        string folder = Path.Combine(Folder, "obj", configuration, "net10.0", "generated", "Q4Gen.Generator", "Q4Gen.Generator.Q4Generator");
        return Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder).Select(static file => Path.GetFileName(file)).Order(StringComparer.Ordinal)]
            : [];
    }

    private Task<CommandResult> DotnetAsync(params string[] arguments) =>
        DotnetCommand.RunAsync(Folder, arguments, environment: null, TestContext.Current.CancellationToken);
}
