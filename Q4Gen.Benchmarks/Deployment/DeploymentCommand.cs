using System.CommandLine;
using Q4Gen.Benchmarks.Machine;
using static Q4Gen.Benchmarks.Calls.LayerData;

namespace Q4Gen.Benchmarks.Deployment;

/// <summary>
/// The command <c>deployment</c>: size, time to the first token, and speed of the Storyteller as a native executable and
/// for the JIT, beside ONNX Runtime. <c>scripts/deployment.sh</c> publishes the programs first.
/// </summary>
internal static class DeploymentCommand
{
    private const string Storyteller = "AotStoryteller";

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var folder = new Argument<DirectoryInfo>("folder") { Description = "Where scripts/deployment.sh has published the programs." };
        Option<int> starts = Number("--starts", "Starts of each program.", standard: 31, min: 1, max: 1000);
        Option<int> stories = Number("--stories", "Processes that tell stories, of each program.", standard: 9, min: 1, max: 1000);
        var command = new Command("deployment", "The Storyteller as it is deployed: size, time to the first token, tokens a second.") { folder, starts, stories };
        command.SetAction(result => Run(result.GetRequiredValue(folder).FullName, result.GetRequiredValue(starts), result.GetRequiredValue(stories)));
        return command;
    }

    private static void Run(string folder, int starts, int stories)
    {
        DeployedProgram[] programs = [.. Programs(folder)];
        double[][] first = Interleave(programs, starts, static program => program.MeasureStart());
        DeployedProgram[] tellers = [.. programs.Where(static program => program.Tokens is not null)];
        double[][] tokens = Interleave(tellers, stories, static program => program.MeasureTokens());

        MachineDescription machine = MachineDescription.Current();
        Line($"{machine.Processor}, {machine.Processors} processors, {machine.OperatingSystem}; {starts} starts, {stories} × stories, interleaved; medians");
        Line($"{"program",-42}{"MB on disk",12}{"first token ms",16}{"fastest",10}{"tokens/s",10}{"to JIT",9}");
        double jit = Spread.Of(tokens[Array.FindIndex(tellers, static program => program.Folder.EndsWith("jit", StringComparison.Ordinal))]).Median;
        for (int i = 0; i < programs.Length; i++)
        {
            Spread start = Spread.Of(first[i]);
            int teller = Array.IndexOf(tellers, programs[i]);
            double? speed = teller < 0 ? null : Spread.Of(tokens[teller]).Median;
            Line($"{programs[i].Name,-42}{programs[i].Size / 1e6,12:F1}{start.Median,16:F1}{start.Min,10:F1}{speed,10:N0}{speed / jit,9:F2}");
        }
    }

    private static IEnumerable<DeployedProgram> Programs(string folder)
    {
        // By the last of many rounds everything has been compiled.
        string[] one = ["--tokens", "1"], many = ["--tokens", "400", "--rounds", "40"];
        yield return new("native executable (NativeAOT)", Path.Combine(folder, "aot"), Storyteller, one, many);
        yield return new("self-contained, JIT, one file", Path.Combine(folder, "jit"), Storyteller, one, many);
        yield return new("self-contained, ReadyToRun, one file", Path.Combine(folder, "r2r"), Storyteller, one, many);
        string onnx = Path.Combine(folder, "onnx");
        yield return new("ONNX Runtime, self-contained, layers alone", onnx, "OnnxLayers", ["run", Path.Combine(onnx, "layers.onnx")], null);
    }

    /// <summary>One measurement of each program in turn, another program first in each round; the first round does not count.</summary>
    private static double[][] Interleave(DeployedProgram[] programs, int rounds, Func<DeployedProgram, double> measure)
    {
        double[][] results = [.. programs.Select(_ => new double[rounds])];
        for (int round = -1; round < rounds; round++)
        {
            for (int turn = 0; turn < programs.Length; turn++)
            {
                int program = (turn + round + 1) % programs.Length;
                double result = measure(programs[program]);
                if (round >= 0)
                {
                    results[program][round] = result;
                }
            }
        }

        return results;
    }
}
