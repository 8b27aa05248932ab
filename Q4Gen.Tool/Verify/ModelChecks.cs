using System.Numerics.Tensors;
using Q4Gen.Import;
using Q4Gen.Import.Packed;
using Q4Gen.Safetensors;

namespace Q4Gen.Tool.Verify;

/// <summary>All that a loader checks, on every layer, and whether all floats are finite: every problem rather than the first.</summary>
internal static class ModelChecks
{
    private const int ChunkElements = 1 << 16;

    /// <summary>One sentence for each problem.</summary>
    public static IReadOnlyList<string> Find(ModelFile model, IProgress<double> progress, CancellationToken ct)
    {
        var problems = new List<string>();
        int steps = model.Layers.Count + model.Source.Names.Count, done = 0;
        var packed = model.Source as PanelSource;
        if (packed is not null)
        {
            // As they lie, with what loading in place does not look at.
            problems.AddRange(PackedFile.FindProblems(packed.File, progress: null, ct).Select(problem => problem.Message));
        }

        foreach (LinearLayer layer in model.Layers)
        {
            ct.ThrowIfCancellationRequested();
            if (layer.IsQuantized && packed is null)
            {
                Try(() => Linear4Bit.Load(model.Source, layer.Name, layer.Shape.Group).Dispose());
            }

            progress.Report((double)++done / steps);
        }

        // Scales and offsets are the loader's, and of a converted model have been read by now.
        HashSet<string> ofLayers = [.. model.Layers.Where(layer => layer.IsQuantized).Select(layer => layer.Name)];
        foreach (string name in model.Source.Names)
        {
            ct.ThrowIfCancellationRequested();
            if (model.Source.TryGet(name, out WeightTensor? tensor) && !ofLayers.Contains(name[..Math.Max(0, name.LastIndexOf('.'))]))
            {
                Try(() => CheckFinite(model, name, tensor));
            }

            progress.Report((double)++done / steps);
        }

        return problems;

        void Try(Action check)
        {
            try
            {
                check();
            }
            catch (WeightFormatException e)
            {
                problems.Add(e.Message);
            }
        }
    }

    private static void CheckFinite(ModelFile model, string name, WeightTensor tensor)
    {
        if (tensor.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
        {
            return;
        }

        float[] buffer = new float[ChunkElements];
        for (long first = 0; first < tensor.ElementCount; first += ChunkElements)
        {
            Span<float> values = buffer.AsSpan(0, (int)Math.Min(ChunkElements, tensor.ElementCount - first));
            tensor.ReadSingle(first, values);
            if (!TensorPrimitives.IsFiniteAll(values))
            {
                int at = 0;
                while (float.IsFinite(values[at]))
                {
                    at++;
                }

                throw new WeightFormatException(
                    $"{model.Path}: tensor {SafetensorsText.Quote(name)} has {values[at].ToString(System.Globalization.CultureInfo.InvariantCulture)} as its element {first + at}, but all must be finite; the model was trained or saved wrongly, or the file is damaged.");
            }
        }
    }
}
