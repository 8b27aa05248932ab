using System.Diagnostics;
using System.Text;
using Q4Gen.Generator;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>What an edit makes the generator do again: no more than it must.</summary>
public class IncrementalTests
{
    private const string Attention = """
        using Q4Gen;

        namespace Demo;

        public partial class Attention
        {
            [Linear4Bit(In = 64, Out = 64, Group = 32)]
            public partial Linear4Bit QProj { get; }

            [Linear4Bit(In = 64, Out = 32, Group = 32)]
            public partial Linear4Bit KProj { get; }
        }

        """;

    private const string Mlp = """
        using Q4Gen;

        namespace Demo;

        public partial class Mlp
        {
            [Linear4Bit(In = 64, Out = 172, Group = 64)]
            public partial Linear4Bit UpProj { get; }

            [Linear4Bit(In = 172, Out = 64, Group = 64)]
            public partial Linear4Bit DownProj { get; }
        }

        """;

    private const string Model = """
        using Q4Gen;

        namespace Demo;

        public partial class Block
        {
            public Attention SelfAttn { get; } = new();

            public Mlp Mlp { get; } = new();
        }

        [Linear4BitModel]
        public partial class Model
        {
            public Block[] Layers { get; } = [new(), new()];
        }

        [Linear4Bit(In = 64, Out = 256, Group = 32)]
        public partial class Head;

        """;

    private static readonly string[] s_sources = [Attention, Mlp, Model];

    private static readonly string[] s_emitSteps =
        [TrackingNames.EmitKernels, TrackingNames.EmitContainers, TrackingNames.EmitLayerClasses, TrackingNames.EmitRegistration];

    [Fact]
    public void EditsThatTouchNoLayerReRunNothing() => GeneratorChecks.All(s_sources);

    [Fact]
    public void EveryStepIsTracked()
    {
        HarnessResult result = GeneratorHarness.Run(s_sources, Gpu.CompiledGpuKernels.WithGpu(HarnessOptions.Default));
        Assert.Equal(
            TrackingNames.All.Order(StringComparer.Ordinal),
            result.Steps.Select(static s => s.Name).Where(static n => n.StartsWith("Q4Gen.", StringComparison.Ordinal))
                .Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AddingALayerOfANewShapeEmitsItsKernelsAndItsContainer() => Assert.Equal(
        (Kernels: 1, Containers: 1, LayerClasses: 0, Registration: 1),
        Emitted(AfterEdit(1, Mlp.Replace("\n}\n", "\n\n    [Linear4Bit(In = 64, Out = 80, Group = 64)]\n    public partial Linear4Bit Extra { get; }\n}\n"))));

    [Fact]
    public void AddingALayerOfAKnownShapeEmitsItsContainerAlone() => Assert.Equal(
        (Kernels: 0, Containers: 1, LayerClasses: 0, Registration: 0),
        Emitted(AfterEdit(1, Mlp.Replace("\n}\n", "\n\n    [Linear4Bit(In = 64, Out = 64, Group = 32)]\n    public partial Linear4Bit Extra { get; }\n}\n"))));

    [Fact]
    public void AddingALayerInFrontShiftsNothing() => Assert.Equal(
        (Kernels: 1, Containers: 1, LayerClasses: 0, Registration: 1),
        Emitted(AfterEdit(0, Attention.Replace("{\n    [Linear4Bit(In = 64, Out = 64", "{\n    [Linear4Bit(In = 8, Out = 8, Group = 8)]\n    public partial Linear4Bit Extra { get; }\n\n    [Linear4Bit(In = 64, Out = 64"))));

    [Fact]
    public void ChangingAShapeEmitsItsKernelsAndItsContainer() => Assert.Equal(
        (Kernels: 1, Containers: 1, LayerClasses: 0, Registration: 1),
        Emitted(AfterEdit(0, Attention.Replace("Out = 32", "Out = 48"))));

    [Fact]
    public void ChangingANameEmitsTheContainerAlone() => Assert.Equal(
        (Kernels: 0, Containers: 1, LayerClasses: 0, Registration: 0),
        Emitted(AfterEdit(0, Attention.Replace("Out = 32", "Name = \"key\", Out = 32"))));

    [Fact]
    public void RemovingALayerEmitsNoKernels() => Assert.Equal(
        (Kernels: 0, Containers: 1, LayerClasses: 0, Registration: 1),
        Emitted(AfterEdit(1, Mlp[..Mlp.IndexOf("\n    [Linear4Bit(In = 172", StringComparison.Ordinal)] + "}\n")));

    [Fact]
    public void ALayerClassIsEmittedAlone() => Assert.Equal(
        (Kernels: 1, Containers: 0, LayerClasses: 1, Registration: 1),
        Emitted(AfterEdit(2, Model.Replace("Out = 256", "Out = 264"))));

    [Fact]
    public void AnEditedProgramGetsWhatAFreshOneGets()
    {
        string edited = Mlp.Replace("Out = 172", "Out = 180").Replace("In = 172", "In = 180");
        Assert.Equal(GeneratorHarness.Run([Attention, edited, Model]).Files, AfterEdit(1, edited).Files);
    }

    [Fact]
    public void ALargeProgramIsGeneratedQuicklyAndStaysSmall()
    {
        const double GenerousSeconds = 5;
        const int MaxBytes = 1_000_000;
        string[] sources = SyntheticTransformer.Sources();
        long start = Stopwatch.GetTimestamp();
        HarnessResult result = GeneratorHarness.Run(sources);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        Assert.Equal(SyntheticTransformer.Blocks, result.Files.Keys.Count(static f => f.Contains("Block", StringComparison.Ordinal)));
        Assert.InRange(elapsed.TotalSeconds, 0, GenerousSeconds);
        Assert.InRange(result.Files.Values.Sum(static text => (long)Encoding.UTF8.GetByteCount(text)), 1, MaxBytes - 1);
    }

    private static HarnessResult AfterEdit(int index, string source)
    {
        Assert.NotEqual(s_sources[index], source);
        return GeneratorHarness.Run(s_sources).Edit(source, index);
    }

    /// <summary>How many outputs of each emitting step are not what they were.</summary>
    private static (int Kernels, int Containers, int LayerClasses, int Registration) Emitted(HarnessResult result)
    {
        int[] counts =
        [
            .. s_emitSteps.Select(name => Emission.Count(result, name)),
        ];
        return (counts[0], counts[1], counts[2], counts[3]);
    }
}
