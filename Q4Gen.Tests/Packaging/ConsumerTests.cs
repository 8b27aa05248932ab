using Q4Gen.Generator.Diagnostics;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Tuning;

namespace Q4Gen.Tests.Packaging;

/// <summary>Programs that know nothing but the packages restore, build without a warning, and run.</summary>
[Collection(nameof(PackagesCollection))]
[Trait(Emulated.Trait, Emulated.Never)] // Builds take minutes there, and nothing here depends on the processor.
public class ConsumerTests(PackagesFixture packages)
{
    private const string Emit = "-p:EmitCompilerGeneratedFiles=true";
    private const string Kernel = @"Linear4Bit_{0}_[a-z0-9]+ \(generated\)";

    [Fact]
    public async Task AModelOfThreeLayersRunsInDebugAndRelease()
    {
        Consumer app = await packages.CreateAsync(
            "App", ConsumerSources.Project(ConsumerSources.Package("Q4Gen")), ("Block.cs", ConsumerSources.Model), ("Program.cs", ConsumerSources.Program));
        (await app.RestoreAsync()).EnsureSucceeded();
        foreach (string configuration in (string[])["Debug", "Release"])
        {
            await BuildAsync(app, configuration);
            Assert.Empty(app.GeneratedFiles(configuration));
            await AssertRightAsync(app, configuration);

            // Twice, the second time with the files of the first one around, which must not be compiled as well.
            await BuildAsync(app, configuration, Emit, "--no-incremental");
            string[] files = app.GeneratedFiles(configuration);
            Assert.Contains("Demo.Block.g.cs", files);
            Assert.Contains("Linear4Bit_50x33_g24_avx2.g.cs", files);
            if (configuration == "Release")
            {
                await BuildAsync(app, configuration, Emit, "--no-incremental");
                await AssertRightAsync(app, configuration);
            }
        }

        await ATuningFileIsUsedAsync(app);
        await AMalformedOptionIsReportedAtTheProjectFileAsync(app);
        await TooOldACompilerIsOneErrorAsync(app);
        await NativeAotTakesAvx2UnlessToldOtherwiseAsync(app);
    }

    /// <summary>The generator comes with the library, for whoever can write [Linear4Bit] expects that it does something.</summary>
    [Fact]
    public async Task AnAppUsesALibraryWithLayersAndHasItsOwn()
    {
        await packages.CreateAsync(
            "Library", ConsumerSources.Project(ConsumerSources.Package("Q4Gen"), ""), ("Block.cs", ConsumerSources.Model), ("KernelSources.cs", ConsumerSources.LibrarySource));
        Consumer app = await packages.CreateAsync(
            "LibraryApp",
            ConsumerSources.Project("""<ProjectReference Include="../Library/Library.csproj" />"""),
            ("Tail.cs", ConsumerSources.Tail),
            ("Program.cs", ConsumerSources.PairProgram));
        (await app.RestoreAsync()).EnsureSucceeded();
        await BuildAsync(app, "Release");
        string[] lines = Lines(await app.RunAsync("Release"));
        Assert.Matches(string.Format(Kernel, "32x16_g32"), lines[0]);
        Assert.Matches(string.Format(Kernel, "50x33_g24"), lines[1]);
    }

    [Fact]
    public async Task SnapshotsAndOracleRunFromTheTestingPackageAlone()
    {
        const string References = """<Compile Remove="**/*.verified.cs;**/*.received.cs" />""";
        Consumer tests = await packages.CreateAsync(
            "KernelTests", ConsumerSources.Project(ConsumerSources.Package("Q4Gen.Testing") + References), ("Tail.cs", ConsumerSources.Tail), ("Tests.cs", ConsumerSources.Testing));
        (await tests.RestoreAsync()).EnsureSucceeded();
        await BuildAsync(tests, "Release");

        CommandResult first = await tests.RunAsync("Release");
        Assert.True(first.ExitCode == 2, first.Output);
        Assert.Contains("Generated code differs from", first.Output, StringComparison.Ordinal);
        (await tests.RunAsync("Release", new Dictionary<string, string> { ["Q4GEN_ACCEPT"] = "1" })).EnsureSucceeded();
        Assert.True(File.Exists(Path.Combine(tests.Folder, "Snapshots", "Tests.Run#Linear4Bit_32x16_g32_scalar.g.verified.cs")));
        Assert.Matches("^[1-9][0-9]* checks$", Assert.Single(Lines(await tests.RunAsync("Release"))));
    }

