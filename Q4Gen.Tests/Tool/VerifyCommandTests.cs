using System.Text.Json;
using Q4Gen.Tests.Import;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tests.Tool;

/// <summary><c>q4gen verify</c>: what is wrong with a file, and how far it is from another.</summary>
public class VerifyCommandTests
{
    [Fact]
    public async Task AllProblemsAreNamed()
    {
        using var folder = new TemporaryFolder();
        TensorDictionary model = Linear4BitQuantizer.QuantizeModel(ToolModels.Llama(), new QuantizationOptions { Group = 32 }, name => name.Contains("proj", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        string good = folder.Write("good", model);
        ToolRun run = await ToolRun.Of("verify", good);
        Assert.Equal($"{good}: all 6 layers in 4 bits load, and all 19 tensors are finite.\n", run.Output);

        var tensors = model.Names.ToDictionary(name => name, model.Get);
        Half[] scales = new Half[96 * 2];
        scales[5] = Half.NaN;
        tensors["model.layers.0.mlp.up_proj.scales_4bit"] = WeightTensor.FromHalf(scales, 96, 2);
        tensors["model.norm.weight"] = WeightTensor.FromSingle([1, float.PositiveInfinity, .. new float[62]], 64);
        string bad = folder.Write("bad", new TensorDictionary(tensors, metadata: model.Metadata));
        run = await ToolRun.Of("verify", bad, "--json");
        Assert.Equal(ExitCode.BadFile, run.ExitCode);
        string[] problems = [.. JsonDocument.Parse(run.Output).RootElement.GetProperty("problems").EnumerateArray().Select(problem => problem.GetString()!)];
        Assert.Equal(2, problems.Length);
        Assert.Contains("model.layers.0.mlp.up_proj.scales_4bit", problems[0]);
        Assert.Equal($"{bad}: tensor 'model.norm.weight' has Infinity as its element 1, but all must be finite; the model was trained or saved wrongly, or the file is damaged.", problems[1]);
    }

    [Fact]
    public async Task LayersAreComparedWithAnotherFile()
    {
        using var folder = new TemporaryFolder();
        string floats = folder.Write("m.safetensors", ToolModels.Llama());
        await ToolRun.Json("convert", floats, folder["a"], "--group", "32", "--include", "*proj", "--include", "lm_head");
        await ToolRun.Json("convert", floats, folder["b"], "--group", "32", "--include", "*proj", "--include", "lm_head", "--affine");

        JsonElement same = await ToolRun.Json("verify", folder["a"], "--against", folder["a"], "--max-error", "0");
        Assert.All(same.GetProperty("differences").EnumerateArray(), layer => Assert.Equal((0, 1), (layer.GetProperty("relativeRms").GetDouble(), layer.GetProperty("equalShare").GetDouble())));

        // Against the floats that it was made from: the quantiser's own error, layer by layer, the head too.
        JsonElement report = await ToolRun.Json("verify", folder["a"], "--against", floats, "--max-error", "0.2");
        foreach (JsonElement layer in report.GetProperty("differences").EnumerateArray())
        {
            string name = layer.GetProperty("name").GetString()!;
            QuantizedMatrix matrix = Linear4BitQuantizer.Quantize(ToolModels.Llama().Get(name + ".weight"), 32, ct: TestContext.Current.CancellationToken);
            Assert.Equal(matrix.RelativeRmsError, layer.GetProperty("relativeRms").GetDouble(), 1e-6);
            Assert.Equal(matrix.MaxAbsoluteError, layer.GetProperty("maxAbsolute").GetDouble(), 1e-6);
        }

        Assert.Equal(7, report.GetProperty("differences").GetArrayLength());
        Assert.Equal(ExitCode.Different, (await ToolRun.Of("verify", folder["a"], "--against", floats, "--max-error", "0.05")).ExitCode);
        Assert.Equal(ExitCode.Success, (await ToolRun.Of("verify", folder["a"], "--against", folder["b"])).ExitCode);
    }

    [Fact]
    public async Task MissingAndOtherLayersAreDifferences()
    {
        using var folder = new TemporaryFolder();
        string one = folder.Write("one", ToolModels.Llama(blocks: 1));
        var tensors = ToolModels.Llama().Names.Where(name => name != "model.layers.1.self_attn.q_proj.weight").ToDictionary(name => name, ToolModels.Llama().Get);
        tensors["model.layers.0.mlp.up_proj.weight"] = ToolModels.Floats(TensorType.F32, 1, 80, ToolModels.Width);
        tensors.Remove("model.layers.0.self_attn.q_proj.bias");
        string other = folder.Write("other", new TensorDictionary(tensors));
        ToolRun run = await ToolRun.Of("verify", one, "--against", other);
        Assert.Equal(ExitCode.Different, run.ExitCode);
        Assert.Matches(@"model\.layers\.1\.mlp\.up_proj\s+64→96\s+missing", run.Output);
        Assert.Matches(@"model\.layers\.0\.mlp\.up_proj\s+64→96\s+64→80 in the other", run.Output);
        Assert.Matches(@"model\.layers\.0\.self_attn\.q_proj\s+64→64\s+no bias in the other", run.Output);
        Assert.Contains("a layer is missing or another", run.Output);
    }

    [Fact]
    public async Task ADistanceNeedsAnotherFile() =>
        Assert.Contains("name that with --against", await ToolRun.Fails(ExitCode.Usage, "verify", "x", "--max-error", "0.1"));
}
