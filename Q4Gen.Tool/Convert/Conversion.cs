using System.Diagnostics;
using Q4Gen.Import;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Convert;

/// <summary>Turns a model of any format into a safetensors file with layers in 4 bits, one layer at a time.</summary>
internal static class Conversion
{
    private const int UsualGroup = 128;
    private const int GgufGroup = 32;

    /// <summary>Converts.</summary>
    /// <param name="request">From where to where, and how.</param>
    /// <param name="console">Shows progress.</param>
    /// <param name="check">Looks at the model before anything is written; throws where the command is not for it.</param>
    /// <param name="ct">Stops it; nothing is left behind then.</param>
    public static ConversionReport Run(ConversionRequest request, ToolConsole console, Action<ModelFile> check, CancellationToken ct)
    {
        OutputFile.Check(request.Output, request.Force);
        using Importances? importance = request.Importance is { } path ? Importances.Open(path) : null;
        var weighted = new Dictionary<string, double>();
        using ModelFile model = Open(request, new QuantizationOptions
        {
            Group = request.Group ?? (ModelFile.DetectContainer(request.Input) == ModelFormat.Gguf ? GgufGroup : UsualGroup),
            Method = request.Method,
            Affine = request.Affine,
            Importance = importance is null ? null : importance.Of,
            // Only figures are kept: the matrices themselves would be the whole model.
            OnMatrix = (name, matrix) => weighted[name] = matrix.WeightedRmsError,
        }, ct);
        request.Globs.CheckAllUsed(request.Input);
        importance?.CheckNames(model.Layers.Select(layer => layer.Name));
        if (model.Converted.Count == 0 && model.Format != ModelFormat.Q4Gen)
        {
            throw new WeightFormatException($"{request.Input}: has no linear layers to convert; 'q4gen inspect' lists what it has.");
        }

        check(model);
        var clock = Stopwatch.StartNew();
        long bytes = model.Tensors.Sum(tensor => tensor.ByteLength);
        console.Track($"Writing {Path.GetFileName(request.Output)}", bytes, progress =>
        {
            SafetensorsWriter.Write(request.Output, model.Source, progress, ct);
            return true;
        });
        return ConversionReport.Of(model, request.Output, bytes, clock.Elapsed, weighted);
    }
    private static ModelFile Open(ConversionRequest request, QuantizationOptions quantization, CancellationToken ct)
    {
        try
        {
            return ModelFile.Open(request.Input, new ModelFileOptions
            {
                Quantization = quantization,
                IsLinear = request.Globs.Choose,
                HuggingFaceNames = request.HuggingFaceNames,
                Cancellation = ct,
            });
        }
        catch (WeightFormatException)
        {
            request.Globs.CheckAllUsed(request.Input, hasFailed: true);
            throw;
        }
    }
}
