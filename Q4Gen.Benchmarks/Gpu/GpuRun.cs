using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>One run of <c>gpu</c>: what was verified and timed so far, printed, and written after each shape.</summary>
internal sealed class GpuRun
{
    /// <summary>Rounding to float16 leaves some 3·10⁻⁴ in the L2 norm.</summary>
    private const double MaxRelativeError = 1e-3;

    private readonly GpuContext _gpu;
    private readonly GpuMachine _machine;
    private readonly string? _json;
    private readonly List<GpuCheck> _checks = [];
    private readonly List<GpuMeasurement> _rows = [];
    private double? _copyBytesPerSecond;
    private GpuLaunchCost? _launch;

    /// <summary>A run on one GPU, with a file for its figures where there is to be one.</summary>
    public GpuRun(GpuContext gpu, GpuMachine machine, string? json)
    {
        (_gpu, _machine, _json) = (gpu, machine, json);
        GpuReport.PrintMachine(machine);
        Save();
    }

    /// <summary>Whether nothing was wrong.</summary>
    public bool IsRight => _checks.All(static check => check.Failure is null) && _rows.All(static row => row.RelativeError <= MaxRelativeError);

    /// <summary>Verifies all kernels of these shapes; what is wrong is printed, and the next is verified.</summary>
    /// <param name="shapes">The shapes.</param>
    /// <param name="withParts">Layers with offsets or an input order that are verified as well.</param>
    /// <param name="plan">The calls.</param>
    public void Verify(IReadOnlyList<Linear4BitShape> shapes, IReadOnlyList<(Linear4BitShape Shape, GpuLayerParts Parts)> withParts, GpuVerificationPlan plan)
    {
        GpuReport.PrintChecksHead();
        foreach ((Linear4BitShape shape, GpuLayerParts parts) in shapes.Select(static shape => (shape, GpuLayerParts.None)).Concat(withParts))
        {
            // Its memory goes back with it.
            using GpuStream stream = _gpu.CreateStream();
            var work = new GpuWorkload(shape, plan.MaxRows, parts);
            using Linear4Bit layer = work.CreateLayer().To(_gpu);
            var checks = new List<GpuCheck>();
            try
            {
                checks.AddRange(new GpuVerification(stream, work, layer).Run(plan));
            }
            finally
            {
                // Also of a device that failed: those before, which say where.
                _checks.AddRange(checks);
                GpuReport.PrintChecks(checks);
                Save();
            }
        }

        int wrong = _checks.Count(static check => check.Failure is not null);
        Console.WriteLine(FormattableString.Invariant($"{_checks.Count} calls verified, {wrong} wrong"));
    }

    /// <summary>Times layers of these shapes, but none that was found wrong.</summary>
    public void Time(IReadOnlyList<Linear4BitShape> shapes, IReadOnlyList<int> rows)
    {
        using (GpuStream stream = _gpu.CreateStream())
        {
            using var timer = new GpuTimer(stream);
            _copyBytesPerSecond = GpuCopy.BytesPerSecond(timer);
            using Linear4Bit layer = new GpuWorkload(shapes[0], rows: 1).CreateLayer().To(_gpu);
            _launch = GpuLaunchCost.Measure(stream, layer);
        }

        GpuReport.PrintTimesHead(_copyBytesPerSecond.Value, _launch);
        foreach (Linear4BitShape shape in shapes)
        {
            if (_checks.Exists(check => check.Shape == shape && check.Failure is not null))
            {
                Console.WriteLine($"{shape} is not timed: its results are wrong.");
                continue;
            }

            try
            {
                TimeShape(shape, rows, _copyBytesPerSecond.Value);
            }
            catch (GpuOutOfMemoryException)
            {
                Console.WriteLine($"{shape} is left out: the device has too little memory for it.");
            }

            Save();
        }
    }

    private void TimeShape(Linear4BitShape shape, IReadOnlyList<int> rows, double copyBytesPerSecond)
    {
        using GpuStream stream = _gpu.CreateStream();
        using var timer = new GpuTimer(stream);
        using var timing = new GpuTiming(new GpuWorkload(shape, rows.Max()), timer);
        foreach (int count in rows)
        {
            GpuMeasurement row = timing.Measure(count, copyBytesPerSecond);
            _rows.Add(row);
            GpuReport.Print(row);
            if (!(row.RelativeError <= MaxRelativeError))
            {
                Console.Error.WriteLine(FormattableString.Invariant(
                    $"{shape}, {row.Kernel} is wrong at M = {count}: its relative error is {row.RelativeError:g3}, and {MaxRelativeError} is the most that rounding explains."));
            }
        }

        if (!timer.KeptAhead)
        {
            Console.Error.WriteLine($"{shape}: the host did not keep ahead of the device; some figures have its gaps in them.");
        }
    }

    private void Save()
    {
        if (_json is not null)
        {
            GpuJson.Write(_json, _machine, _checks, _copyBytesPerSecond, _launch, _rows);
        }
    }
}