    [Fact]
    public async Task GpuKernelsAreGeneratedFromTheGpuPackageAlone()
    {
        Consumer app = await packages.CreateAsync(
            "GpuApp", ConsumerSources.Project(ConsumerSources.Package("Q4Gen.Runtime.Ilgpu")), ("Tail.cs", ConsumerSources.Tail), ("Program.cs", ConsumerSources.Gpu));
        (await app.RestoreAsync()).EnsureSucceeded();
        await BuildAsync(app, "Release");
        string[] lines = Lines(await app.RunAsync("Release"));
        Assert.Matches(string.Format(Kernel, "32x16_g32"), lines[0]);
        Assert.StartsWith("Linear4Bit_32x16_g32_gpu", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnOlderFrameworkIsRefusedByNuGet()
    {
        Consumer old = await packages.CreateAsync(
            "OldApp", ConsumerSources.Project(ConsumerSources.Package("Q4Gen"), "<TargetFramework>net9.0</TargetFramework>"));
        CommandResult result = await old.RestoreAsync();
        Assert.Contains(
            $"error NU1202: Package Q4Gen {packages.Version} is not compatible with net9.0", Assert.Single(result.Problems), StringComparison.Ordinal);
    }

    /// <summary>Beside the project file, without a word in it; properties pass through the build, lists as well.</summary>
    private static async Task ATuningFileIsUsedAsync(Consumer app)
    {
        string file = Path.Combine(app.Folder, "q4gen.tuning.json");
        string text = TuningText.File(
            [TuningText.ThisMachine()],
            TuningText.Entry("64x96_g32", "avx2", "one", "panels2-sums1-ahead0"), TuningText.Entry("64x96_g32", "vector128", "one", "panels2-sums1-ahead0"));
        await File.WriteAllTextAsync(file, text, TestContext.Current.CancellationToken);

        // What earlier builds left there would still be there.
        Directory.Delete(Path.Combine(app.Folder, "obj", "Release", "net10.0", "generated"), recursive: true);
        await BuildAsync(app, "Release", Emit, "-p:Q4GenTargets=avx2%3Bvector128");
        string[] files = app.GeneratedFiles("Release");
        Assert.Contains("Linear4Bit_64x96_g32_avx2_here.g.cs", files);
        Assert.DoesNotContain("Linear4Bit_64x96_g32_avx512.g.cs", files);
        Assert.Contains("Linear4Bit_64x96_g32_", Lines(await app.RunAsync("Release"))[0], StringComparison.Ordinal);
        Assert.Contains("_here (generated): right", Lines(await app.RunAsync("Release"))[0], StringComparison.Ordinal);

        await File.WriteAllTextAsync(file, text.Replace("\"schema\": 1", "\"schema\": one", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        string error = Assert.Single((await app.BuildAsync("Release")).Problems);
        Assert.StartsWith($"{file}(2,13): error Q4G0024: The tuning file cannot be read: expected an object", error, StringComparison.Ordinal);
        File.Delete(file);

        error = Assert.Single((await app.BuildAsync("Release", "-p:Q4GenTuningFile=zen.q4gen.tuning.json")).Problems);
        Assert.StartsWith($"{app.Project} : error Q4G1002: The MSBuild property Q4GenTuningFile is 'zen.q4gen.tuning.json'", error, StringComparison.Ordinal);
    }

    private static async Task AMalformedOptionIsReportedAtTheProjectFileAsync(Consumer app)
    {
        CommandResult result = await app.BuildAsync("Debug", "-p:Q4GenPrecision=int8");
        Assert.StartsWith($"{app.Project}(1,1): error Q4G0020: The MSBuild property Q4GenPrecision is 'int8'", Assert.Single(result.Problems), StringComparison.Ordinal);
    }

    /// <summary>As the toolset package of an older compiler says it: by the property, which the SDK's compiler sets otherwise.</summary>
    private static async Task TooOldACompilerIsOneErrorAsync(Consumer app)
    {
        CommandResult result = await app.BuildAsync("Debug", "-p:CompilerApiVersion=roslyn4.14", "--no-incremental");
        string error = Assert.Single(result.Problems);
        Assert.StartsWith(
            $"{app.Project} : error Q4G1001: Q4Gen needs version 5.0 or later of the C# compiler, but this project compiles with 4.14", error, StringComparison.Ordinal);
        Assert.Contains($"({Descriptors.HelpLinkBase}Q4G1001.md)", error, StringComparison.Ordinal);
    }

    /// <summary>NativeKernelTests compile; here it matters that the package brings the property.</summary>
    private static async Task NativeAotTakesAvx2UnlessToldOtherwiseAsync(Consumer app)
    {
        const string Property = "IlcInstructionSet", Aot = "-p:PublishAot=true", Rid = "-p:RuntimeIdentifier=linux-x64";
        Assert.Equal("x86-64-v3", await app.PropertyAsync(Property, Aot, Rid));
        Assert.Equal("native", await app.PropertyAsync(Property, Aot, Rid, "-p:IlcInstructionSet=native"));
        Assert.Equal("", await app.PropertyAsync(Property, Aot, "-p:RuntimeIdentifier=linux-arm64"));
        Assert.Equal("", await app.PropertyAsync(Property, Rid));
    }

    private static async Task BuildAsync(Consumer consumer, string configuration, params string[] arguments)
    {
        CommandResult result = (await consumer.BuildAsync(configuration, arguments)).EnsureSucceeded();
        Assert.True(result.Problems.Length == 0, result.Output);
    }

    private static async Task AssertRightAsync(Consumer app, string configuration)
    {
        string[] lines = Lines(await app.RunAsync(configuration));
        Assert.Collection(
            lines,
            line => Assert.Matches($"^block.up_proj: {string.Format(Kernel, "64x96_g32")}: right$", line),
            line => Assert.Matches($"^block.down_proj: {string.Format(Kernel, "96x64_g32")}: right$", line),
            line => Assert.Matches($"^block.head: {string.Format(Kernel, "50x33_g24")}: right$", line));
    }

    private static string[] Lines(CommandResult result) =>
        result.EnsureSucceeded().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
