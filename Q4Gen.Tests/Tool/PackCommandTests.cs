using System.Text.Json;
using Q4Gen.Import;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Import;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tests.Tool;

/// <summary><c>q4gen pack</c>, and what the other commands make of its files.</summary>
public class PackCommandTests
{
    private const string FloatLayer = "model.layers.1.mlp.down_proj";

    [Theory]
    [InlineData(false), InlineData(true)]
    public async Task APackedModelIsTheSameModel(bool hash)
    {
        using var folder = new TemporaryFolder();
        string rows = await Small(folder);
        string packed = folder["packed"];
        JsonElement report = await ToolRun.Json(["pack", rows, "-o", packed, .. hash ? ["--hash"] : Array.Empty<string>()]);
        Assert.Equal(("q4Gen", "R16K8", 5, 1), (report.GetProperty("format").GetString(), report.GetProperty("layout").GetString(), report.GetProperty("layers").GetInt32(), report.GetProperty("floats").GetInt32()));
        Assert.Equal(new FileInfo(packed).Length, report.GetProperty("outputBytes").GetInt64());
        Assert.Equal(0, report.GetProperty("rounded").GetArrayLength());
        using (SafetensorsFile one = SafetensorsFile.Open(rows), other = SafetensorsFile.Open(packed))
        {
            Assert.Equal(hash ? other.Names.Count - 1 : 0, report.GetProperty("hashes").GetInt32());
            using Linear4Bit expected = Linear4Bit.Load(one, "model.layers.0.self_attn.q_proj"), found = Linear4Bit.Load(other, "model.layers.0.self_attn.q_proj");
            Assert.True(found.IsMapped && found.HasBias);
            PackedModels.AssertSame(expected, found, "q_proj");
        }

        // Seen as rows it is the file that it was made from, and that is what it is written back to.
        JsonElement inspected = await ToolRun.Json("inspect", packed), before = await ToolRun.Json("inspect", rows);
        Assert.Equal("q4GenPacked", inspected.GetProperty("format").GetString());
        Assert.Equal(before.GetProperty("scales").ToString(), inspected.GetProperty("scales").ToString());
        Assert.Equal(Attributes(before), Attributes(inspected));
        Assert.All(inspected.GetProperty("layers").EnumerateArray().Where(static layer => layer.GetProperty("name").GetString() != FloatLayer), static layer => Assert.Equal("R16K8", layer.GetProperty("format").GetString()));
        await ToolRun.Json("verify", packed, "--against", rows, "--max-error", "0");
        await ToolRun.Json("convert", packed, folder["back"]);
        Assert.Equal(File.ReadAllBytes(rows), File.ReadAllBytes(folder["back"]));
        Assert.Equal((await ToolRun.Of("scaffold", rows, "--namespace", "N")).Output.Replace("rows", "x", StringComparison.Ordinal), (await ToolRun.Of("scaffold", packed, "--namespace", "N")).Output.Replace("packed", "x", StringComparison.Ordinal));

        static string[] Attributes(JsonElement report) => [.. report.GetProperty("layers").EnumerateArray()
            .Select(static layer => $"{layer.GetProperty("name").GetString()}: {layer.GetProperty("attribute").GetString()}").Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task TheReportSaysWhatStaysFloats()
    {
        using var folder = new TemporaryFolder();
        string rows = await Small(folder);
        ToolRun run = await ToolRun.Of("pack", rows, "--output", folder["packed"], "--hash");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Matches(@"packed: 5 layers in layout R16K8, [0-9]+ hashes; [0-9.]+ kB became [0-9.]+ kB in [0-9.]+ s \(.*/s\)\.\nStill floats: 1 of 6 linear layers; 'q4gen quantize' makes 4-bit layers of such\.\n$", run.Output);
        run = await ToolRun.Of("verify", folder["packed"]);
        Assert.Matches("all 5 layers in 4 bits load, and all 18 tensors are finite; all [0-9]+ hashes are right\\.\n$", run.Output);
        Assert.Equal(0, run.ExitCode);
    }

    [Fact]
    public async Task DamageIsNamed()
    {
        using var folder = new TemporaryFolder();
        string packed = folder["packed"];
        await ToolRun.Json("pack", await Small(folder), "-o", packed, "--hash");
        byte[] bytes = File.ReadAllBytes(packed);
        using (SafetensorsFile file = SafetensorsFile.Open(packed))
        {
            // The last weight of a layer, the last float of a norm, and nothing that is not finite.
            foreach (string name in (string[])["model.layers.1.mlp.up_proj.weight_r16k8", "model.norm.weight"])
            {
                byte[] tensor = file.Get(name).AllBytes();
                bytes[bytes.AsSpan().IndexOf(tensor) + tensor.Length - 4] ^= 1;
            }
        }

        File.Delete(packed);
        File.WriteAllBytes(packed, bytes);
        ToolRun run = await ToolRun.Of("verify", packed, "--json");
        Assert.Equal(ExitCode.BadFile, run.ExitCode);
        string[] problems = [.. JsonDocument.Parse(run.Output).RootElement.GetProperty("problems").EnumerateArray().Select(static problem => problem.GetString()!)];
        Assert.Equal(2, problems.Length);
        Assert.StartsWith($"{packed}: tensor 'model.layers.1.mlp.up_proj.weight_r16k8' has SHA-256", problems[0]);
        Assert.StartsWith($"{packed}: tensor 'model.norm.weight' has SHA-256", problems[1]);

        // Another version's file says so wherever it is opened.
        SafetensorsWriter.Write(folder["other"], new Dictionary<string, WeightTensor> { ["a.weight_r32k8"] = WeightTensor.FromByte([1], 1) }, PackedModels.Metadata("R32K8"));
        foreach (string command in (string[])["verify", "inspect"])
        {
            Assert.Equal(
                $"{folder["other"]}: records q4gen_layout 'R32K8', but this version reads 'R16K8'; run 'q4gen pack' again on the model that it was made from.",
                await ToolRun.Fails(ExitCode.BadFile, command, folder["other"]));
        }
    }

    [Fact]
    public async Task WhatIsNotIn4BitsIsQuantisedFirst()
    {
        using var folder = new TemporaryFolder();
        string floats = folder.Write("m.safetensors", ToolModels.Llama());
        Assert.Equal(
            $"{floats}: has no layer in 4 bits, which is what packing takes; 'q4gen quantize' or 'q4gen convert' makes such a file of it first.",
            await ToolRun.Fails(ExitCode.BadFile, "pack", floats, "-o", folder["out"]));

        const int rows = 6, columns = 512;
        byte[] q40 = ImportChecks.RandomBlocks(GgufTensorType.Q4_0, rows * columns, 1), q6k = ImportChecks.RandomBlocks(GgufTensorType.Q6_K, rows * columns, 2);
        File.WriteAllBytes(folder["mixed"], new GgufBuilder()
            .Tensor("up.weight", GgufTensorType.Q4_0, [columns, rows], q40).Tensor("down.weight", GgufTensorType.Q6_K, [columns, rows], q6k).Build());
        Assert.Equal(
            $"{folder["mixed"]}: layer 'down' is Q6_K, but packing takes layers in 4 bits and changes no weight; 'q4gen convert' quantises it first.",
            await ToolRun.Fails(ExitCode.BadFile, "pack", folder["mixed"], "-o", folder["out"]));
        Assert.False(File.Exists(folder["out"]));

        // Formats of 4 bits are packed at once, and what F16 had to round is told.
        byte[] q4k = ImportChecks.RandomBlocks(GgufTensorType.Q4_K, rows * columns, 3);
        File.WriteAllBytes(folder["four"], new GgufBuilder()
            .Tensor("up.weight", GgufTensorType.Q4_0, [columns, rows], q40).Tensor("down.weight", GgufTensorType.Q4_K, [columns, rows], q4k).Build());
        JsonElement report = await ToolRun.Json("pack", folder["four"], "-o", folder["out"]);
        Assert.Equal("down", Assert.Single(report.GetProperty("rounded").EnumerateArray()).GetProperty("name").GetString());
        Assert.Matches(@"down +Q4_K +[0-9.E-]+ +[0-9.E-]+", (await ToolRun.Of("pack", folder["four"], "-o", folder["out"], "--force")).Output);
        using SafetensorsFile packed = SafetensorsFile.Open(folder["out"]);
        using var gguf = ModelFile.Open(folder["four"]);
        foreach (string name in (string[])["up", "down"])
        {
            using Linear4Bit expected = Linear4Bit.Load(gguf.Source, name), found = Linear4Bit.Load(packed, name);
            PackedModels.AssertSame(expected, found, name);
        }
    }

    [Fact]
    public async Task OutputsAreReplacedOnlyWhereThatIsAskedFor()
    {
        using var folder = new TemporaryFolder();
        string rows = await Small(folder);
        File.WriteAllText(folder["out"], "mine");
        Assert.Equal($"{folder["out"]} is there already; name another file, or replace it with --force.", await ToolRun.Fails(ExitCode.Usage, "pack", rows, "-o", folder["out"]));
        Assert.Equal("mine", File.ReadAllText(folder["out"]));
        Assert.Contains("Option '--output' is required", await ToolRun.Fails(ExitCode.Usage, "pack", rows));

        // The very file that is read; packing what is packed adds or drops hashes and changes nothing else.
        await ToolRun.Json("pack", rows, "-o", rows, "--force");
        await ToolRun.Json("pack", rows, "-o", folder["out"], "--hash", "--force");
        await ToolRun.Json("pack", folder["out"], "-o", folder["again"]);
        Assert.Equal(File.ReadAllBytes(rows), File.ReadAllBytes(folder["again"]));
        Assert.Empty(Directory.GetFiles(folder.Root, "*.tmp"));
    }

    [Fact]
    public void PartsOfAllKindsAreSeenAsRows()
    {
        using var folder = new TemporaryFolder();
        TensorDictionary source = PackedModels.Model();
        using var model = ModelFile.Open(folder.Pack("m", source, withHashes: true));
        Assert.Equal(ModelFormat.Q4GenPacked, model.Format);
        Assert.Equal(source.Names.Order(StringComparer.Ordinal), model.Source.Names.Order(StringComparer.Ordinal));
        Assert.All(source.Names, name => Assert.Equal((source.Get(name).ToString(), Convert.ToHexString(source.Get(name).AllBytes())), (model.Source.Get(name).ToString(), Convert.ToHexString(model.Source.Get(name).AllBytes()))));
        Assert.Equal(source.Metadata.OrderBy(static fact => fact.Key), model.Source.Metadata.OrderBy(static fact => fact.Key));
        Assert.All(model.Converted, static layer => Assert.True(layer.IsLossless));
        Assert.Equal(PackedModels.Prefixes.Order(StringComparer.Ordinal), model.Layers.Select(static layer => layer.Name).Order(StringComparer.Ordinal));
    }

    /// <summary>A small model in 4 bits, but for one layer.</summary>
    private static async Task<string> Small(TemporaryFolder folder)
    {
        string input = folder.Write("floats", ToolModels.Llama());
        await ToolRun.Json("convert", input, folder["rows"], "--group", "32", "--exclude", FloatLayer);
        return folder["rows"];
    }
}
