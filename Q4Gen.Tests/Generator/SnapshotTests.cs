using System.Reflection;
using System.Runtime.CompilerServices;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>All that is generated for small programs, to be read and reviewed with every change.</summary>
public class SnapshotTests
{
    /// <summary>A last step of 4 columns, a last group of 4, a last panel of 8 rows: every kind of tail, in the fewest lines.</summary>
    [Fact]
    public void ContainerAndKernels() => Snapshots.Verify(GeneratorChecks.All("""
        using Q4Gen;

        namespace Demo;

        /// <summary>One layer.</summary>
        public partial class Mlp
        {
            /// <summary>The layer.</summary>
            [Linear4Bit(In = 20, Out = 24, Group = 16, Bias = true)]
            public partial Linear4Bit GateProj { get; }
        }
        """), "../Snapshots");

    /// <summary>The same kinds of tails with 8-bit activations.</summary>
    [Fact]
    public void Int8Kernels() => Snapshots.Verify(GeneratorChecks.All("""
        using Q4Gen;

        namespace Demo;

        /// <summary>One layer.</summary>
        [Linear4Bit(In = 20, Out = 24, Group = 16, Precision = Linear4BitPrecision.Int8Activations)]
        public partial class Gate;
        """), "../Snapshots");

    /// <summary>A snapshot whose test was renamed or removed would be checked by nobody.</summary>
    [Fact]
    public void EverySnapshotBelongsToATest()
    {
        string project = Path.GetFullPath(Path.Combine(SourceLocator.FolderOf(SourceFile()), ".."));
        string[] snapshots = [.. Directory.EnumerateFiles(project, "*.verified.cs", SearchOption.AllDirectories).Select(Path.GetFileName).OfType<string>()];
        Assert.NotEmpty(snapshots);
        foreach (string file in snapshots)
        {
            string[] test = file[..file.IndexOf('#', StringComparison.Ordinal)].Split('.');
            Assert.Contains(
                typeof(SnapshotTests).Assembly.GetTypes(),
                type => type.Name == test[0]
                    && type.GetMethod(test[1].Split('_')[0], BindingFlags.Public | BindingFlags.Instance) is not null);
        }
    }

    private static string SourceFile([CallerFilePath] string file = "") => file;
}
