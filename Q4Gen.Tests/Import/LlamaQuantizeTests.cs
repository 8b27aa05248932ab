using System.Diagnostics;
using System.Text.Json;
using Q4Gen.Import;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tests.Tool;

namespace Q4Gen.Tests.Import;

/// <summary>
/// Files that llama.cpp's llama-quantize writes, against what ggml itself makes of them: the same program turns each into
/// F32 again. <c>scripts/get-llama-quantize.sh</c> brings it.
/// </summary>
[Trait(Emulated.Trait, Emulated.Never)] // The program is for this processor.
public class LlamaQuantizeTests
{
    private const int Width = 256;
    private const int MlpWidth = 512;
    private const int Vocabulary = 64;
    private const int Heads = 4;

    /// <summary>What llama-quantize is asked for, what its layers must be among others, and how far ours may be from them.</summary>
    public static TheoryData<string, GgufTensorType, double> Types => new()
    {
        { "Q4_0", GgufTensorType.Q4_0, 0 },
        // Offsets are rounded to F16, of Q4_K scales too.
        { "Q4_1", GgufTensorType.Q4_1, 5e-5 },
        { "Q4_K_M", GgufTensorType.Q4_K, 5e-4 },
        { "Q4_K_S", GgufTensorType.Q5_K, 0.1 },
        { "Q5_0", GgufTensorType.Q5_0, 0.12 },
        { "Q5_1", GgufTensorType.Q5_1, 0.1 },
        { "Q5_K_M", GgufTensorType.Q5_K, 0.1 },
        { "Q6_K", GgufTensorType.Q6_K, 0.1 },
        { "Q8_0", GgufTensorType.Q8_0, 0.1 },
        { "F16", GgufTensorType.F16, 0.1 },
        { "BF16", GgufTensorType.BF16, 0.1 },
    };

    [Theory]
    [MemberData(nameof(Types))]
    public async Task LayersAreAsFarFromGgmlsOwnAsIsReported(string name, GgufTensorType type, double largest)
    {
        string program = Find();
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["f32.gguf"], Model());
        await RunAsync(program, folder["f32.gguf"], folder["m.gguf"], name);
        await RunAsync(program, "--allow-requantize", folder["m.gguf"], folder["back.gguf"], "F32");

        JsonElement converted = await ToolRun.Json("convert", folder["m.gguf"], folder["out"]);
        JsonElement verified = await ToolRun.Json("verify", folder["out"], "--against", folder["back.gguf"]);
        Dictionary<string, JsonElement> differences = verified.GetProperty("differences").EnumerateArray().ToDictionary(layer => layer.GetProperty("name").GetString()!);
        JsonElement[] layers = [.. converted.GetProperty("layers").EnumerateArray()];
        Assert.InRange(layers.Length, 14, 15);
        Assert.Contains(layers, layer => layer.GetProperty("from").GetString() == type.ToString());
        foreach (JsonElement layer in layers)
        {
            JsonElement difference = differences[layer.GetProperty("name").GetString()!];
            double measured = difference.GetProperty("relativeRms").GetDouble();
            Assert.Equal(measured, layer.GetProperty("relativeRmsError").GetDouble(), 1e-12);
            if (layer.GetProperty("from").GetString() == type.ToString())
            {
                Assert.InRange(measured, 0, largest);
            }
        }
    }

    private static string Find()
    {
        IEnumerable<string> folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        if (Repository.Root is { } root)
        {
            folders = folders.Prepend(Path.Combine(root, "artifacts", "llama"));
        }

        string? found = folders.Select(folder => Path.Combine(folder, "llama-quantize")).FirstOrDefault(File.Exists);
        Assert.SkipUnless(found is not null, "There is no llama-quantize; scripts/get-llama-quantize.sh brings it.");
        return found!;
    }

    private static async Task RunAsync(string program, params string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, await output + await error);
    }

    /// <summary>A Llama of two blocks with all that llama.cpp asks for, in F32.</summary>
    private static byte[] Model()
    {
        GgufBuilder file = new GgufBuilder()
            .Value("general.architecture", "llama").Value("llama.block_count", 2).Value("llama.context_length", 128)
            .Value("llama.embedding_length", Width).Value("llama.feed_forward_length", MlpWidth).Value("llama.vocab_size", Vocabulary)
            .Value("llama.attention.head_count", Heads).Value("llama.attention.head_count_kv", Heads / 2)
            .Value("llama.attention.layer_norm_rms_epsilon", (uint)GgufValueType.Float32, BitConverter.GetBytes(1e-5f))
            .Value("llama.rope.dimension_count", Width / Heads).Value("tokenizer.ggml.model", "no_vocab");
        int seed = 1;
        Add("token_embd.weight", Width, Vocabulary);
        Add("output.weight", Width, Vocabulary);
        Add("output_norm.weight", Width);
        for (int i = 0; i < 2; i++)
        {
            Add($"blk.{i}.attn_norm.weight", Width);
            Add($"blk.{i}.attn_q.weight", Width, Width);
            Add($"blk.{i}.attn_k.weight", Width, Width / 2);
            Add($"blk.{i}.attn_v.weight", Width, Width / 2);
            Add($"blk.{i}.attn_output.weight", Width, Width);
            Add($"blk.{i}.ffn_norm.weight", Width);
            Add($"blk.{i}.ffn_gate.weight", Width, MlpWidth);
            Add($"blk.{i}.ffn_up.weight", Width, MlpWidth);
            Add($"blk.{i}.ffn_down.weight", MlpWidth, Width);
        }

        return file.Build();

        void Add(string name, params ulong[] sizes) => file.Tensor(
            name, GgufTensorType.F32, sizes, ImportChecks.Floats(GgufTensorType.F32, SafetensorsTestFiles.Randoms((int)sizes.Aggregate((a, b) => a * b), seed++)));
    }
}
