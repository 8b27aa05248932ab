using Q4Gen.Import;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

/// <summary>What a source hands out, read element by element.</summary>
internal static class ImportChecks
{
    public static WeightTensor Get(this IWeightSource source, string name)
    {
        Assert.True(source.TryGet(name, out WeightTensor? tensor), $"{name} is not there; {string.Join(", ", source.Names)} are.");
        return tensor;
    }

    /// <summary>All weights of a layer, <c>(nibble − 8) · scale + offset</c> in float64, row by row.</summary>
    public static double[,] Weights(this IWeightSource source, string prefix, int group)
    {
        WeightTensor weight = source.Get(prefix + ".weight_4bit");
        WeightTensor scales = source.Get(prefix + ".scales_4bit");
        bool affine = source.TryGet(prefix + ".offsets_4bit", out WeightTensor? offsets);
        Assert.Equal(TensorType.U8, weight.Type);
        Assert.Equal(TensorType.F16, scales.Type);
        byte[] bytes = weight.AllBytes();
        float[] scale = scales.ToSingleArray();
        float[]? offset = affine ? offsets!.ToSingleArray() : null;
        int rows = (int)weight.Shape[0], columns = (int)weight.Shape[1] * 2, groups = (int)scales.Shape[1];
        Assert.Equal([rows, groups], scales.Shape);
        Assert.Equal((columns + group - 1) / group, groups);
        if (affine)
        {
            Assert.Equal(TensorType.F16, offsets!.Type);
            Assert.Equal(scales.Shape, offsets.Shape);
        }

        double[,] weights = new double[rows, columns];
        for (int o = 0; o < rows; o++)
        {
            for (int k = 0; k < columns; k++)
            {
                int both = bytes[(o * columns + k) / 2];
                int g = o * groups + k / group;
                weights[o, k] = ((k % 2 == 0 ? both % 16 : both / 16) - 8.0) * scale[g] + (offset?[g] ?? 0.0);
            }
        }

        return weights;
    }

    /// <summary>Checks a layer's error figures against those of its weights, to the last bits of a sum.</summary>
    public static void AssertError(ImportedLayer layer, double[,] ours, Func<int, int, double> original)
    {
        double squares = 0, errors = 0, max = 0;
        for (int o = 0; o < ours.GetLength(0); o++)
        {
            for (int k = 0; k < ours.GetLength(1); k++)
            {
                double w = original(o, k);
                squares += w * w;
                errors += (w - ours[o, k]) * (w - ours[o, k]);
                max = Math.Max(max, Math.Abs(w - ours[o, k]));
            }
        }

        Assert.NotNull(layer.Error);
        Assert.Equal(max, layer.Error.MaxAbsolute, 1e-12 + 1e-9 * max);
        Assert.Equal(squares == 0 ? 0 : Math.Sqrt(errors / squares), layer.Error.RelativeRms, 1e-9);
        Assert.Equal(max == 0, layer.IsLossless);
    }

    /// <summary>Random blocks whose scales are finite, of a usual size and of both signs.</summary>
    public static byte[] RandomBlocks(GgufTensorType type, int elements, int seed)
    {
        (int blockElements, int blockBytes) = GgufTypes.Block(type);
        byte[] data = new byte[elements / blockElements * blockBytes];
        var random = new Random(seed);
        random.NextBytes(data);
        for (int at = 0; at < data.Length; at += blockBytes)
        {
            int d = type == GgufTensorType.Q6_K ? 208 : 0;
            Put(at + d, (random.NextDouble() - 0.5) * 0.1);
            if (type is GgufTensorType.Q4_1 or GgufTensorType.Q5_1 or GgufTensorType.Q4_K or GgufTensorType.Q5_K)
            {
                Put(at + 2, (random.NextDouble() - 0.5) * 0.5);
            }
        }

        return data;

        void Put(int at, double value) => BitConverter.GetBytes((Half)value).CopyTo(data, at);
    }

    public static byte[] Floats(GgufTensorType type, float[] values) => type switch
    {
        GgufTensorType.F32 => [.. values.SelectMany(BitConverter.GetBytes)],
        GgufTensorType.F16 => [.. values.SelectMany(value => BitConverter.GetBytes((Half)value))],
        _ => [.. values.SelectMany(value => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)))],
    };

    /// <summary>Opens and expects one clear rejection.</summary>
    public static string Rejected(Func<IDisposable> open)
    {
        WeightFormatException e = Assert.Throws<WeightFormatException>(open);
        Assert.StartsWith("made: ", e.Message);
        Assert.EndsWith(".", e.Message);
        Assert.True(e.Message.Length < 900, e.Message);
        return e.Message;
    }
}
