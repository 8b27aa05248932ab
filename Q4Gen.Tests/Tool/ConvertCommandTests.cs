using System.Text.Json;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Import;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tests.Tool;

/// <summary><c>q4gen convert</c> and <c>quantize</c>: every format in, one format out.</summary>
public class ConvertCommandTests
{
    private static readonly string[] s_linear =
    [
        "model.layers.0.mlp.down_proj", "model.layers.0.mlp.up_proj", "model.layers.0.self_attn.q_proj",
        "model.layers.1.mlp.down_proj", "model.layers.1.mlp.up_proj", "model.layers.1.self_attn.q_proj",
    ];

    [Theory]
    [InlineData(TensorType.F32, false)]
    [InlineData(TensorType.F16, false)]
    [InlineData(TensorType.BF16, false)]
    [InlineData(TensorType.F16, true)]
    public async Task WhatIsWrittenIsWhatTheQuantiserMakes(TensorType type, bool sharded)
    {
        using var folder = new TemporaryFolder();
        TensorDictionary model = ToolModels.Llama(type);
        string input = sharded ? folder.WriteSharded("m", model) : folder.Write("m.safetensors", model);
        JsonElement report = await ToolRun.Json("convert", input, folder["out.safetensors"], "--group", "32");

        TensorDictionary expected = Linear4BitQuantizer.QuantizeModel(model, new QuantizationOptions { Group = 32 }, s_linear.Contains, TestContext.Current.CancellationToken);
        using SafetensorsFile file = SafetensorsFile.Open(folder["out.safetensors"]);
        Assert.Equal(expected.Names.Order(StringComparer.Ordinal), file.Names);
        Assert.All(file.Names, name => Assert.Equal(expected.Get(name).AllBytes(), file.Get(name).AllBytes()));
        Assert.Equal("32", file.Metadata["group_size"]);
        Assert.Equal(s_linear.Order(StringComparer.Ordinal), Names(report).Order(StringComparer.Ordinal));
        Assert.All(report.GetProperty("layers").EnumerateArray(), layer =>
        {
            Assert.Equal(type.ToString(), layer.GetProperty("from").GetString());
            Assert.InRange(layer.GetProperty("relativeRmsError").GetDouble(), 0.05, 0.15);
        });
        Assert.Equal(new FileInfo(folder["out.safetensors"]).Length, report.GetProperty("outputBytes").GetInt64());
    }

    [Fact]
    public async Task QuantizeSearchesUnlessToldOtherwise()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        double searched = Error(await ToolRun.Json("quantize", input, folder["a"], "--group", "32"));
        double signedMax = Error(await ToolRun.Json("quantize", input, folder["b"], "--group", "32", "--method", "signed-max"));
        double affine = Error(await ToolRun.Json("quantize", input, folder["c"], "--group", "32", "--affine"));
        Assert.True(searched < signedMax && affine < searched, $"{searched} {signedMax} {affine}");
        Assert.True(Linear4Bit.Load(SafetensorsFile.Open(folder["c"]), s_linear[0]).IsAffine);

