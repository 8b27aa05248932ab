using System.Buffers.Binary;
using System.Text;

namespace Q4Gen.Tests.Runtime;

/// <summary>Hand-made files, right and wrong.</summary>
internal static class SafetensorsTestFiles
{
    /// <summary>A file of a header and data, with the true header length in front.</summary>
    public static byte[] Craft(string header, int dataBytes = 0) => Craft(Encoding.UTF8.GetBytes(header), new byte[dataBytes]);

    /// <inheritdoc cref="Craft(string, int)"/>
    public static byte[] Craft(byte[] header, byte[] data) => CraftLength((ulong)header.Length, header, data);

    /// <summary>A file that declares any header length.</summary>
    public static byte[] CraftLength(ulong declared, byte[] header, byte[] data)
    {
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, declared);
        return [.. length, .. header, .. data];
    }

    /// <summary>Opens a crafted file in memory and expects one clear rejection.</summary>
    public static string Rejected(byte[] file)
    {
        WeightFormatException e = Assert.Throws<WeightFormatException>(() => SafetensorsFile.FromMemory(file, "made.safetensors"));
        Assert.StartsWith("made.safetensors: ", e.Message);
        return e.Message;
    }

    /// <summary>Tensors of a layer with random contents.</summary>
    public static Dictionary<string, WeightTensor> Layer(
        string prefix, int inFeatures, int outFeatures, int group, bool bias = false, int seed = 1)
    {
        var random = new Random(seed);
        var shape = new Linear4BitShape(inFeatures, outFeatures, group);
        byte[] weight = new byte[shape.WeightBytes];
        random.NextBytes(weight);
        var scales = new Half[shape.ScaleCount];
        for (int i = 0; i < scales.Length; i++)
        {
            scales[i] = (Half)(random.NextSingle() - 0.5f);
        }

        var tensors = new Dictionary<string, WeightTensor>
        {
            [Join(prefix, "weight_4bit")] = WeightTensor.FromByte(weight, outFeatures, inFeatures / 2),
            [Join(prefix, "scales_4bit")] = WeightTensor.FromHalf(scales, outFeatures, shape.Groups),
        };
        if (bias)
        {
            tensors[Join(prefix, "bias")] = WeightTensor.FromSingle(Randoms(outFeatures, seed), outFeatures);
        }

        return tensors;
    }

    /// <summary>Values between −1 and 1.</summary>
    public static float[] Randoms(int count, int seed)
    {
        var random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = random.NextSingle() * 2 - 1;
        }

        return values;
    }

    /// <summary>A tensor's full name.</summary>
    public static string Join(string prefix, string suffix) => prefix.Length == 0 ? suffix : prefix + "." + suffix;

    /// <summary>All bytes of a tensor.</summary>
    public static byte[] AllBytes(this WeightTensor tensor) => tensor.Bytes(0, checked((int)tensor.ByteLength)).ToArray();
}

/// <summary>A folder that goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("q4gen-").FullName;

    public string this[string name] => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
