using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Q4Gen.Import.Gguf;
using Q4Gen.Tests.Import;
using Q4Gen.Tests.Kernels;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tests.Tool;

/// <summary>What is wrong ends in one sentence and its exit code, and nothing is left behind.</summary>
public class ToolErrorTests
{
    [Fact]
    public async Task CommandLinesThatAreWrong()
    {
        Assert.Equal("Required command was not provided.", await ToolRun.Fails(ExitCode.Usage));
        Assert.Equal("Unrecognized command or argument 'bogus'.", await ToolRun.Fails(ExitCode.Usage, "bogus"));
        Assert.Equal("Required argument 'FILE' missing for command: 'inspect'.", await ToolRun.Fails(ExitCode.Usage, "inspect"));
        Assert.StartsWith("--group is '0'", await ToolRun.Fails(ExitCode.Usage, "convert", "a", "b", "--group", "0"));
        Assert.StartsWith("--group must be positive", await ToolRun.Fails(ExitCode.Usage, "inspect", "a", "--group", "-1"));
        Assert.Contains("'best' not recognized", await ToolRun.Fails(ExitCode.Usage, "convert", "a", "b", "--method", "best"));
    }

    [Fact]
    public async Task FilesThatAreNotThereOrNothingKnown()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(folder["no"], await ToolRun.Fails(ExitCode.InputOutput, "inspect", folder["no"]));
        Assert.Contains("neither model.safetensors nor", await ToolRun.Fails(ExitCode.BadFile, "inspect", folder.Root));
        File.WriteAllText(folder["text"], "hello, world");
        Assert.StartsWith($"{folder["text"]}: is no weight file that is known", await ToolRun.Fails(ExitCode.BadFile, "verify", folder["text"]));
        File.WriteAllText(folder["empty"], "");
        Assert.EndsWith("it is empty.", await ToolRun.Fails(ExitCode.BadFile, "inspect", folder["empty"]));
        foreach (string name in new[] { "e.safetensors", "e.onnx" })
        {
            File.WriteAllText(folder[name], "");
            Assert.StartsWith(folder[name], await ToolRun.Fails(ExitCode.BadFile, "convert", folder[name], folder["out"]));
        }

