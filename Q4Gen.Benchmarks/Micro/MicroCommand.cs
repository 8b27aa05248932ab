using System.CommandLine;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Q4Gen.Benchmarks.Micro;

/// <summary>The command <c>bdn</c>: BenchmarkDotNet on what a call is made of.</summary>
internal static class MicroCommand
{
    /// <summary>Creates the command; all that follows it goes to BenchmarkDotNet.</summary>
    public static Command Create()
    {
        var command = new Command("bdn", "Micro-benchmarks by BenchmarkDotNet, in this process; takes its options, such as --filter *Small*.");
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(static result => Run([.. result.UnmatchedTokens]));
        return command;
    }

    /// <summary>In this process, whatever job is asked for: nothing is built and restored before each benchmark.</summary>
    private static int Run(string[] arguments)
    {
        IConfig config = DefaultConfig.Instance.AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).AsMutator());
        var summaries = BenchmarkSwitcher
            .FromTypes([typeof(SmallLayer), typeof(ActivationPacking), typeof(PanelPacking), typeof(HandOver)])
            .Run(arguments.Length == 0 ? ["--filter", "*"] : arguments, config);
        return summaries.All(static summary => !summary.HasCriticalValidationErrors && summary.Reports.All(static report => report.Success)) ? 0 : 1;
    }
}
