using System.Text;
using Q4Gen.Generator;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>An edit re-emits what it changes and nothing else.</summary>
public class ModelIncrementalTests
{
    private const string Layers = """
        using Q4Gen;
        [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class LayerA;
        [Linear4Bit(In = 16, Out = 16, Group = 8)] public partial class LayerB;
        """;

    [Fact]
    public void ANewLayerOfANewShapeEmitsOneFamilyAndItsContainer()
    {
        HarnessResult before = GeneratorHarness.Run([Containers("First", "Second", "Third"), Layers]);
        HarnessResult after = before.Edit(Containers("First", "Second", "Third").Replace(
            "// Here: Second.", "[Linear4Bit(In = 512, Out = 48, Group = 64)] public partial Linear4Bit New { get; }"));
        Assert.Equal(before.Files.Count + before.Files.Keys.Count(name => name.StartsWith("Linear4Bit_8x16", StringComparison.Ordinal)), after.Files.Count);
        Assert.Equal(1, Emission.Count(after, TrackingNames.PlanKernels));
        Assert.Equal(1, Emission.Count(after, TrackingNames.EmitKernels));
        Assert.Equal(1, Emission.Count(after, TrackingNames.EmitContainers));
        Assert.Equal(1, Emission.Count(after, TrackingNames.EmitRegistration));
        Assert.Equal(0, Emission.Count(after, TrackingNames.EmitLayerClasses));
    }

    [Fact]
    public void ANewContainerInFrontOfOthersEmitsOnlyItself()
    {
        HarnessResult before = GeneratorHarness.Run([Containers("First", "Second", "Third"), Layers]);
        HarnessResult after = before.Edit(Containers("Zeroth", "First", "Second", "Third"));
        Assert.Equal(1, Emission.Count(after, TrackingNames.EmitContainers));
        Assert.Equal(0, Emission.Count(after, TrackingNames.EmitKernels));
        Assert.Equal(0, Emission.Count(after, TrackingNames.EmitRegistration));
        Assert.Equal(before.Files.Count + 1, after.Files.Count);
    }

    [Fact]
    public void ALayerOfAKnownShapeEmitsNoKernels()
    {
        HarnessResult before = GeneratorHarness.Run([Containers("First", "Second"), Layers]);
        HarnessResult after = before.Edit(Layers + "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class LayerC;", 1);
        Assert.Equal(1, Emission.Count(after, TrackingNames.EmitLayerClasses));
        Assert.Equal(0, Emission.Count(after, TrackingNames.EmitKernels));
        Assert.Equal(0, Emission.Count(after, TrackingNames.EmitContainers));
        Assert.Equal(0, Emission.Count(after, TrackingNames.EmitRegistration));
    }

    [Fact]
    public void RemovingTheLastLayerOfAShapeRemovesItsKernels()
    {
        HarnessResult before = GeneratorHarness.Run([Containers("First"), Layers]);
        HarnessResult after = before.Edit(Layers.Replace("In = 16", "In = 8"), 1);
        Assert.Contains("Linear4Bit_16x16_g8.g.cs", before.Files.Keys);
        Assert.DoesNotContain("Linear4Bit_16x16_g8.g.cs", after.Files.Keys);
        Assert.Equal(1, Emission.Count(after, TrackingNames.EmitLayerClasses));
        Assert.Equal(0, Emission.Count(after, TrackingNames.EmitKernels));
    }

    [Fact]
    public void EveryStepIsNamedAndRuns()
    {
        HarnessResult result = GeneratorHarness.Run(
            [Containers("First"), Layers, "[Q4Gen.Linear4BitModel] public partial class M { public First? F; }"],
            Gpu.CompiledGpuKernels.WithGpu(HarnessOptions.Default));
        Assert.Subset(result.Steps.Select(step => step.Name).ToHashSet(), TrackingNames.All.ToHashSet());
    }

    [Fact]
    public void ManyShapesThatShareASlotAreAllEmitted()
    {
        // 300 shapes in 1,024 slots: some slots hold several.
        var source = new StringBuilder("using Q4Gen;\n");
        for (int i = 1; i <= 300; i++)
        {
            source.Append("[Linear4Bit(In = ").Append(8 * i).Append(", Out = 16, Group = 1)] partial class L").Append(i).Append(";\n");
        }

        HarnessResult result = GeneratorHarness.Run(source.ToString());
        Assert.Equal(300, result.Files.Keys.Count(name => name.EndsWith("_g1.g.cs", StringComparison.Ordinal)));
        Assert.Equal(300, result.Files.Keys.Count(name => name.StartsWith('L') && char.IsDigit(name[1])));
    }

    private static string Containers(params string[] names)
    {
        var source = new StringBuilder("using Q4Gen;\n");
        foreach (string name in names)
        {
            source.Append("public partial class ").Append(name).Append(
                """
                 {
                    [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit A { get; }
                    // Here: NAME.
                    [Linear4Bit(In = 8, Out = 32, Group = 8)] public partial Linear4Bit B { get; }
                }

                """.Replace("NAME", name));
        }

        return source.ToString();
    }
}