        folder.Write("norms", new TensorDictionary(new Dictionary<string, WeightTensor> { ["norm.weight"] = ToolModels.Floats(TensorType.F32, 1, 8) }));
        Assert.Contains("has no matrix to quantise", await ToolRun.Fails(ExitCode.BadFile, "convert", folder["norms"], folder["out"]));
        Assert.False(File.Exists(folder["out"]));
    }

    [Theory]
    [InlineData("../model-1.safetensors")]
    [InlineData("/etc/model-1.safetensors")]
    [InlineData("sub/model-1.safetensors")]
    [InlineData(@"..\model-1.safetensors")]
    [InlineData("C:model-1.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    public async Task ShardsOutsideTheFolderAreRefused(string shard)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder["m"]);
        File.WriteAllText(
            Path.Combine(folder["m"], "model.safetensors.index.json"),
            JsonSerializer.Serialize(new { weight_map = new Dictionary<string, string> { ["a.weight"] = shard } }));
        SafetensorsWriter.Write(folder["model-1.safetensors"], new Dictionary<string, WeightTensor> { ["a.weight"] = ToolModels.Floats(TensorType.F32, 1, 8, 8) });
        Assert.Contains("is a plain file name beside the index", await ToolRun.Fails(ExitCode.BadFile, "convert", folder["m"], folder["out"]));
        Assert.False(File.Exists(folder["out"]));
    }

    [Fact]
    public async Task NothingIsWrittenThroughALink()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Making a link needs a privilege on Windows.");
        using var folder = new TemporaryFolder();
        string input = folder.Write("m.safetensors", ToolModels.Llama());
        File.WriteAllText(folder["precious"], "mine");
        File.CreateSymbolicLink(folder["out"], folder["precious"]);
        await ToolRun.Fails(ExitCode.Usage, "convert", input, folder["out"]);
        await ToolRun.Json("convert", input, folder["out"], "--force");
        Assert.Equal("mine", File.ReadAllText(folder["precious"]));
        Assert.Null(new FileInfo(folder["out"]).LinkTarget);

        // One that leads nowhere.
        File.CreateSymbolicLink(folder["dangling"], folder["nowhere"]);
        await ToolRun.Json("convert", input, folder["dangling"], "--force");
        Assert.False(File.Exists(folder["nowhere"]));

        // Models that a cache keeps as links are read.
        File.CreateSymbolicLink(folder["link.safetensors"], input);
        await ToolRun.Json("inspect", folder["link.safetensors"]);
    }

    [Fact]
    public async Task NamesFromFilesAreNoPaths()
    {
        using var folder = new TemporaryFolder();
        var tensors = new Dictionary<string, WeightTensor> { ["../../escape.weight"] = ToolModels.Floats(TensorType.F32, 1, 8, 8), ["/etc/x.weight"] = ToolModels.Floats(TensorType.F32, 2, 8, 8) };
        Directory.CreateDirectory(folder["in"]);
        Directory.CreateDirectory(folder["out"]);
        string input = folder.Write("in/m.safetensors", new TensorDictionary(tensors));
        await ToolRun.Json("convert", input, folder["out/a"]);
        Assert.Equal([folder["in"], folder["in/m.safetensors"], folder["out"], folder["out/a"]], Directory.EnumerateFileSystemEntries(folder.Root, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ALayerThatCannotBeConvertedLeavesNothingBehind()
    {
        using var folder = new TemporaryFolder();
        byte[] blocks = ImportChecks.RandomBlocks(GgufTensorType.Q4_0, 512 * 6, 1);
        BitConverter.GetBytes(Half.NaN).CopyTo(blocks, 18 * 20);
        File.WriteAllBytes(folder["m"], new GgufBuilder().Tensor("a.weight", GgufTensorType.Q4_0, [512, 6], blocks).Build());
        Assert.Contains("the scale of row 1, group 4 is NaN", await ToolRun.Fails(ExitCode.BadFile, "convert", folder["m"], folder["out"]));
        Assert.Equal([folder["m"]], Directory.GetFileSystemEntries(folder.Root));
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task ASignalLeavesNothingBehind(string signal)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Signals are sent by kill, and env of GNU takes them up again.");
        using var folder = new TemporaryFolder();

        // Seconds of search, sixteen times, so that the signal meets it at work.
        WeightTensor matrix = ToolModels.Floats(TensorType.F16, 1, 2048, 2048);
        var tensors = Enumerable.Range(0, 16).ToDictionary(i => $"layers.{i}.proj.weight", _ => matrix);
        string input = folder.Write("m.safetensors", new TensorDictionary(tensors));
        // A shell that runs these tests in the background has SIGINT ignored, which a child would inherit.
        var start = new ProcessStartInfo("env", [$"--default-signal={signal}", ChildProcess.DotnetHost(), typeof(ExitCode).Assembly.Location, "quantize", input, folder["out"], "--affine", "--group", "32"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        while (Directory.GetFiles(folder.Root, "out.*.tmp").Length == 0 && !process.HasExited)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        Process.Start("kill", [$"-{signal}", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]).WaitForExit();
        string error = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal((ExitCode.Interrupted, "q4gen: interrupted; no output was left behind.\n"), (process.ExitCode, error));
        Assert.Equal([input], Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public async Task AShellCompletesCommandsAndOptions()
    {
        ToolRun run = await ToolRun.Of("[suggest:8]", "q4gen in");
        Assert.Equal("inspect\n", run.Output);
        run = await ToolRun.Of("[suggest:21]", "q4gen convert a b --m");
        Assert.Equal("--method\n", run.Output);
        foreach (string shell in new[] { "bash", "zsh", "fish", "pwsh" })
        {
            run = await ToolRun.Of("completion", shell);
            Assert.Contains("[suggest:", run.Output);
            Assert.DoesNotContain("\r", run.Output);
        }

        Assert.SkipUnless(File.Exists("/bin/bash"), "There is no bash here.");
        using var folder = new TemporaryFolder();
        var script = new StringBuilder()
            .AppendLine($"q4gen() {{ '{ChildProcess.DotnetHost()}' '{typeof(ExitCode).Assembly.Location}' \"$@\"; }}")
            .AppendLine((await ToolRun.Of("completion", "bash")).Output)
            .AppendLine("COMP_LINE='q4gen quantize a b --af'; COMP_POINT=23; COMP_WORDS=(q4gen quantize a b --af); COMP_CWORD=4; _q4gen; echo \"${COMPREPLY[@]}\"");
        await File.WriteAllTextAsync(folder["s"], script.ToString().ReplaceLineEndings("\n"), TestContext.Current.CancellationToken);
        using Process bash = Process.Start(new ProcessStartInfo("/bin/bash", [folder["s"]]) { RedirectStandardOutput = true })!;
        Assert.Equal("--affine\n", await bash.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
    }
}
