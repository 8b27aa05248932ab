using System.Globalization;
using Q4Gen.Import;
using Q4Gen.Safetensors;

namespace Q4Gen.Tool.Commands;

/// <summary>Shapes of a file's layers, those that are still floats included.</summary>
internal static class LayerShapes
{
    /// <summary>The layers as they would be if floats were quantised in the group; as they are where none is given.</summary>
    public static IReadOnlyList<LinearLayer> WithGroup(IReadOnlyList<LinearLayer> layers, int? group) => group is { } columns
        ? [.. layers.Select(layer => layer.IsQuantized ? layer : layer with { Shape = layer.Shape with { Group = columns } })]
        : layers;

    /// <summary>Throws where there are no layers, or one has a shape that no 4-bit layer can have.</summary>
    /// <param name="layers">The layers.</param>
    /// <param name="file">What they are of, for the message.</param>
    /// <exception cref="WeightFormatException">It is so.</exception>
    public static void Check(IReadOnlyList<LinearLayer> layers, string file)
    {
        if (layers.Count == 0)
        {
            throw new WeightFormatException(
                $"{file}: there are no linear layers in it, but at least one is expected; 'q4gen inspect' shows what it holds.");
        }

        foreach (LinearLayer layer in layers)
        {
            Linear4BitShape shape = layer.Shape;
            if (shape.In <= 0 || shape.Out <= 0 || shape.Group <= 0 || shape.In % 2 != 0)
            {
                throw new WeightFormatException(
                    $"{file}: layer {SafetensorsText.Quote(layer.Name)} is {shape}, but input features must be positive and even, output features and group positive; no 4-bit layer can have this shape.");
            }

            long bytes = Math.Max(shape.PackedWeightBytes, shape.PackedScaleBytes);
            if (bytes > int.MaxValue)
            {
                throw new WeightFormatException(string.Create(CultureInfo.InvariantCulture,
                    $"{file}: layer {SafetensorsText.Quote(layer.Name)} is {shape} and takes {bytes} bytes, but a layer can have {int.MaxValue}; split it into layers of fewer output features."));
            }
        }
    }
}
