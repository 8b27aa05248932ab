using System.Buffers.Binary;
using Q4Gen.Import.Gguf;
using Q4Gen.Safetensors;

namespace Q4Gen.Import.Models;

/// <summary>Tells formats apart by what files hold; names count only where content says nothing.</summary>
internal static class FormatDetection
{
    private const int HeadBytes = 32;
    private const string OnnxEnd = ".onnx";
    private static ReadOnlySpan<byte> GgufMagic => "GGUF"u8;
    private static ReadOnlySpan<byte> Llama2cMagic => "24ka"u8;

    /// <summary>The container: safetensors of whatever kind are <see cref="ModelFormat.Safetensors"/>.</summary>
    /// <exception cref="IOException">The file is not there or cannot be read.</exception>
    /// <exception cref="WeightFormatException">It is nothing that is known.</exception>
    public static ModelFormat OfFile(string path)
    {
        if (Directory.Exists(path) || path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            return ModelFormat.Safetensors;
        }

        byte[] buffer = new byte[HeadBytes];
        ReadOnlySpan<byte> head;
        using (FileStream file = File.OpenRead(path))
        {
            head = buffer.AsSpan(0, file.ReadAtLeast(buffer, HeadBytes, throwOnEndOfStream: false));
        }

        if (head.StartsWith(GgufMagic))
        {
            return ModelFormat.Gguf;
        }

        if (path.EndsWith(OnnxEnd, StringComparison.OrdinalIgnoreCase))
        {
            return ModelFormat.Onnx;
        }

        // By name as well, so that what is wrong with such a file is its own reader's to say.
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) || LooksLikeSafetensors(head))
        {
            return ModelFormat.Safetensors;
        }

        if (head.StartsWith(Llama2cMagic) || LooksLikeLlama2c(head))
        {
            return ModelFormat.Llama2c;
        }

        throw new WeightFormatException(
            $"{path}: is no weight file that is known: safetensors (a file, its index or a folder), GGUF, ONNX ({OnnxEnd}) and llama2.c checkpoints are; "
            + (head.Length == 0 ? "it is empty." : $"it starts with {Convert.ToHexString(head[..Math.Min(8, head.Length)])}. PyTorch's .bin and .pt files run code when read: save them as safetensors first."));
    }

    /// <summary>What the tensors of safetensors are.</summary>
    public static ModelFormat OfTensors(IWeightSource source)
    {
        if (PackedFile.IsPacked(source))
        {
            return ModelFormat.Q4GenPacked;
        }

        IReadOnlyCollection<string> names = source.Names;
        if (names.Any(name => Ends(name, Loading.LayerTensors.WeightSuffix)))
        {
            return ModelFormat.Q4Gen;
        }

        if (names.Any(name => Ends(name, "weight_packed")))
        {
            return ModelFormat.CompressedTensors;
        }

        if (names.FirstOrDefault(name => Ends(name, "qweight")) is { } packed)
        {
            return IsAwq(source, packed) ? ModelFormat.Awq : ModelFormat.Gptq;
        }

        return names.Any(name => Ends(name, "biases") && source.TryGet(name[..^"biases".Length] + "scales", out _)) ? ModelFormat.Mlx : ModelFormat.Safetensors;
    }

    /// <summary>AWQ packs outputs, so its matrix is an eighth as wide as its scales; GPTQ packs inputs.</summary>
    private static bool IsAwq(IWeightSource source, string packed) =>
        source.TryGet(packed, out WeightTensor? weight)
        && source.TryGet(packed[..^"qweight".Length] + "scales", out WeightTensor? scales)
        && weight.Shape is [_, var words] && scales.Shape is [_, var outputs] && words != outputs;

    private static bool Ends(string name, string suffix) =>
        name.EndsWith(suffix, StringComparison.Ordinal) && (name.Length == suffix.Length || name[^(suffix.Length + 1)] == '.');

    private static bool LooksLikeSafetensors(ReadOnlySpan<byte> head) =>
        head.Length > SafetensorsText.LengthBytes
        && BinaryPrimitives.ReadUInt64LittleEndian(head) <= SafetensorsText.MaxHeaderBytes
        && head[SafetensorsText.LengthBytes] == (byte)'{';

    /// <summary>Seven integers of plausible size, of which only the vocabulary may be negative; there is no magic.</summary>
    private static bool LooksLikeLlama2c(ReadOnlySpan<byte> head)
    {
        const int integers = 7, vocabulary = 5;
        if (head.Length < integers * sizeof(int))
        {
            return false;
        }

        for (int i = 0; i < integers; i++)
        {
            int value = BinaryPrimitives.ReadInt32LittleEndian(head[(i * sizeof(int))..]);
            if ((i == vocabulary ? Math.Abs((long)value) : value) is <= 0 or > 1 << 25)
            {
                return false;
            }
        }

        return true;
    }
}
