using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Where a layer's precision comes from: its attribute, else the project, else exact.</summary>
public class PrecisionTests
{
    private const string Source = """
        using Q4Gen;
        namespace Demo;
        [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Unstated;
        [Linear4Bit(In = 16, Out = 16, Group = 8, Precision = Linear4BitPrecision.Exact)] public partial class Exact;
        [Linear4Bit(In = 24, Out = 16, Group = 8, Precision = Linear4BitPrecision.Int8Activations)] public partial class Int8;
        public partial class Model
        {
            [Linear4Bit(In = 32, Out = 16, Group = 8)] public partial Linear4Bit Proj { get; }
        }
        """;

    [Theory]
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("Exact", false)]
    [InlineData("Int8Activations", true)]
    public void AnAttributeWinsOverTheProject(string? property, bool isProjectInt8)
    {
        HarnessResult result = GeneratorHarness.Run(Source, Options(property)).EnsureCompiles();
        string suffix = isProjectInt8 ? "_int8" : "";
        Assert.Contains($"Linear4Bit_8x16_g8{suffix}.g.cs", result.Files.Keys);
        Assert.Contains("Linear4Bit_16x16_g8.g.cs", result.Files.Keys);
        Assert.Contains("Linear4Bit_24x16_g8_int8.g.cs", result.Files.Keys);
        Assert.Contains($"Linear4Bit_32x16_g8{suffix}.g.cs", result.Files.Keys);
        Assert.Contains($"global::Q4Gen.Generated.Linear4Bit_8x16_g8{suffix}.Instance", result.File("Demo.Unstated.g.cs"), StringComparison.Ordinal);
        Assert.Contains("Precision Int8Activations", result.File("Linear4Bit_24x16_g8_int8_avx2.g.cs"), StringComparison.Ordinal);
    }

    [Fact]
    public void BothPrecisionsOfOneShapeLiveSideBySide()
    {
        HarnessResult result = GeneratorHarness.Run("""
            using Q4Gen;
            [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class A;
            [Linear4Bit(In = 8, Out = 16, Group = 8, Precision = Linear4BitPrecision.Int8Activations)] public partial class B;
            """).EnsureCompiles();
        Assert.Contains("Linear4Bit_8x16_g8_avx2.g.cs", result.Files.Keys);
        Assert.Contains("Linear4Bit_8x16_g8_int8_avx2.g.cs", result.Files.Keys);
    }

    [Theory]
    [InlineData("int8")]
    [InlineData("Unstated")]
    [InlineData("1")]
    public async Task AnUnknownPropertyIsAnError(string property)
    {
        HarnessResult result = GeneratorHarness.Run(Source, Options(property));
        ImmutableArray<Diagnostic> found = await result.AnalyzeAsync(TestContext.Current.CancellationToken);
        Assert.Equal(["Q4G0020"], found.Select(static d => d.Id));
        Assert.Contains(
            $"Q4GenPrecision is '{property}'; write '<Q4GenPrecision>Exact</Q4GenPrecision>'", found[0].GetMessage(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/src/App/App.csproj", "/src/App/App.csproj(1,1): error Q4G0020: ")]
    [InlineData(@"C:\src\App.CSPROJ", @"C:\src\App.CSPROJ(1,1): error Q4G0020: ")]
    [InlineData("/src/C", "error Q4G0020: ")] // What the compiler leaves of /src/C#/App.csproj.
    [InlineData("", "error Q4G0020: ")]
    [InlineData(null, "error Q4G0020: ")]
    public async Task AnUnknownPropertyIsReportedAtTheProjectFile(string? path, string expected)
    {
        HarnessOptions options = Options("int8");
        if (path is not null)
        {
            options = options with { Properties = options.Properties.Add("MSBuildProjectFullPath", path) };
        }

        ImmutableArray<Diagnostic> found = await GeneratorHarness.Run(Source, options).AnalyzeAsync(TestContext.Current.CancellationToken);
        Assert.StartsWith(expected, Assert.Single(found).ToString(), StringComparison.Ordinal);
    }

    /// <summary>For one layer of each precision, all instruction sets together.</summary>
    [Theory]
    [InlineData(Linear4BitPrecision.Exact)]
    [InlineData(Linear4BitPrecision.Int8Activations)]
    public void TheTextOfAShapeStaysBelow80Kilobytes(Linear4BitPrecision precision)
    {
        string[] shapes =
        [
            "In = 4096, Out = 11008, Group = 128", "In = 11008, Out = 4096, Group = 128", "In = 2048, Out = 5632, Group = 32", "In = 172, Out = 64, Group = 64",

            // Steps and panels that nothing divides.
            "In = 130, Out = 33, Group = 64", "In = 100, Out = 176, Group = 32", "In = 1500, Out = 81, Group = 328",
        ];
        foreach (string shape in shapes)
        {
            HarnessResult result = GeneratorHarness.Run(
                $"using Q4Gen; [Linear4Bit({shape}, Precision = Linear4BitPrecision.{precision})] public partial class Gate;");
            int bytes = result.Files.Where(static f => f.Key.StartsWith("Linear4Bit_", StringComparison.Ordinal))
                .Sum(static f => System.Text.Encoding.UTF8.GetByteCount(f.Value));
            Assert.InRange(bytes, 10_000, 80 * 1024);
        }
    }

    private static HarnessOptions Options(string? property) => HarnessOptions.Default with
    {
        Properties = property is null
            ? ImmutableDictionary<string, string>.Empty
            : ImmutableDictionary<string, string>.Empty.Add("Q4GenPrecision", property),
    };
}
