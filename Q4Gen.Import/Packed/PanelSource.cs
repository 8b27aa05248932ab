using Q4Gen.Import.Conversion;
using Q4Gen.Kernels;
using Q4Gen.Loading;
using Q4Gen.PackedFiles;
using Q4Gen.Packing;

namespace Q4Gen.Import.Packed;

/// <summary>
/// A packed file seen as one of rows, for whatever looks into models rather than run them: the way back from
/// <see cref="PackedFile.Write(string, IWeightSource)"/>, and lossless.
/// </summary>
internal sealed class PanelSource : ImportSource
{
    private PanelSource(SafetensorsModel file)
        : base(file.Description, Gather(file), file.Metadata.Where(static fact => fact.Key != PackedFormat.LayoutKey), file) => File = file;

    /// <summary>The file as it is.</summary>
    public SafetensorsModel File { get; }

    /// <summary>Opens a file and checks the sizes of all its layers.</summary>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="WeightFormatException">A file is malformed, or its layers are of another layout.</exception>
    public static PanelSource Open(string path)
    {
        SafetensorsModel file = SafetensorsModel.Open(path);
        try
        {
            return new PanelSource(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static ImportedTensors Gather(SafetensorsModel file)
    {
        if (file.Metadata.TryGetValue(PackedFormat.LayoutKey, out string? layout))
        {
            PanelTensors.CheckLayout(file, layout);
        }

        var tensors = new ImportedTensors(file.Description);
        var ofLayers = new HashSet<string>();
        foreach (string prefix in PackedFormat.FindLayers(file))
        {
            PanelTensors panels = PanelTensors.Find(file, prefix)!;
            var layer = new ImportedLayer(prefix, Format.PanelLayout.Id, panels.Shape, panels.Offsets != null, panels.Order != null, alwaysLossless: true);
            tensors.AddLayer(layer, [panels.Weight], () => Unpack(file, prefix));
            if (panels.Bias is { } bias)
            {
                tensors.Add(LayerTensors.Join(prefix, LayerTensors.BiasSuffix), bias.Head(panels.Shape.Out));
            }

            ofLayers.UnionWith([.. PackedFormat.Suffixes.ToArray().Append(LayerTensors.OrderSuffix).Select(suffix => LayerTensors.Join(prefix, suffix))]);
        }

        foreach (string name in file.Names)
        {
            if (!ofLayers.Contains(name) && !PackedFormat.IsFiller(name) && file.TryGet(name, out WeightTensor? tensor))
            {
                tensors.Add(name, tensor);
            }
        }

        return tensors;
    }

    private static ConvertedLayer Unpack(SafetensorsModel file, string prefix)
    {
        PackedWeights weights = LayerLoader.Load(file, prefix, group: null);
        try
        {
            Linear4BitShape shape = weights.Shape;
            byte[] rows = new byte[shape.WeightBytes];
            PanelPacker.UnpackRows(weights, rows);
            var order = new int[shape.In];
            PanelPacker.CopyOrder(weights, order);
            return new ConvertedLayer(
                new WeightTensor(TensorType.U8, [shape.Out, shape.In / 2], rows),
                Groups(PanelPacker.UnpackScales),
                weights.IsAffine ? Groups(PanelPacker.UnpackOffsets) : null,
                WeightTensor.FromInt32(order, shape.In),
                new ImportError(0, 0));

            WeightTensor Groups(Action<PackedWeights, Span<Half>> unpack)
            {
                var values = new Half[shape.ScaleCount];
                unpack(weights, values);
                return WeightTensor.FromHalf(values, shape.Out, shape.Groups);
            }
        }
        finally
        {
            weights.Discard();
        }
    }
}
