using Q4Gen.Testing;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tests.Tool;

/// <summary><c>q4gen scaffold</c> and <c>q4gen bench</c> as typed.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there, and nothing here depends on the processor.
public class ScaffoldCommandTests
{
    [Fact]
    public async Task ClassesGoToStandardOutputOrToAFile()
    {
        using var folder = new TemporaryFolder();
        string model = folder.Write("llama.safetensors", Quantized());
        ToolRun run = await ToolRun.Of("scaffold", model, "--namespace", "My.App", "--class", "Llama");
        Assert.Equal((ExitCode.Success, ""), (run.ExitCode, run.Error));
        Assert.StartsWith("// Written by 'q4gen scaffold' for llama.safetensors, and yours to change.\n\nusing Q4Gen;\n\nnamespace My.App;\n", run.Output, StringComparison.Ordinal);
        Assert.Contains("[Linear4Bit(In = 64, Out = 64, Group = 32, Bias = true, Name = \"self_attn.q_proj\")]\n    public partial Linear4Bit SelfAttnQProj { get; }\n", run.Output, StringComparison.Ordinal);
        GeneratorHarness.Run(run.Output, HarnessOptions.Hostile).EnsureCompiles();

        string[] toFile = ["scaffold", model, "--namespace", "My.App", "--class", "Llama", "-o", folder["Llama.cs"]];
        ToolRun written = await ToolRun.Of(toFile);
        Assert.Equal((ExitCode.Success, "", $"Wrote {folder["Llama.cs"]}: classes for 6 linear layers.\n"), (written.ExitCode, written.Output, written.Error));
        Assert.Equal(run.Output, await File.ReadAllTextAsync(folder["Llama.cs"], TestContext.Current.CancellationToken));

        System.Text.Json.JsonElement report = await ToolRun.Json("scaffold", model, "--namespace", "My.App", "--class", "Llama");
        Assert.Equal((run.Output, 6), (report.GetProperty("text").GetString(), report.GetProperty("layers").GetInt32()));

        Assert.Contains("is there already", await ToolRun.Fails(ExitCode.Usage, toFile), StringComparison.Ordinal);
        await File.WriteAllTextAsync(folder["Llama.cs"], "old", TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Success, (await ToolRun.Of([.. toFile, "--force"])).ExitCode);
        Assert.Equal(run.Output, await File.ReadAllTextAsync(folder["Llama.cs"], TestContext.Current.CancellationToken));
        Assert.Equal(2, Directory.GetFiles(folder.Root).Length);
    }

    [Fact]
    public async Task LayersThatAreFloatsTakeTheGroupThatIsSaid()
    {
        using var folder = new TemporaryFolder();
        string model = folder.Write("floats.safetensors", ToolModels.Llama());
        ToolRun run = await ToolRun.Of("scaffold", model, "--namespace", "My", "--group", "16");
        Assert.Contains("[Linear4Bit(In = 64, Out = 96, Group = 16)]", run.Output, StringComparison.Ordinal);
        Assert.Contains("// 6 of its layers are floats: 'q4gen quantize' writes the file with 4-bit layers that these classes load.\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatIsWrongIsSaidAndNothingWritten()
    {
        using var folder = new TemporaryFolder();
        string model = folder.Write("m.safetensors", Quantized());
        string norms = folder.Write("norms.safetensors", new TensorDictionary(new Dictionary<string, WeightTensor> { ["norm.weight"] = ToolModels.Floats(TensorType.F32, 1, 8) }));
        string output = folder["out.cs"];
        Assert.StartsWith("--namespace 'No-Name' is no C# namespace", await ToolRun.Fails(ExitCode.Usage, "scaffold", model, "--namespace", "No-Name", "-o", output));
        Assert.StartsWith("--class '1' is no C# class name", await ToolRun.Fails(ExitCode.Usage, "scaffold", model, "--namespace", "A", "--class", "1", "-o", output));
        Assert.Contains("'--namespace' is required", await ToolRun.Fails(ExitCode.Usage, "scaffold", model));
        Assert.StartsWith("--group must be positive", await ToolRun.Fails(ExitCode.Usage, "scaffold", model, "--namespace", "A", "--group", "0"));
        Assert.Contains("norms.safetensors: there are no linear layers in it", await ToolRun.Fails(ExitCode.BadFile, "scaffold", norms, "--namespace", "A", "-o", output));
        Assert.Contains(folder["none"], await ToolRun.Fails(ExitCode.InputOutput, "scaffold", folder["none"], "--namespace", "A"));
        Assert.Contains("its folder", await ToolRun.Fails(ExitCode.InputOutput, "scaffold", model, "--namespace", "A", "-o", Path.Combine(folder["no"], "a.cs")));
        Assert.False(File.Exists(output));

        Assert.StartsWith("--threads must be from 1 to 1024", await ToolRun.Fails(ExitCode.Usage, "bench", model, "--threads", "0"));
        Assert.Contains("norms.safetensors: there are no linear layers in it", await ToolRun.Fails(ExitCode.BadFile, "bench", norms));
    }

    private static TensorDictionary Quantized() => Linear4BitQuantizer.QuantizeModel(
        ToolModels.Llama(), new QuantizationOptions { Group = 32 }, name => name.Contains("proj", StringComparison.Ordinal), TestContext.Current.CancellationToken);
}
