using System.Xml.Linq;

namespace Q4Gen.Tests.Packaging;

/// <summary>The packages of this checkout, packed once for all tests of them, and a folder for programs that use them.</summary>
public sealed class PackagesFixture : IAsyncLifetime
{
    /// <summary>Unique, so that no cache of packages serves those of an earlier run.</summary>
    public string Version { get; } = $"0.1.0-test.t{DateTime.UtcNow:yyyyMMddHHmmss}p{Environment.ProcessId}";

    /// <summary>Outside the repository, whose build files programs in it would take for their own.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("q4gen-packages-").FullName;

    /// <summary>Where the packages are.</summary>
    public string Feed => Path.Combine(Folder, "feed");

    /// <summary>The checkout.</summary>
    public static string Root => Repository.Root ?? throw new DirectoryNotFoundException("The tests do not run from a checkout of the repository.");

    /// <summary>The version of a package that this repository pins.</summary>
    public static string Pinned(string package) =>
        XDocument.Load(Path.Combine(Root, "Directory.Packages.props")).Descendants("PackageVersion")
            .Single(pin => (string?)pin.Attribute("Include") == package).Attribute("Version")!.Value;

    public async ValueTask InitializeAsync()
    {
        // What was built with these tests, such as bin/Release/net10.0; built anew where outputs lie elsewhere.
        string configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
        bool isBuilt = File.Exists(Path.Combine(Root, "Q4Gen.Runtime", "bin", configuration, "net10.0", "Q4Gen.Runtime.dll"));
        string[] build = isBuilt ? ["-c", configuration, "--no-build", "--no-restore"] : ["-c", "Release"];
        CommandResult result = await DotnetCommand.RunAsync(
            Root,
            ["pack", "Q4Gen.sln", .. build, "-o", Feed, $"-p:PackageVersion={Version}", "-nodeReuse:false", "-p:UseSharedCompilation=false"],
            environment: null,
            TestContext.Current.CancellationToken);
        result.EnsureSucceeded();
        Assert.Empty(result.Problems);

        // NuGet reads the sources of the machine as well, whatever they are.
        await WriteAsync("nuget.config", $"""
            <configuration>
              <packageSources>
                <add key="q4gen-test" value="{Feed}" />
              </packageSources>
            </configuration>
            """);
        await WriteAsync("Directory.Build.props", $"""
            <Project>
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <CheckForOverflowUnderflow>true</CheckForOverflowUnderflow>
                <Q4GenVersion>{Version}</Q4GenVersion>
                <RestorePackagesPath>{Path.Combine(Folder, "packages")}</RestorePackagesPath>
                {FallbackFolder()}
                <NuGetAudit>false</NuGetAudit>
                <UseSharedCompilation>false</UseSharedCompilation>
              </PropertyGroup>
            </Project>
            """);
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>A project in a folder of its own.</summary>
    /// <param name="name">Its name and its folder's.</param>
    /// <param name="project">Its project file.</param>
    /// <param name="files">Names and texts of its other files.</param>
    internal async Task<Consumer> CreateAsync(string name, string project, params (string Name, string Text)[] files)
    {
        string path = await WriteAsync(Path.Combine(name, name + ".csproj"), project);
        foreach ((string file, string text) in files)
        {
            await WriteAsync(Path.Combine(name, file), text);
        }

        return new Consumer(path);
    }

    /// <summary>What the machine has already of other packages need not be downloaded again; ours never go there.</summary>
    private static string FallbackFolder()
    {
        string folder = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        return Directory.Exists(folder) ? $"<RestoreFallbackFolders>{folder}</RestoreFallbackFolders>" : "";
    }

    private async Task<string> WriteAsync(string name, string text)
    {
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, text, TestContext.Current.CancellationToken);
        return path;
    }
}

/// <summary>One after the other: each uses all processors.</summary>
[CollectionDefinition(nameof(PackagesCollection))]
public sealed class PackagesCollection : ICollectionFixture<PackagesFixture>;
