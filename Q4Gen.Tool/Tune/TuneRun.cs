using Q4Gen.Benchmarks.Machine;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;
using Q4Gen.Tool.Bench;

namespace Q4Gen.Tool.Tune;

/// <summary>What to tune and for how long.</summary>
/// <param name="Layers">The layers.</param>
/// <param name="Targets">Instruction sets that there are kernels for; empty for all.</param>
/// <param name="Threads">Threads that share a call.</param>
/// <param name="Budget">About how long to measure, together.</param>
/// <param name="Again">Whether to measure also what a file knows already.</param>
internal sealed record TuneOptions(IReadOnlyList<LayerShape> Layers, IReadOnlyList<string> Targets, int Threads, TimeSpan Budget, bool Again)
{
    /// <summary>Bytes of weights over which calls rotate.</summary>
    public long ColdBytes { get; init; } = Math.Max(256_000_000, 2 * LastLevelCache.Bytes);
}

/// <summary>Measures what a tuning file does not know yet about some layers on this machine.</summary>
internal sealed class TuneRun(TuneOptions options, TuningDocument document, Action save)
{
    private readonly List<ChoiceTimings> _timings = [];

    /// <summary>The times of what was measured.</summary>
    public IReadOnlyList<ChoiceTimings> Timings => _timings;

    /// <summary>Entries that were known already.</summary>
    public int Known { get; private set; }

    /// <summary>Tunes; after each layer, what was chosen is in the document, and saved.</summary>
    /// <exception cref="PlatformNotSupportedException">The machine cannot be told from others.</exception>
    /// <exception cref="InvalidOperationException">A variant gives wrong results.</exception>
    public void Run(IProgress<double> progress, CancellationToken ct)
    {
        TuningMachine machine = document.Find(TuneMachine.Of(options.Threads, document.Machines));
        (LayerShape Shape, Isa Isa, TunedRows[] Missing)[] work = [.. Work(machine)];
        int total = work.Sum(static item => item.Missing.Length), done = 0;
        int threadsBefore = Linear4BitThreads.Count;
        try
        {
            Linear4BitThreads.Count = options.Threads;
            using var team = new ProbeTeam(options.Threads);
            using var memory = new MemoryBandwidth(Math.Min(options.ColdBytes, int.MaxValue), team);
            foreach ((LayerShape shape, Isa isa, TunedRows[] missing) in work)
            {
                ct.ThrowIfCancellationRequested();
                var layer = new Linear4BitShape(shape.In, shape.Out, shape.Group);
                using var weights = new TuneWeights(layer, LayerTuner.MaxRows, options.ColdBytes);
                var specification = new Specification(weights, shape.Precision == LayerPrecision.Int8Activations ? Linear4BitPrecision.Int8Activations : Linear4BitPrecision.Exact);
                var tuner = new LayerTuner(shape, isa, weights, specification, memory.Measure);
                foreach (TunedRows rows in missing)
                {
                    RowsChoice choice = tuner.Choose(rows, Chosen(machine, shape, isa, rows), options.Budget / total, ct);
                    document.Set(new TuningEntry(shape.LayerName, IsaNames.NameOf(isa), machine.Id, rows, choice.Variant));
                    _timings.Add(ChoiceTimings.Of(machine.Id, MachineDescription.Current().Processor, shape.LayerName, IsaNames.NameOf(isa), KernelFile.RowsName(rows), choice));
                    progress.Report((double)++done / total);
                }

                save();
            }
        }
        finally
        {
            Linear4BitThreads.Count = threadsBefore;
        }
    }

    /// <summary>For each layer the instruction set that programs on this machine take, and the rows without an entry.</summary>
    private IEnumerable<(LayerShape Shape, Isa Isa, TunedRows[] Missing)> Work(TuningMachine machine)
    {
        foreach (LayerShape shape in options.Layers)
        {
            Isa[] isas =
            [
                .. KernelPlanner.IsasOf(shape)
                    .Where(isa => (options.Targets.Count == 0 || options.Targets.Contains(IsaNames.NameOf(isa))) && Candidates.IsSupported(shape.Precision, isa)),
            ];
            if (isas.Length == 0)
            {
                // Only the scalar kernel, which has no variants.
                continue;
            }

            // The planner lists them best first, in the order in which a family looks for one.
            TunedRows[] all = [.. Variants.RowsOf(shape.Precision).Where(rows => Variants.For(shape.Precision, isas[0], rows).Count > 0)];
            TunedRows[] missing = [.. all.Where(rows => options.Again || document.Find(shape.LayerName, IsaNames.NameOf(isas[0]), machine.Id, rows) is null)];
            Known += all.Length - missing.Length;
            if (missing.Length > 0)
            {
                yield return (shape, isas[0], missing);
            }
        }
    }

    /// <summary>What was chosen for the other rows, since kernels for all of them stand in one class and share what it has.</summary>
    private IReadOnlyList<Variant> Chosen(TuningMachine machine, LayerShape shape, Isa isa, TunedRows rows) =>
    [
        .. Variants.RowsOf(shape.Precision).Where(other => other < rows)
            .Select(other => document.Find(shape.LayerName, IsaNames.NameOf(isa), machine.Id, other) is { } id ? Variants.Find(shape.Precision, isa, other, id) : null)
            .OfType<Variant>(),
    ];
}
