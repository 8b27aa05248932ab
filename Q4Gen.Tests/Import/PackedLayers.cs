using Q4Gen.Safetensors;
using Q4Gen.Tests.Runtime;

namespace Q4Gen.Tests.Import;

/// <summary>
/// A layer of integers as the formats mean it, <c>w[o, k] = (q[o, k] − zero[o, g]) · scale[o, g]</c>, and its tensors in each
/// of them, packed nibble by nibble.
/// </summary>
internal sealed class PackedLayers(int inFeatures, int outFeatures, int group, int seed, bool symmetric = false)
{
    private readonly Random _random = new(seed);
    private int[,]? _codes;
    private int[,]? _zeros;
    private double[,]? _scales;

    public int In => inFeatures;

    public int Out => outFeatures;

    public int Groups => (inFeatures + group - 1) / group;

    /// <summary>Turns every scale into what its type holds; F16 unless set.</summary>
    public Func<double, double> Round { get; init; } = value => (double)(Half)value;

    public TensorType ScaleType { get; init; } = TensorType.F16;

    public double Weight(int o, int k) => (Code(o, k) - Zero(o, k / group)) * Scale(o, k / group);

    public int Code(int o, int k) => (_codes ??= Fill(outFeatures, inFeatures, () => _random.Next(16)))[o, k];

    public int Zero(int o, int g) => symmetric ? 8 : (_zeros ??= Fill(outFeatures, Groups, () => _random.Next(16)))[o, g];

    public double Scale(int o, int g) =>
        (_scales ??= Fill(outFeatures, Groups, () => Round((_random.NextDouble() - 0.5) * 0.1)))[o, g];

    public WeightTensor Floats(int rows, int columns, Func<int, int, double> value)
    {
        var bytes = new List<byte>();
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                float single = (float)value(r, c);
                bytes.AddRange(ScaleType switch
                {
                    TensorType.F16 => BitConverter.GetBytes((Half)single),
                    TensorType.BF16 => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(single) >> 16)),
                    _ => BitConverter.GetBytes(single),
                });
            }
        }

        return new WeightTensor(ScaleType, [rows, columns], bytes.ToArray());
    }

    /// <summary>Words of eight values; <paramref name="value"/> is asked for row, word and nibble, the lowest first.</summary>
    public static WeightTensor Words(int rows, int words, Func<int, int, int, int> value, TensorType type = TensorType.I32)
    {
        byte[] bytes = new byte[rows * words * 4];
        for (int r = 0; r < rows; r++)
        {
            for (int w = 0; w < words; w++)
            {
                uint word = 0;
                for (int nibble = 7; nibble >= 0; nibble--)
                {
                    word = word * 16 + (uint)value(r, w, nibble);
                }

                BitConverter.GetBytes(word).CopyTo(bytes, (r * words + w) * 4);
            }
        }

        return new WeightTensor(type, [rows, words], bytes);
    }

    public Dictionary<string, WeightTensor> CompressedTensors(string prefix, bool withZeros = true)
    {
        var tensors = new Dictionary<string, WeightTensor>
        {
            [$"{prefix}.weight_packed"] = Words(Out, (In + 7) / 8, (o, w, i) => 8 * w + i < In ? Code(o, 8 * w + i) : 0),
            [$"{prefix}.weight_scale"] = Floats(Out, Groups, Scale),
            [$"{prefix}.weight_shape"] = new(TensorType.I64, [2], (byte[])[.. BitConverter.GetBytes((long)Out), .. BitConverter.GetBytes((long)In)]),
        };
        if (withZeros)
        {
            tensors[$"{prefix}.weight_zero_point"] = Words((Out + 7) / 8, Groups, (r, g, i) => 8 * r + i < Out ? Zero(8 * r + i, g) : 0);
        }

        return tensors;
    }

    public Dictionary<string, WeightTensor> Gptq(string prefix, bool v1, int[]? groupOfColumn = null)
    {
        var tensors = new Dictionary<string, WeightTensor>
        {
            [$"{prefix}.qweight"] = Words(In / 8, Out, (r, o, i) => Code(o, 8 * r + i)),
            [$"{prefix}.qzeros"] = Words(Groups, (Out + 7) / 8, (g, w, i) => 8 * w + i < Out ? (Zero(8 * w + i, g) + (v1 ? 15 : 0)) % 16 : 0),
            [$"{prefix}.scales"] = Floats(Groups, Out, (g, o) => Scale(o, g)),
        };
        if (groupOfColumn is not null)
        {
            tensors[$"{prefix}.g_idx"] = new(TensorType.I32, [groupOfColumn.Length], groupOfColumn.SelectMany(BitConverter.GetBytes).ToArray());
        }

        return tensors;
    }

    public Dictionary<string, WeightTensor> Awq(string prefix)
    {
        int[] order = [0, 2, 4, 6, 1, 3, 5, 7];
        return new Dictionary<string, WeightTensor>
        {
            [$"{prefix}.qweight"] = Words(In, Out / 8, (k, w, i) => Code(8 * w + order[i], k)),
            [$"{prefix}.qzeros"] = Words(Groups, Out / 8, (g, w, i) => Zero(8 * w + order[i], g)),
            [$"{prefix}.scales"] = Floats(Groups, Out, (g, o) => Scale(o, g)),
        };
    }

    /// <summary>Affine: <c>q · scale + bias</c>, with the bias that a zero point comes to, rounded to the type of scales.</summary>
    public Dictionary<string, WeightTensor> Mlx(string prefix) => new()
    {
        [$"{prefix}.weight"] = Words(Out, In / 8, (o, w, i) => Code(o, 8 * w + i), TensorType.U32),
        [$"{prefix}.scales"] = Floats(Out, Groups, Scale),
        [$"{prefix}.biases"] = Floats(Out, Groups, MlxBias),
    };

    public double MlxBias(int o, int g) => Round(-Zero(o, g) * Scale(o, g));

    public double MlxWeight(int o, int k) => Code(o, k) * Scale(o, k / group) + MlxBias(o, k / group);

    /// <summary>A safetensors file of the tensors, for readers to be fed with spoiled ones; made in memory, for there are many.</summary>
    public static byte[] File(Dictionary<string, WeightTensor> tensors)
    {
        var data = new MemoryStream();
        var entries = new List<string>();
        foreach ((string name, WeightTensor tensor) in tensors)
        {
            long begin = data.Length;
            data.Write(tensor.AllBytes());
            entries.Add($"\"{name}\":{{\"dtype\":\"{SafetensorsText.TypeName(tensor.Type)}\",\"shape\":[{string.Join(",", tensor.Shape)}],\"data_offsets\":[{begin},{data.Length}]}}");
        }

        return SafetensorsTestFiles.Craft(System.Text.Encoding.UTF8.GetBytes("{" + string.Join(",", entries) + "}"), data.ToArray());
    }

    private static T[,] Fill<T>(int rows, int columns, Func<T> next)
    {
        var values = new T[rows, columns];
        for (int r = 0; r < rows; r++)
        {
            for (int c = 0; c < columns; c++)
            {
                values[r, c] = next();
            }
        }

        return values;
    }
}
