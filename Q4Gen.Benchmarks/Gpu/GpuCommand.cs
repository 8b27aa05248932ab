using System.CommandLine;
using ILGPU.Runtime;
using Q4Gen.Benchmarks.Compare;
using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>
/// The command <c>gpu</c>: verifies every kernel on one CUDA device against float64, then times layers in the figures of
/// scripts/gpu_peers.py. Exit code 1 where a result is wrong or the device fails, 2 where there is no device.
/// </summary>
internal static class GpuCommand
{
    private const int Wrong = 1;
    private const int Unavailable = 2;

    private static readonly int[] s_rows = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 2048];
    private static readonly int[] s_quickRows = [1, 16, 512];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var quick = new Option<bool>("--quick") { Description = "Fewer shapes and rows: ends within a minute." };
        Option<Linear4BitShape[]?> shapes = GpuOptions.Shapes();
        Option<int[]?> rows = GpuOptions.Rows();
        Option<int?> device = GpuOptions.Device();
        Option<string?> json = CompareOptions.OutputFile("--json", "Writes all figures, after each shape.", ".json");
        var verifyOnly = new Option<bool>("--verify-only") { Description = "Times nothing." };
        var emulated = new Option<bool>("--emulated") { Description = "Verifies tiny shapes on the emulated GPU.", Hidden = true };
        var command = new Command("gpu", "Layers on a CUDA device: every kernel verified against float64, then timed.")
        {
            quick, shapes, rows, device, json, verifyOnly, emulated,
        };
        command.SetAction(result =>
        {
            bool isQuick = result.GetValue(quick), isEmulated = result.GetValue(emulated);
            Linear4BitShape[]? chosen = Given(result, shapes);
            IReadOnlyList<Linear4BitShape> timed = chosen ?? (isQuick ? GpuLayers.Quick : GpuLayers.Timed);
            IReadOnlyList<Linear4BitShape> verified = chosen ?? (isEmulated ? GpuLayers.Tiny : [.. GpuLayers.Ragged, .. timed]);
            IReadOnlyList<(Linear4BitShape Shape, GpuLayerParts Parts)> withParts =
                chosen is not null ? GpuLayers.PartsOf(chosen[0]) : isEmulated ? GpuLayers.TinyWithParts : GpuLayers.WithParts;
            int[] rowCounts = [.. (Given(result, rows) ?? (isQuick ? s_quickRows : s_rows)).Order()];
            int? index = result.GetValue(device);
            try
            {
                using GpuContext gpu = isEmulated ? GpuContext.CreateEmulated() : GpuContext.Create(index);
                var run = new GpuRun(gpu, GpuMachine.Of(gpu, index), result.GetValue(json));
                run.Verify(verified, withParts, isEmulated ? GpuVerificationPlan.Tiny : GpuVerificationPlan.Full);
                if (!isEmulated && !result.GetValue(verifyOnly))
                {
                    run.Time(timed, rowCounts);
                }

                return run.IsRight ? 0 : Wrong;
            }
            catch (GpuUnavailableException exception)
            {
                Console.Error.WriteLine(exception.Message);
                return Unavailable;
            }
            catch (Exception exception) when (exception is GpuOutOfMemoryException or AcceleratorException)
            {
                Console.Error.WriteLine(exception.Message);
                return Wrong;
            }
        });
        return command;
    }

    /// <summary>A list, which without the option is empty to the parser and null here.</summary>
    private static T[]? Given<T>(ParseResult result, Option<T[]?> option) => result.GetValue(option) is { Length: > 0 } values ? values : null;
}
