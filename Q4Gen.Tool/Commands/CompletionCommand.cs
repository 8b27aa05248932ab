using System.CommandLine;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Commands;

/// <summary>The command <c>completion</c>: a script by which a shell asks the tool what could come next.</summary>
internal static class CompletionCommand
{
    private const string Bash = """
        _q4gen() {
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(q4gen "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _q4gen q4gen
        """;

    private const string Zsh = """
        #compdef q4gen
        _q4gen() {
            local -a found
            found=("${(@f)$(q4gen "[suggest:$CURSOR]" "$BUFFER" 2>/dev/null)}")
            compadd -- ${found:#}
            _files
        }
        compdef _q4gen q4gen
        """;

    private const string Fish = """
        complete -c q4gen -a '(q4gen "[suggest:"(commandline -C)"]" (commandline) 2>/dev/null)'
        """;

    private const string PowerShell = """
        Register-ArgumentCompleter -Native -CommandName q4gen -ScriptBlock {
            param($word, $command, $cursor)
            q4gen "[suggest:$cursor]" "$command" 2>$null | Where-Object { $_ -like "$word*" } |
                ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
        }
        """;

    private static readonly Dictionary<string, string> s_scripts = new()
    {
        ["bash"] = Bash,
        ["zsh"] = Zsh,
        ["fish"] = Fish,
        ["pwsh"] = PowerShell,
    };

    public static Command Create(ToolConsole console)
    {
        Argument<string> shell = new("SHELL") { Description = "bash, zsh, fish or pwsh." };
        shell.AcceptOnlyFromAmong([.. s_scripts.Keys]);
        var command = new Command("completion", "Prints a shell's completion script, for instance: source <(q4gen completion bash)") { shell };
        command.SetAction(result => console.Output.WriteLine(s_scripts[result.GetRequiredValue(shell)].ReplaceLineEndings("\n")));
        return command;
    }
}
