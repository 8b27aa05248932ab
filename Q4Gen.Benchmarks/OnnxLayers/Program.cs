using Microsoft.ML.OnnxRuntime;
using Q4Gen;
using Q4Gen.Benchmarks.Compare;

// What a program on ONNX Runtime does until the first token of the Storyteller's model, at the least: it opens a model of the
// 42 linear layers and runs each once on one row. Attention, norms, tokenizer and sampling are left out.
switch (args)
{
    case ["write", string path]:
        File.WriteAllBytes(path, Layers.CreateModel());
        return 0;
    case ["run", string path]:
        Console.WriteLine($"{Layers.Run(path)} outputs");
        return 0;
    default:
        Console.Error.WriteLine("OnnxLayers write FILE: writes the model. OnnxLayers run FILE: opens it and runs each layer once.");
        return 2;
}

/// <summary>The layers.</summary>
internal static class Layers
{
    private const int Blocks = 6;

    /// <summary>Of one block, as examples/Storyteller/StoryModel.cs has them.</summary>
    private static readonly Linear4BitShape[] s_block =
    [
        new(128, 128, 32), new(128, 64, 32), new(128, 64, 32), new(128, 128, 32), new(128, 384, 32), new(128, 384, 32), new(384, 128, 32),
    ];

    /// <summary>Random weights: time does not depend on them.</summary>
    public static byte[] CreateModel()
    {
        var random = new Random(3);
        var layers = new List<(Linear4BitShape Shape, byte[] Weights, Half[] Scales)>();
        for (int i = 0; i < Blocks * s_block.Length; i++)
        {
            Linear4BitShape shape = s_block[i % s_block.Length];
            var weights = new byte[shape.Out * shape.In / 2];
            random.NextBytes(weights);
            layers.Add((shape, weights, [.. Enumerable.Range(0, shape.Out * shape.Groups).Select(_ => (Half)random.NextSingle())]));
        }

        // Floats, as the Storyteller computes.
        return OnnxModel.CreateMany(layers, accuracyLevel: 1);
    }

    /// <summary>Runs all layers on one row.</summary>
    /// <returns>The number of outputs.</returns>
    public static int Run(string path)
    {
        using var options = new SessionOptions { GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL };
        using var session = new InferenceSession(path, options);
        using var runOptions = new RunOptions();
        string[] inputs = [.. session.InputMetadata.Keys];
        OrtValue[] values = [.. inputs.Select(name => Row(session.InputMetadata[name].Dimensions[1]))];
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(runOptions, inputs, values, session.OutputNames);
        Array.ForEach(values, static value => value.Dispose());
        return outputs.Count;
    }

    private static OrtValue Row(int columns)
    {
        var row = new float[columns];
        row.AsSpan().Fill(0.5f);
        return OrtValue.CreateTensorValueFromMemory(row, [1, columns]);
    }
}
