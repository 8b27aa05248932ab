using System.Reflection;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>All that is generated for small programs, to be read and reviewed with every change.</summary>
public class SnapshotTests
{
    private const string Folder = "../Snapshots";

    /// <summary>A last step of 4 columns, a last group of 4, a last panel of 8 rows: every kind of tail, in the fewest lines.</summary>
    [Fact]
    public void ContainerAndKernels() => Verify("""
        using Q4Gen;

        namespace Demo;

        /// <summary>One layer.</summary>
        public partial class Mlp
        {
            /// <summary>The layer.</summary>
            [Linear4Bit(In = 20, Out = 24, Group = 16, Bias = true)]
            public partial Linear4Bit GateProj { get; }
        }
        """);

    [Fact]
    public void LayerClass() => Verify(
        """
        using Q4Gen;

        namespace Demo;

        /// <summary>A layer.</summary>
        [Linear4Bit(In = 64, Out = 32, Group = 32)]
        public partial class Projection;
        """,
        static file => !file.StartsWith("Linear4Bit_", StringComparison.Ordinal));

    [Fact]
    public void ModelOfBlocks() => Verify(
        """
        using Q4Gen;

        namespace Demo;

        /// <summary>A block.</summary>
        public partial class Block
        {
            /// <summary>Up.</summary>
            [Linear4Bit(In = 64, Out = 172, Group = 64)]
            public partial Linear4Bit UpProj { get; }

            /// <summary>Down.</summary>
            [Linear4Bit(In = 172, Out = 64, Group = 64, Name = "down.proj")]
            public partial Linear4Bit DownProj { get; }
        }

        /// <summary>A model.</summary>
        [Linear4BitModel]
        public partial class Model
        {
            /// <summary>Its blocks.</summary>
            [WeightName("model.layers")]
            public Block[] Layers { get; } = [new(), new()];
        }
        """,
        static file => !file.StartsWith("Linear4Bit_", StringComparison.Ordinal));

    /// <summary>A snapshot whose test was renamed or removed would be checked by nobody.</summary>
    [Fact]
    public void EverySnapshotBelongsToATest()
    {
        string folder = Path.GetFullPath(Path.Combine(SourceLocator.FolderOf(SourceFile()), Folder));
        foreach (string file in Directory.EnumerateFiles(folder, "*.verified.*").Select(Path.GetFileName).OfType<string>())
        {
            string[] test = file[..file.IndexOf('#', StringComparison.Ordinal)].Split('.');
            Assert.Contains(
                typeof(SnapshotTests).Assembly.GetTypes(),
                type => type.Name == test[0]
                    && type.GetMethod(test[1].Split('_')[0], BindingFlags.Public | BindingFlags.Instance) is not null);
        }
    }

    private static string SourceFile([System.Runtime.CompilerServices.CallerFilePath] string file = "") => file;

    private static void Verify(
        string source, Func<string, bool>? include = null, [System.Runtime.CompilerServices.CallerMemberName] string method = "") =>
        Snapshots.Verify(GeneratorChecks.All(source), Folder, include, method: method);
}
