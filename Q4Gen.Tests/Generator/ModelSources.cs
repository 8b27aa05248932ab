using System.Runtime.InteropServices;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Tensors for models that tests compile, and ways to get at what they load.</summary>
internal static class ModelSources
{
    /// <summary>Adds the tensors of a layer whose every scale is <paramref name="scale"/>, so that layers can be told apart.</summary>
    public static Dictionary<string, WeightTensor> AddLayer(
        this Dictionary<string, WeightTensor> tensors, string prefix, int inFeatures, int outFeatures, int group = 8, float scale = 1, bool bias = false)
    {
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        var codes = new byte[shape.WeightBytes];
        Array.Fill(codes, (byte)0x99);
        var scales = new Half[shape.ScaleCount];
        Array.Fill(scales, (Half)scale);
        tensors.Add($"{prefix}.weight_4bit", WeightTensor.FromByte(codes, outFeatures, inFeatures / 2));
        tensors.Add($"{prefix}.scales_4bit", WeightTensor.FromHalf(scales, outFeatures, shape.Groups));
        if (bias)
        {
            tensors.Add($"{prefix}.bias", WeightTensor.FromSingle(new float[outFeatures], outFeatures));
        }

        return tensors;
    }

    /// <summary>Calls the program's <c>Program.Run(IWeightSource)</c> on the tensors.</summary>
    public static object? RunOn(this LoadedProgram program, Dictionary<string, WeightTensor> tensors) =>
        program.Call("Program", "Run", new TensorDictionary(tensors));

    /// <summary>The scale that <see cref="AddLayer"/> gave a layer: every weight is 1 · scale, so a row of ones adds up to In · scale.</summary>
    public static float ScaleOf(Linear4Bit layer)
    {
        var x = new float[layer.In];
        Array.Fill(x, 1f);
        var y = new float[layer.Out];
        layer.ForwardUnpack(x, y);
        return y[0] / layer.In;
    }
}
