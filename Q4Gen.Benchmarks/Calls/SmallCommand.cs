using System.CommandLine;
using System.Diagnostics;
using Q4Gen.Benchmarks.Machine;
using static Q4Gen.Benchmarks.Calls.LayerData;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>The command <c>small</c>: layers so small that a call itself is what costs.</summary>
internal static class SmallCommand
{
    private const int Batches = 51;
    private const int CallsPerBatch = 20_000;

    /// <summary>Processor time over wall time from which on a second thread must have worked, or spun.</summary>
    private const double TwoThreads = 1.3;

    private static readonly (Linear4BitShape Shape, Linear4BitPrecision Precision)[] s_layers =
    [
        (new(128, 384, 128), Linear4BitPrecision.Exact),
        (new(128, 384, 32), Linear4BitPrecision.Exact),
        (new(128, 384, 128), Linear4BitPrecision.Int8Activations),
    ];

    /// <summary>Creates the command.</summary>
    public static Command Create()
    {
        var command = new Command("small", "One row through 128→384: time and allocation of a call, and whether it wakes a thread.");
        command.SetAction(static _ =>
        {
            Line($"{"shape",-16}{"kernel",-36}{"ns a call",10}{"fastest",10}{"bytes a call",14}{"processors",12}  second thread");
            foreach ((Linear4BitShape shape, Linear4BitPrecision precision) in s_layers)
            {
                Measure(shape, precision);
            }
        });
        return command;
    }

    private static void Measure(Linear4BitShape shape, Linear4BitPrecision precision)
    {
        using Linear4Bit layer = LayerData.Create(shape, precision);
        float[] x = Activations(shape.In), y = new float[shape.Out];
        var nanoseconds = new double[Batches];

        // The first batches are compiled as they run; the team exists from here on and its workers park.
        Batch(layer, x, y);
        Batch(layer, x, y);
        Thread.Sleep(200);
        Batch(layer, x, y);
        Quiet.Await();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        TimeSpan processor = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        for (int batch = 0; batch < Batches; batch++)
        {
            nanoseconds[batch] = Batch(layer, x, y);
        }

        double busy = (Environment.CpuUsage.TotalTime - processor) / Stopwatch.GetElapsedTime(start);
        double bytes = (GC.GetAllocatedBytesForCurrentThread() - allocated) / (double)Batches / CallsPerBatch;
        var spread = Spread.Of(nanoseconds);
        Line($"{shape,-16}{layer.Kernel.Name,-36}{spread.Median,10:F0}{spread.Min,10:F0}{bytes,14:0.######}{busy,12:F2}  {(busy < TwoThreads ? "not woken" : "woken")}");
    }

    private static double Batch(Linear4Bit layer, float[] x, float[] y)
    {
        long start = Stopwatch.GetTimestamp();
        for (int call = 0; call < CallsPerBatch; call++)
        {
            layer.Forward(x, y);
        }

        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / CallsPerBatch;
    }
}
