using Q4Gen.Benchmarks.Machine;
using Q4Gen.Import;
using Q4Gen.Kernels;

namespace Q4Gen.Tool.Bench;

/// <summary>Makes a report of samples.</summary>
internal static class BenchSummary
{
    private const double Micro = 1e6;
    private const double Giga = 1e9;

    /// <summary>The report; kinds, timed layers and samples are in one order.</summary>
    public static BenchReport Of(
        IReadOnlyList<LinearLayer> layers, string file, int threads, (LayerKind Kind, int Count)[] kinds, List<BenchLayers> timed, Samples samples, bool isCold)
    {
        double bandwidth = samples.Bandwidth;
        BenchShape[] shapes = [.. kinds.Select((item, i) => new BenchShape(
            item.Kind.Shape.In, item.Kind.Shape.Out, item.Kind.Shape.Group, item.Kind.HasBias, item.Kind.IsAffine, item.Kind.HasInputOrder, item.Count, item.Kind.Bytes,
            Time(timed[i].ExactKernel, item.Kind.Bytes, samples.Seconds(i, Linear4BitPrecision.Exact), bandwidth),
            Time(timed[i].Int8Kernel, item.Kind.Bytes, samples.Seconds(i, Linear4BitPrecision.Int8Activations), bandwidth)))];
        long bytes = shapes.Sum(static shape => shape.Layers * shape.Bytes);
        double least = bytes / bandwidth;
        var machine = MachineDescription.Current();
        return new BenchReport(
            file, machine.Processor, machine.InstructionSets, threads, bandwidth / Giga, samples.Rounds, isCold, shapes,
            new BenchToken(
                layers.Count, bytes, least * Micro, 1 / least,
                Total(shapes.Sum(static shape => shape.Layers * shape.Exact.Microseconds), least),
                Total(shapes.Sum(static shape => shape.Layers * shape.Int8.Microseconds), least),
                layers.Any(static layer => layer.Name.Contains(".experts.", StringComparison.Ordinal))));
    }

    private static BenchTime Time(Linear4BitKernel kernel, long bytes, double seconds, double bandwidth) =>
        new(kernel.Name, seconds * Micro, bytes / seconds / Giga, bytes / seconds / bandwidth);

    private static BenchTotal Total(double microseconds, double least) =>
        new(microseconds, Micro / microseconds, least * Micro / microseconds);
}
