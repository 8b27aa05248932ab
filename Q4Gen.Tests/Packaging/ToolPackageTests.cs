using System.Diagnostics;
using System.Xml.Linq;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tests.Tool;

namespace Q4Gen.Tests.Packaging;

/// <summary>The tool as its package installs it.</summary>
[Collection(nameof(PackagesCollection))]
[Trait(Emulated.Trait, Emulated.Never)] // Builds take minutes there, and nothing here depends on the processor.
public class ToolPackageTests(PackagesFixture packages)
{
    public const string Id = "Q4Gen.Tool";

    [Fact]
    public void ThePackageIsATool()
    {
        using var package = new PackageFile(Path.Combine(packages.Feed, $"{Id}.{packages.Version}.nupkg"));
        Assert.Equal("MIT", package.Text("license"));
        Assert.Equal("DotnetTool", Assert.Single(package.Metadata.Descendants(), element => element.Name.LocalName == "packageType").Attribute("name")?.Value);
        Assert.DoesNotContain(package.Metadata.Descendants(), element => element.Name.LocalName == "dependency");
        string[] tools = [.. package.Files.Where(file => file.StartsWith("tools/", StringComparison.Ordinal))];
        Assert.All(tools, file => Assert.StartsWith("tools/net10.0/any/", file, StringComparison.Ordinal));
        XElement command = Assert.Single(XDocument.Load(new MemoryStream(package.Read("tools/net10.0/any/DotnetToolSettings.xml"))).Descendants("Command"));
        Assert.Equal(("q4gen", "q4gen.dll"), ((string?)command.Attribute("Name"), (string?)command.Attribute("EntryPoint")));

        // Native libraries would tie it to a platform, and a rooted path to this machine.
        Assert.DoesNotContain(tools, file => file.EndsWith(".so", StringComparison.Ordinal) || file.Contains("runtimes/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task InstallsAndRuns()
    {
        string folder = Path.Combine(packages.Folder, "tools");
        CommandResult installed = await DotnetCommand.RunAsync(
            packages.Folder,
            ["tool", "install", Id, "--tool-path", folder, "--version", packages.Version],
            new Dictionary<string, string> { ["NUGET_PACKAGES"] = Path.Combine(packages.Folder, "tool-packages") },
            TestContext.Current.CancellationToken);
        installed.EnsureSucceeded();

        using var models = new TemporaryFolder();
        string input = models.Write("m.safetensors", ToolModels.Llama());
        (int code, string output) = await RunAsync(folder, "convert", input, models["out"], "--group", "32");
        Assert.Equal(0, code);
        Assert.Contains("6 layers in 4 bits", output);
        (code, output) = await RunAsync(folder, "inspect", models["out"], "--json");
        Assert.Equal(0, code);
        Assert.Contains("\"format\": \"q4Gen\"", output);
        (code, output) = await RunAsync(folder, "inspect", models["nothing"]);
        Assert.Equal(3, code);
        Assert.Contains(models["nothing"], output);
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(string folder, params string[] args)
    {
        string command = Path.Combine(folder, OperatingSystem.IsWindows() ? "q4gen.exe" : "q4gen");
        var start = new ProcessStartInfo(command, args) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_ROOT"] = Path.GetDirectoryName(ChildProcess.DotnetHost());
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output + await error);
    }
}
