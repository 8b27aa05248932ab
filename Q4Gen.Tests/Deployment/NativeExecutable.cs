using System.Text.RegularExpressions;
using Q4Gen.Tests.Packaging;

namespace Q4Gen.Tests.Deployment;

/// <summary>A program that was compiled ahead of time, with its symbols.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="BuildOutput">What was printed when it was made.</param>
internal sealed record NativeExecutable(string Path, string BuildOutput)
{
    private string Folder => System.IO.Path.GetDirectoryName(Path)!;

    /// <summary>Runs it.</summary>
    public Task<CommandResult> RunAsync(params string[] arguments) =>
        DotnetCommand.RunAsync(Path, Folder, arguments, environment: null, TestContext.Current.CancellationToken);

    /// <summary>The assemblies that its methods come from, a line each: symbols, in the file beside it, begin with their names.</summary>
    public async Task<string> AssembliesAsync() => string.Join(
        '\n', Regex.Matches(await ToolAsync("nm", Path + ".dbg"), @"^[0-9a-f]+ [tT] ([A-Za-z0-9]+_[A-Za-z0-9]+)_", RegexOptions.Multiline).Select(static match => match.Groups[1].Value).Distinct());

    /// <summary>The machine code of a kernel, an instruction a line; empty where the executable does not have it.</summary>
    /// <param name="kernel">The kernel's name, such as <c>Gemv_4096x11008_g128_avx2</c>.</param>
    public async Task<string> DisassembleAsync(string kernel)
    {
        // Both are in the package that has the linker.
        string symbols = await ToolAsync("nm", Path);
        Match symbol = Regex.Match(symbols, $@"^[0-9a-f]+ t (\S+__{Regex.Escape(kernel)})$", RegexOptions.Multiline);
        return symbol.Success
            ? await ToolAsync("objdump", "--disassemble=" + symbol.Groups[1].Value, "--no-show-raw-insn", Path)
            : "";
    }

    private async Task<string> ToolAsync(string tool, params string[] arguments)
    {
        string program = NativeTools.Find(tool) ?? throw new FileNotFoundException($"{tool} is not on the PATH, though a linker is (Debian package binutils).");
        CommandResult result = await DotnetCommand.RunAsync(program, Folder, arguments, environment: null, TestContext.Current.CancellationToken);
        return result.EnsureSucceeded().Output;
    }
}
