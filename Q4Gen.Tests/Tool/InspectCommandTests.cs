using System.Text.Json;
using Q4Gen.Tests.Import;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Inspect;

namespace Q4Gen.Tests.Tool;

/// <summary><c>q4gen inspect</c>.</summary>
public class InspectCommandTests
{
    [Fact]
    public async Task LayersSayWhichAttributeTheyNeed()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        JsonElement report = await ToolRun.Json("inspect", input, "--group", "32");
        Assert.Equal("safetensors", report.GetProperty("format").GetString());
        Assert.Equal(13, report.GetProperty("tensors").GetArrayLength());
        Assert.Equal("pt", report.GetProperty("metadata").GetProperty("format").GetString());
        JsonElement layer = Assert.Single(report.GetProperty("layers").EnumerateArray(), layer => layer.GetProperty("name").GetString() == "model.layers.1.self_attn.q_proj");
        Assert.Equal("[Linear4Bit(In = 64, Out = 64, Group = 32, Bias = true)]", layer.GetProperty("attribute").GetString());
        Assert.Equal(64 * 32 + 64 * 2 * 2, layer.GetProperty("bytesIn4Bits").GetInt64());
        Assert.False(report.TryGetProperty("scales", out _));

        await ToolRun.Json("convert", input, folder["out"], "--group", "16", "--affine");
        report = await ToolRun.Json("inspect", folder["out"]);
        layer = Assert.Single(report.GetProperty("layers").EnumerateArray(), layer => layer.GetProperty("name").GetString() == "model.layers.0.mlp.down_proj");
        Assert.Equal("[Linear4Bit(In = 96, Out = 64, Group = 16, Affine = true)]", layer.GetProperty("attribute").GetString());
    }

    [Fact]
    public async Task ScalesAreCountedByTheirSize()
    {
        using var folder = new TemporaryFolder();
        Half[] scales = [(Half)1, (Half)1.99, (Half)(-2), (Half)0, Half.Epsilon, Half.MaxValue, (Half)(-0.75), (Half)0.5];
        var tensors = new Dictionary<string, WeightTensor>
        {
            ["a.weight_4bit"] = WeightTensor.FromByte(new byte[8 * 16], 8, 16),
            ["a.scales_4bit"] = WeightTensor.FromHalf(scales, 8, 1),
        };
        string input = folder.Write("m.safetensors", new TensorDictionary(tensors));
        JsonElement found = (await ToolRun.Json("inspect", input)).GetProperty("scales");
        Assert.Equal((8, 1, 2, 0), (Number("total"), Number("zero"), Number("negative"), Number("notFinite")));
        var bins = found.GetProperty("bins").EnumerateArray().ToDictionary(bin => bin.GetProperty("exponent").GetInt32(), bin => bin.GetProperty("count").GetInt32());
        Assert.Equal(Enumerable.Range(-24, 40), bins.Keys);
        Assert.Equal([(-24, 1), (-1, 2), (0, 2), (1, 1), (15, 1)], bins.Where(bin => bin.Value != 0).Select(bin => (bin.Key, bin.Value)));

        ToolRun run = await ToolRun.Of("inspect", input);
        Assert.Contains("8 scales, 25 % negative, 1 zero; by size", run.Output);
        Assert.Matches(@"2\^-1\s+█+ 2\s", run.Output);
        Assert.DoesNotContain("scales,", (await ToolRun.Of("inspect", input, "--no-scales")).Output);

        int Number(string name) => found.GetProperty(name).GetInt32();
    }

    [Fact]
    public async Task BlocksThatRepeatAreOneLine()
    {
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama(TensorType.F16, blocks: 12));
        ToolRun run = await ToolRun.Of("inspect", input);
        Assert.Equal("", run.Error);
        Assert.Matches(@"model\.layers\.\{0-11\}\.mlp\.up_proj\.weight\s+F16\s+\[96, 64\]\s+147\.5 kB\s+12\s", run.Output);
        Assert.Matches(@"model\.layers\.\{0-11\}\.mlp\.up_proj\s+F16\s+\[Linear4Bit\(In = 64, Out = 96, Group = 128\)\]", run.Output);
        Assert.Contains("36 linear layers", run.Output);
        string all = (await ToolRun.Of("inspect", input, "--all")).Output;
        Assert.All(Enumerable.Range(0, 12), i => Assert.Contains($"model.layers.{i}.mlp.up_proj.weight ", all));
    }

    [Fact]
    public void NumbersAreGatheredIntoRanges()
    {
        string[] names = ["h.3.w", "h.0.w", "h.1.w", "h.7.w", "a", "h.1.2.w", "h.1.3.w", "5"];
        Assert.Equal(
            [("h.{0-1,3,7}.w", 4), ("a", 1), ("h.1.2.w", 1), ("h.1.3.w", 1), ("5", 1)],
            NamePattern.Group(names, name => name, _ => "").Select(group => (group.Name, group.Count)));
        Assert.Equal(["h.{0-1}.w", "h.2.w"], NamePattern.Group(["h.0.w", "h.1.w", "h.2.w"], name => name, name => name == "h.2.w" ? "other" : "").Select(group => group.Name));
    }

    [Fact]
    public async Task NamesFromFilesDoNotSteerTheTerminal()
    {
        using var folder = new TemporaryFolder();
        var tensors = new Dictionary<string, WeightTensor> { ["[red]\u001b[2J\n.weight"] = ToolModels.Floats(TensorType.F32, 1, 4, 8) };
        string input = folder.Write("m.safetensors", new TensorDictionary(tensors, metadata: new Dictionary<string, string> { ["a\u001b]0;x"] = "b\u0007\r\nc" }));
        ToolRun run = await ToolRun.Of("inspect", input);
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Contains(@"[red]\u001b[2J\u000a.weight", run.Output);
        Assert.DoesNotContain(run.Output, c => char.IsControl(c) && c != '\n');
    }
}
