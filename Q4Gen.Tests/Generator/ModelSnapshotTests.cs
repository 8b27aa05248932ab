using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>The text that is generated for models: what a reader of the generated files sees.</summary>
public class ModelSnapshotTests
{
    private const string Source = """
        using System.Collections.Generic;
        using Q4Gen;

        namespace MyApp;

        [Linear4Bit(In = 64, Out = 4096, Bias = true)]
        internal partial class Head;

        internal partial class Mlp
        {
            [Linear4Bit(In = 64, Out = 176, Group = 32)]
            public partial Linear4Bit GateProj { get; }

            [Linear4Bit(In = 64, Out = 176, Group = 32, Bias = true)]
            public partial Linear4Bit? UpProj { get; private set; }

            /// <summary>Back into the hidden state.</summary>
            [Linear4Bit(In = 176, Out = 64, Group = 32, Name = "down.proj")]
            public partial Linear4Bit DownProj { get; set; }
        }

        internal partial struct Adapter
        {
            [Linear4Bit(In = 64, Out = 176, Group = 32)]
            public partial Linear4Bit Lora { get; }
        }

        [Linear4BitModel]
        internal sealed partial class Model
        {
            [WeightName("model.layers")]
            public Mlp[] Layers { get; set; } = [];

            public Adapter Adapter { get; set; }

            public readonly List<Mlp> Experts = [new()];

            [WeightName("lm_head")]
            private Head? _head;

            public Head? Output => _head;
        }
        """;

    [Fact]
    public void GeneratedModelsReadWell() => Snapshots.Verify(
        GeneratorChecks.All(Source),
        directory: "../Snapshots",
        include: name => !name.StartsWith("Linear4Bit_", StringComparison.Ordinal));
}