        static double Error(JsonElement report) => report.GetProperty("layers").EnumerateArray().Sum(layer => layer.GetProperty("relativeRmsError").GetDouble());
    }

    [Fact]
    public async Task GlobsChooseLayers()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        Assert.Equal(
            ["model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"],
            Names(await ToolRun.Json("convert", input, folder["a"], "--include", "*.mlp.*", "--exclude", "*.down_?roj")));
        Assert.Equal(
            ["lm_head"], Names(await ToolRun.Json("convert", input, folder["b"], "--include", "lm_head")));
        Assert.Equal(
            s_linear.Where(name => !name.Contains(".0.", StringComparison.Ordinal)).Order(),
            Names(await ToolRun.Json("convert", input, folder["c"], "--exclude", "model.layers.0.*")).Order());

        string message = await ToolRun.Fails(ExitCode.Usage, "convert", input, folder["d"], "--include", "*.mlp.*", "--exclude", "*.gate_proj");
        Assert.StartsWith($"--exclude '*.gate_proj' matches no layer of {input}", message);
        message = await ToolRun.Fails(ExitCode.Usage, "convert", input, folder["d"], "--include", "nothing");
        Assert.StartsWith("--include 'nothing' matches no layer", message);
        Assert.False(File.Exists(folder["d"]));
    }

    [Fact]
    public async Task WholeRowsAreGroupsThatTheWidestLayerFills()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        await ToolRun.Json("convert", input, folder["a"], "--group", "row");
        using SafetensorsFile file = SafetensorsFile.Open(folder["a"]);
        Assert.Equal("96", file.Metadata["group_size"]);
        Assert.All(s_linear, name => Assert.Equal(1, file.Get(name + ".scales_4bit").Shape[1]));
    }

    [Fact]
    public async Task ImportanceWeighsErrors()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        float[] importance = [.. Enumerable.Range(0, ToolModels.Width).Select(i => i < 4 ? 1000f : 1f)];
        SafetensorsWriter.Write(folder["i"], new Dictionary<string, WeightTensor> { [s_linear[2]] = WeightTensor.FromSingle(importance, importance.Length) });
        JsonElement report = await ToolRun.Json("quantize", input, folder["a"], "--group", "32", "--importance", folder["i"]);
        JsonElement[] layers = [.. report.GetProperty("layers").EnumerateArray()];
        JsonElement weighted = Assert.Single(layers, layer => layer.TryGetProperty("weightedRmsError", out _));
        Assert.Equal(s_linear[2], weighted.GetProperty("name").GetString());
        Assert.True(weighted.GetProperty("weightedRmsError").GetDouble() < 0.9 * weighted.GetProperty("relativeRmsError").GetDouble());

        SafetensorsWriter.Write(folder["j"], new Dictionary<string, WeightTensor> { ["other"] = WeightTensor.FromSingle([1, 2], 2) });
        Assert.Contains("has the importance of 'other', which is no layer", await ToolRun.Fails(ExitCode.Usage, "quantize", input, folder["b"], "--importance", folder["j"]));
    }

    [Fact]
    public async Task MatricesOfGpt2AreTransposed()
    {
        using var folder = new TemporaryFolder();
        const int width = 32;
        var tensors = new Dictionary<string, WeightTensor>
        {
            ["wte.weight"] = ToolModels.Floats(TensorType.F32, 1, 50, width),
            ["h.0.attn.c_attn.weight"] = ToolModels.Floats(TensorType.F32, 2, width, 3 * width),
            ["h.0.attn.c_attn.bias"] = ToolModels.Floats(TensorType.F32, 3, 3 * width),
            ["h.0.attn.c_proj.weight"] = ToolModels.Floats(TensorType.F32, 4, width, width),
            ["h.0.mlp.c_fc.weight"] = ToolModels.Floats(TensorType.F32, 5, width, 4 * width),
        };
        await ToolRun.Json("convert", folder.Write("m.safetensors", new TensorDictionary(tensors)), folder["a"], "--group", "16");
        using SafetensorsFile file = SafetensorsFile.Open(folder["a"]);
        foreach ((string name, int outputs) in new[] { ("h.0.attn.c_attn", 3 * width), ("h.0.attn.c_proj", width), ("h.0.mlp.c_fc", 4 * width) })
        {
            float[] original = tensors[name + ".weight"].ToSingleArray();
            float[] transposed = [.. Enumerable.Range(0, width * outputs).Select(i => original[i % width * outputs + i / width])];
            QuantizedMatrix expected = Linear4BitQuantizer.Quantize(WeightTensor.FromSingle(transposed, outputs, width), 16, ct: TestContext.Current.CancellationToken);
            Assert.Equal(expected.Weight4Bit.AllBytes(), file.Get(name + ".weight_4bit").AllBytes());
        }

        Assert.True(Linear4Bit.Load(file, "h.0.attn.c_attn").HasBias);

        // The same names on ordinary layers, as GPT-BigCode has them.
        tensors["h.0.attn.c_attn.weight"] = ToolModels.Floats(TensorType.F32, 2, 3 * width, width);
        tensors["h.0.mlp.c_fc.weight"] = ToolModels.Floats(TensorType.F32, 5, 4 * width, width);
        JsonElement report = await ToolRun.Json("convert", folder.Write("n.safetensors", new TensorDictionary(tensors)), folder["b"]);
        Assert.Contains(report.GetProperty("layers").EnumerateArray(), layer => layer.GetProperty("name").GetString() == "h.0.mlp.c_fc" && layer.GetProperty("out").GetInt32() == 4 * width);
    }

    public static TheoryData<string, string, string> PackedFormats => new()
    {
        { "compressed-tensors", "compressedTensors", """{"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"}}""" },
        { "GPTQ", "gptq", """{"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32, "checkpoint_format": "gptq_v2"}}""" },
        { "AWQ", "awq", """{"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 32}}""" },
        { "MLX", "mlx", """{"quantization": {"bits": 4, "group_size": 32}}""" },
    };

    [Theory]
    [MemberData(nameof(PackedFormats))]
    public async Task PackedModelsAreRecognisedAndConverted(string name, string format, string config)
    {
        using var folder = new TemporaryFolder();
        var packed = new PackedLayers(96, 24, group: 32, seed: 3, symmetric: name != "MLX");
        Dictionary<string, WeightTensor> tensors = name switch
        {
            "compressed-tensors" => packed.CompressedTensors("a"),
            "GPTQ" => packed.Gptq("a", v1: false),
            "AWQ" => packed.Awq("a"),
            _ => packed.Mlx("a"),
        };
        folder.Write("model.safetensors", new TensorDictionary(tensors));
        await File.WriteAllTextAsync(folder["config.json"], config, TestContext.Current.CancellationToken);

        JsonElement inspected = await ToolRun.Json("inspect", folder.Root);
        Assert.Equal(format, inspected.GetProperty("format").GetString());
        Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), inspected.GetProperty("tensors").EnumerateArray().Select(tensor => tensor.GetProperty("name").GetString()!));

        JsonElement report = await ToolRun.Json("convert", folder.Root, folder["out"]);
        JsonElement layer = Assert.Single(report.GetProperty("layers").EnumerateArray());
        Assert.Equal(name != "MLX", layer.GetProperty("lossless").GetBoolean());
        using SafetensorsFile file = SafetensorsFile.Open(folder["out"]);
        double[,] weights = file.Weights("a", 32);
        for (int o = 0; o < packed.Out; o++)
        {
            for (int k = 0; k < packed.In; k++)
            {
                Assert.Equal(name == "MLX" ? packed.MlxWeight(o, k) : packed.Weight(o, k), weights[o, k], name == "MLX" ? 1.5e-4 : 1e-12);
            }
        }

        // Nothing is left to choose.
        Assert.Contains("matches no layer", await ToolRun.Fails(ExitCode.Usage, "convert", folder.Root, folder["b"], "--exclude", "a"));
        Assert.Contains("but quantize is for floats", await ToolRun.Fails(ExitCode.Usage, "quantize", folder.Root, folder["b"]));
    }

    [Fact]
    public async Task GgufKeepsItsBlocksAndQuantisesTheRest()
    {
        using var folder = new TemporaryFolder();
        const int rows = 6, columns = 512;
        byte[] q40 = ImportChecks.RandomBlocks(GgufTensorType.Q4_0, rows * columns, 1), q6k = ImportChecks.RandomBlocks(GgufTensorType.Q6_K, rows * columns, 2);
        byte[] f16 = ImportChecks.Floats(GgufTensorType.F16, SafetensorsTestFiles.Randoms(rows * columns, 3));
        File.WriteAllBytes(folder["m"], new GgufBuilder()
            .Value("general.architecture", "llama").Value("llama.attention.head_count", 3).Value("llama.attention.head_count_kv", 3)
            .Tensor("blk.0.ffn_up.weight", GgufTensorType.Q4_0, [columns, rows], q40)
            .Tensor("blk.0.ffn_down.weight", GgufTensorType.Q6_K, [columns, rows], q6k)
            .Tensor("blk.0.ffn_gate.weight", GgufTensorType.F16, [columns, rows], f16)
            .Tensor("token_embd.weight", GgufTensorType.F16, [columns, rows], f16).Build());

        JsonElement report = await ToolRun.Json("convert", folder["m"], folder["a"], "--hf-names", "--method", "search");
        Dictionary<string, JsonElement> layers = report.GetProperty("layers").EnumerateArray().ToDictionary(layer => layer.GetProperty("name").GetString()!);
        Assert.Equal(["model.layers.0.mlp.down_proj", "model.layers.0.mlp.gate_proj", "model.layers.0.mlp.up_proj"], layers.Keys.Order());
        Assert.True(layers["model.layers.0.mlp.up_proj"].GetProperty("lossless").GetBoolean());
        Assert.InRange(layers["model.layers.0.mlp.down_proj"].GetProperty("relativeRmsError").GetDouble(), 0.01, 0.2);
        using SafetensorsFile file = SafetensorsFile.Open(folder["a"]);
        QuantizedMatrix expected = Linear4BitQuantizer.Quantize(
            new WeightTensor(TensorType.F16, [rows, columns], f16), new QuantizationOptions { Group = 32, Method = QuantizationMethod.Search }, TestContext.Current.CancellationToken);
        Assert.Equal(expected.Weight4Bit.AllBytes(), file.Get("model.layers.0.mlp.gate_proj.weight_4bit").AllBytes());
        Assert.Equal(TensorType.F16, file.Get("model.embed_tokens.weight").Type);
        Assert.Equal("32", file.Metadata["group_size"]);
    }

    [Fact]
    public async Task ModelsOfLlama2cAndOnnxAreRecognised()
    {
        using var folder = new TemporaryFolder();
        var packed = new PackedLayers(64, 16, group: 32, seed: 5, symmetric: true);
        File.WriteAllBytes(folder["m.onnx"], OnnxBuilder.Model(
            OnnxBuilder.Layer(packed, 32, "x", "w", "s"),
            OnnxBuilder.Initializer("w", 2, [16, 2, 16], OnnxBuilder.Weights(packed, 32)),
            OnnxBuilder.Initializer("s", 10, [32], OnnxBuilder.Halves(packed, packed.Scale))));
        JsonElement report = await ToolRun.Json("convert", folder["m.onnx"], folder["a"]);
        Assert.True(Assert.Single(report.GetProperty("layers").EnumerateArray()).GetProperty("lossless").GetBoolean());

        string story = Examples.SharedFiles.Find("models", "stories260K", "checkpoint_legacy.bin");
        report = await ToolRun.Json("convert", story, folder["b"], "--group", "64");
        Assert.Equal(35, report.GetProperty("layers").GetArrayLength());
        Assert.Equal("llama2c", report.GetProperty("format").GetString());
    }

    [Fact]
    public async Task WhatIsIn4BitsAlreadyIsCopiedOrRefused()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        await ToolRun.Json("convert", input, folder["a"], "--group", "32");
        await ToolRun.Json("convert", folder["a"], folder["b"]);
        Assert.Equal(File.ReadAllBytes(folder["a"]), File.ReadAllBytes(folder["b"]));
        Assert.Contains("in 4 bits already", await ToolRun.Fails(ExitCode.Usage, "quantize", folder["a"], folder["c"]));

        // The head follows later, in the group that the file records.
        Assert.Contains("records group_size '32'", await ToolRun.Fails(ExitCode.BadFile, "convert", folder["a"], folder["c"], "--include", "lm_head", "--group", "64"));
        await ToolRun.Json("convert", folder["a"], folder["c"], "--include", "lm_head", "--group", "32");
        Assert.Equal(7, (await ToolRun.Json("inspect", folder["c"])).GetProperty("layers").GetArrayLength());
    }

    [Fact]
    public async Task OutputsAreReplacedOnlyWhereThatIsAskedFor()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        File.WriteAllText(folder["out"], "mine");
        Assert.Equal($"{folder["out"]} is there already; name another file, or replace it with --force.", await ToolRun.Fails(ExitCode.Usage, "convert", input, folder["out"]));
        Assert.Equal("mine", File.ReadAllText(folder["out"]));
        await ToolRun.Json("convert", input, folder["out"], "--force");
        Assert.NotEqual("mine", File.ReadAllText(folder["out"]));
        Assert.Contains("is a folder", await ToolRun.Fails(ExitCode.Usage, "convert", input, folder.Root));
        Assert.Contains("its folder", await ToolRun.Fails(ExitCode.InputOutput, "convert", input, Path.Combine(folder["no"], "x")));

        // The very file that is read.
        await ToolRun.Json("convert", input, input, "--force");
        Assert.Equal("q4Gen", (await ToolRun.Json("inspect", input)).GetProperty("format").GetString());
    }

    private static IEnumerable<string> Names(JsonElement report) => report.GetProperty("layers").EnumerateArray().Select(layer => layer.GetProperty("name").GetString()!);
}
