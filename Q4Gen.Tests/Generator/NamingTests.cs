extern alias runtime;

using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Q4Gen.Kernels;
using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;
using runtime::Q4Gen.Format;

namespace Q4Gen.Tests.Generator;

/// <summary>Names of generated kernels say what they are, and can be read back.</summary>
public class NamingTests
{
    private static readonly Linear4BitShape[] s_shapes = [new(172, 64, 64), new(40, 24, 12), new(4096, 11008, 128), new(2, 1, int.MaxValue)];

    [Fact]
    public void NamesOfKernelsParseBack()
    {
        HarnessResult result = GeneratorHarness.Run(CompiledKernels.Source(s_shapes));
        foreach (Linear4BitShape shape in s_shapes)
        {
            string family = new KernelName("Linear4Bit", shape.In, shape.Out, shape.Group, "", "").ToString();
            string[] files = [.. result.Files.Keys.Where(f => f == $"{family}.g.cs" || f.StartsWith($"{family}_", StringComparison.Ordinal))];
            Assert.Contains($"{family}.g.cs", files);
            Assert.Contains($"{family}_scalar.g.cs", files);
            foreach (string file in files)
            {
                string isa = file == $"{family}.g.cs" ? "" : file[(family.Length + 1)..^".g.cs".Length];
                Assert.True(isa.Length == 0 || Enum.TryParse<KernelIsa>(isa, ignoreCase: true, out _), file);
                Microsoft.CodeAnalysis.SyntaxNode[] nodes = [.. SyntaxFactory.ParseCompilationUnit(result.Files[file]).DescendantNodes()];
                string[] names =
                [
                    .. nodes.OfType<ClassDeclarationSyntax>().Select(static c => c.Identifier.Text),
                    .. nodes.OfType<MethodDeclarationSyntax>().Select(static m => m.Identifier.Text).Where(static m => m.Contains('_')),
                ];
                Assert.NotEmpty(names);
                foreach (string name in names)
                {
                    Assert.True(KernelName.TryParse(name, out KernelName? parsed), $"{file}: {name}");
                    Assert.Equal(shape, new Linear4BitShape(parsed!.In, parsed.Out, parsed.Group));
                    Assert.Equal(isa, parsed.Isa);
                }

                if (isa is not ("" or "scalar"))
                {
                    Assert.Contains(names, static n => n.StartsWith("Gemv", StringComparison.Ordinal));
                    Assert.Contains(names, static n => n.StartsWith("Gemm_", StringComparison.Ordinal));
                }
            }
        }
    }

    [Fact]
    public void ALayerTellsTheNameOfItsKernel()
    {
        foreach (Linear4BitShape shape in Layers.Shapes)
        {
            foreach (Linear4BitKernel kernel in KernelChecks.Kernels(KernelRegistry.Find(shape)))
            {
                Assert.True(KernelName.TryParse(kernel.Name, out KernelName? parsed), kernel.Name);
                Assert.Equal(
                    ("Linear4Bit", shape.In, shape.Out, shape.Group, kernel.Isa.ToString().ToLowerInvariant()),
                    (parsed!.Role, parsed.In, parsed.Out, parsed.Group, parsed.Isa));
            }
        }
    }

    [Theory]
    [InlineData("Gemv_4096x11008_g128_avx512", "Gemv", 4096, 11008, 128, "", "avx512")]
    [InlineData("Gemv_4096x11008_g128_avx2_amd25m1t2", "Gemv", 4096, 11008, 128, "", "avx2", "amd25m1t2")]
    [InlineData("Rows2_64x8_g32_int8_avx2_zen", "Rows2", 64, 8, 32, "int8", "avx2", "zen")]
    [InlineData("Linear4Bit_2x1_g8", "Linear4Bit", 2, 1, 8, "", "")]
    [InlineData("Rows5_2048x5632_g32_int8_avxvnni", "Rows5", 2048, 5632, 32, "int8", "avxvnni")]
    [InlineData("Linear4Bit_2x1_g8_int8", "Linear4Bit", 2, 1, 8, "int8", "")]
    public void AWellFormedNameIsRead(string text, string role, int inFeatures, int outFeatures, int group, string precision, string isa, string variant = "")
    {
        Assert.True(KernelName.TryParse(text, out KernelName? name));
        Assert.Equal(new KernelName(role, inFeatures, outFeatures, group, precision, isa, variant), name);
        Assert.Equal(text, name!.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("Gemv")]
    [InlineData("Gemv_4096x11008")]
    [InlineData("_4096x11008_g128_avx2")]
    [InlineData("Gemv_4096_g128_avx2")]
    [InlineData("Gemv_4096x11008x3_g128_avx2")]
    [InlineData("Gemv_04096x11008_g128_avx2")]
    [InlineData("Gemv_0x11008_g128_avx2")]
    [InlineData("Gemv_-2x11008_g128_avx2")]
    [InlineData("Gemv_4096x11008_128_avx2")]
    [InlineData("Gemv_4096x11008_g128_avx2_more_still")]
    [InlineData("Gemv_4096x11008_g128__variant")]
    [InlineData("Gemv_99999999999x1_g128_avx2")]
    [InlineData("Gemv_4096x11008_g128_")]
    public void AnotherNameIsNot(string text) => Assert.False(KernelName.TryParse(text, out _));
}
