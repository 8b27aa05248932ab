using System.Diagnostics;
using System.Globalization;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>What one process measures that loads a file of 2 GB and more; also a native one, which has no serialiser of ours.</summary>
/// <param name="LoadMilliseconds">Opening and loading, the first in the process.</param>
/// <param name="AgainMilliseconds">The same once more.</param>
/// <param name="FirstRowMilliseconds">Every layer once, on one row, after the first.</param>
/// <param name="Bytes">Of packed weights.</param>
/// <param name="Layers">Layers.</param>
internal sealed record InstantSample(double LoadMilliseconds, double AgainMilliseconds, double FirstRowMilliseconds, long Bytes, int Layers)
{
    /// <summary>Loads twice.</summary>
    public static InstantSample Take(string path)
    {
        double first = Load(path, out LoadedModel model, out SafetensorsFile file);
        double row = RunAll(model);
        Linear4Bit[] layers = [.. LayersOf(model)];
        double again = Load(path, out _, out SafetensorsFile second);
        second.Dispose();
        file.Dispose();
        return new InstantSample(first, again, row, layers.Sum(static layer => layer.ByteLength), layers.Length);
    }

    /// <summary>Opens and loads; milliseconds.</summary>
    public static double Load(string path, out LoadedModel model, out SafetensorsFile file)
    {
        long start = Stopwatch.GetTimestamp();
        file = SafetensorsFile.Open(path);
        model = new LoadedModel();
        model.Load(file, "model");
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    /// <summary>Runs every layer on one row; milliseconds.</summary>
    public static double RunAll(LoadedModel model)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (Linear4Bit layer in LayersOf(model))
        {
            layer.Forward(new float[layer.In], new float[layer.Out]);
        }

        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    /// <summary>As a parent reads it.</summary>
    public string ToJson() => string.Create(
        CultureInfo.InvariantCulture,
        $"{{\"LoadMilliseconds\":{LoadMilliseconds},\"AgainMilliseconds\":{AgainMilliseconds},\"FirstRowMilliseconds\":{FirstRowMilliseconds},\"Bytes\":{Bytes},\"Layers\":{Layers}}}");

    private static IEnumerable<Linear4Bit> LayersOf(LoadedModel model) =>
        model.Layers!.SelectMany(static b => (Linear4Bit[])[b.QProj, b.KProj, b.VProj, b.OProj, b.GateProj, b.UpProj, b.DownProj]);
}
