using Q4Gen.Format;
using Q4Gen.Kernels;
using Q4Gen.PackedFiles;
using Q4Gen.Safetensors;

namespace Q4Gen.Loading;

/// <summary>
/// The tensors of one layer that is in panels already. All sizes are held against each other here, so that kernels
/// may be given the addresses; values are not looked at, for that would read the whole file.
/// </summary>
internal sealed unsafe class PanelTensors
{
    private const int MaxCopyBytes = 1 << 30;

    private PanelTensors(IWeightSource source, string prefix)
    {
        Source = source;
        Prefix = prefix;
        WeightTensor shape = Get(PackedFormat.ShapeSuffix);
        if (shape.Type != TensorType.U8
            || shape.Shape is not [0, > 0 and <= LayerTensors.MaxFeatures, > 0 and <= LayerTensors.MaxFeatures, > 0 and <= int.MaxValue]
            || shape.Shape[1] % 2 != 0)
        {
            throw Unfit(PackedFormat.ShapeSuffix, shape, $"U8 [0, in, out, group] with an even in, 1 to {LayerTensors.MaxFeatures} features and a positive group is expected");
        }

        Shape = new Linear4BitShape((int)shape.Shape[1], (int)shape.Shape[2], (int)shape.Shape[3]);
        Weight = Require(PackedFormat.WeightSuffix, TensorType.U32, [Shape.Panels, Shape.Steps, PanelLayout.StepWords]);
        Scales = Require(PackedFormat.ScalesSuffix, TensorType.F16, [Shape.Panels, Shape.Groups, PanelLayout.PanelRows]);
        Offsets = Find(PackedFormat.OffsetsSuffix, TensorType.F16, [Shape.Panels, Shape.Groups, PanelLayout.PanelRows]);
        Bias = Find(PackedFormat.BiasSuffix, TensorType.F32, [Shape.Panels, PanelLayout.PanelRows]);
        Order = Find(LayerTensors.OrderSuffix, TensorType.I32, [Shape.In]);
    }

    public IWeightSource Source { get; }

    public string Prefix { get; }

    /// <summary>What the file says that the layer is.</summary>
    public Linear4BitShape Shape { get; }

    /// <summary>U32 <c>[panels, steps, 16]</c>.</summary>
    public WeightTensor Weight { get; }

    /// <summary>F16 <c>[panels, groups, 16]</c>.</summary>
    public WeightTensor Scales { get; }

    /// <summary>F16 <c>[panels, groups, 16]</c>, where the weights are affine.</summary>
    public WeightTensor? Offsets { get; }

    /// <summary>F32 <c>[panels, 16]</c>, where there is one.</summary>
    public WeightTensor? Bias { get; }

    /// <summary>I32 <c>[in]</c>, where columns are in another order than input features.</summary>
    public WeightTensor? Order { get; }

    /// <summary>A layer's tensors where the source has it in panels; null where it has not.</summary>
    /// <exception cref="WeightFormatException">They are of another layout, incomplete, or contradict each other.</exception>
    public static PanelTensors? Find(IWeightSource source, string prefix)
    {
        string? panels = null;
        foreach (string suffix in PackedFormat.Suffixes)
        {
            panels ??= source.TryGet(LayerTensors.Join(prefix, suffix), out _) ? LayerTensors.Join(prefix, suffix) : null;
        }

        string rows = LayerTensors.Join(prefix, LayerTensors.WeightSuffix);
        if (source.TryGet(rows, out _))
        {
            return panels is null
                ? null
                : throw Broken(source, $"has both {SafetensorsText.Quote(rows)} and {SafetensorsText.Quote(panels)}, but a layer is in rows or in panels");
        }

        source.Metadata.TryGetValue(PackedFormat.LayoutKey, out string? layout);
        if (layout is null)
        {
            return panels is null
                ? null
                : throw Broken(source, $"has {SafetensorsText.Quote(panels)}, but records no {PackedFormat.LayoutKey} in its metadata, where {SafetensorsText.Quote(PanelLayout.Id)} is expected");
        }

        CheckLayout(source, layout);
        CheckByteOrder(source, BitConverter.IsLittleEndian);
        return panels is null ? throw new WeightFormatException(MissingTensor.Describe(source, prefix, PackedFormat.WeightSuffix)) : new PanelTensors(source, prefix);
    }

    /// <summary>Throws where a source holds panels of a layout that this version does not read.</summary>
    /// <exception cref="WeightFormatException">It does.</exception>
    public static void CheckLayout(IWeightSource source, string layout)
    {
        if (layout != PanelLayout.Id)
        {
            throw Broken(source, $"records {PackedFormat.LayoutKey} {SafetensorsText.Quote(layout)}, but this version reads {SafetensorsText.Quote(PanelLayout.Id)}");
        }
    }

    /// <summary>Throws where words of a file are not words of the processor.</summary>
    /// <exception cref="WeightFormatException">They are not.</exception>
    public static void CheckByteOrder(IWeightSource source, bool isLittleEndian)
    {
        if (!isLittleEndian)
        {
            throw Broken(source, "holds panels, which are for little-endian processors, but this one is big-endian", "load the model that the file was packed from");
        }
    }

    /// <summary>Something about the file or the layer is not as it should be.</summary>
    public WeightFormatException Broken(string what, string toDo = PackedFormat.PackAgain) => Broken(Source, what, toDo);

    /// <summary>Whether a group means this layer; groups that reach to the end of the row are the same, however long they would be.</summary>
    public bool HasGroup(int group) => Math.Min(group, Shape.In) == Math.Min(Shape.Group, Shape.In);

    /// <summary>The shape with the group that the caller says, where that is this layer's.</summary>
    /// <exception cref="WeightFormatException">It is not.</exception>
    public Linear4BitShape ShapeFor(int? group) =>
        group is not { } said ? Shape
        : HasGroup(said) ? Shape with { Group = said }
        : throw Broken($"layer {SafetensorsText.Quote(Prefix)} is {Shape}, which contradicts the group that was asked for, {said}", "leave the argument 'group' out, or load the file that it belongs to");

    /// <summary>The layer: where its tensors lie, if they are mapped, else copied.</summary>
    /// <param name="shape">The layer's shape as the caller says it.</param>
    /// <exception cref="WeightFormatException">Tensors are not aligned, or the file changed since it was opened.</exception>
    public PackedWeights Use(Linear4BitShape shape)
    {
        WeightTensor[] parts = [.. new[] { Weight, Scales, Offsets, Bias, Order }.OfType<WeightTensor>()];
        var hold = new TensorHold(parts);
        try
        {
            foreach (WeightTensor part in parts)
            {
                // Reading nothing asks whether the file is what was opened; once where it is one.
                if (part == Weight || !part.IsBeside(Weight))
                {
                    part.Bytes(0, 0);
                }
            }

            int[]? order = Order is null ? null : LayerTensors.ReadOrder(Order, Source, Prefix);
            var panels = new MappedPanels(Weight.Address(), Scales.Address(), Bias?.Address() ?? 0, Offsets?.Address() ?? 0, hold);
            bool isMapped = panels is { Words: not 0, Scales: not 0 } && (panels.Bias != 0 || Bias is null) && (panels.Offsets != 0 || Offsets is null);
            return isMapped ? Map(shape, panels, order) : Copy(shape, order, hold);
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }

    private static WeightFormatException Broken(IWeightSource source, string what, string toDo = PackedFormat.PackAgain) =>
        new($"{source.Description}: {what}; {toDo}.");

    private PackedWeights Map(Linear4BitShape shape, in MappedPanels panels, int[]? order)
    {
        CheckAlignment(PackedFormat.WeightSuffix, panels.Words);
        CheckAlignment(PackedFormat.ScalesSuffix, panels.Scales);
        CheckAlignment(PackedFormat.BiasSuffix, panels.Bias);
        CheckAlignment(PackedFormat.OffsetsSuffix, panels.Offsets);
        return new PackedWeights(shape, panels, order);
    }

    private void CheckAlignment(string suffix, nint address)
    {
        if (address % PackedFormat.Alignment is not 0 and var excess)
        {
            throw Broken($"tensor {Name(suffix)} starts {excess} bytes behind a multiple of {PackedFormat.Alignment}, but kernels read it where it lies; whatever wrote this file moved its tensors");
        }
    }

    private PackedWeights Copy(Linear4BitShape shape, int[]? order, TensorHold hold)
    {
        var copy = new PackedWeights(shape, Bias != null, Offsets != null, order != null);
        try
        {
            Copy(Weight, (byte*)copy.Words(0));
            Copy(Scales, (byte*)copy.Scales(0));
            Copy(Bias, (byte*)copy.Bias);
            Copy(Offsets, (byte*)copy.Offsets(0));
            order.CopyTo(new Span<int>(copy.Order, order?.Length ?? 0));
            hold.Dispose();
            return copy;
        }
        catch
        {
            copy.Discard();
            throw;
        }
    }

    private static void Copy(WeightTensor? tensor, byte* destination)
    {
        for (long offset = 0; offset < tensor?.ByteLength; offset += MaxCopyBytes)
        {
            var target = new Span<byte>(destination + offset, (int)Math.Min(MaxCopyBytes, tensor.ByteLength - offset));
            tensor.Read(offset, target).CopyTo(target);
        }
    }

    private WeightTensor Get(string suffix) =>
        Source.TryGet(LayerTensors.Join(Prefix, suffix), out WeightTensor? tensor)
            ? tensor
            : throw Broken($"has no tensor {Name(suffix)}, but other parts of the layer");

    private WeightTensor Require(string suffix, TensorType type, long[] shape) => Check(suffix, Get(suffix), type, shape);

    private WeightTensor? Find(string suffix, TensorType type, long[] shape) =>
        Source.TryGet(LayerTensors.Join(Prefix, suffix), out WeightTensor? tensor) ? Check(suffix, tensor, type, shape) : null;

    private WeightTensor Check(string suffix, WeightTensor tensor, TensorType type, long[] shape)
    {
        bool fits = tensor.Type == type && tensor.Shape.Count == shape.Length;
        for (int i = 0; fits && i < shape.Length; i++)
        {
            fits = tensor.Shape[i] == shape[i];
        }

        return fits ? tensor : throw Unfit(suffix, tensor, $"{type} {WeightTensor.DescribeShape(shape)} is expected for {Shape}");
    }

    private WeightFormatException Unfit(string suffix, WeightTensor tensor, string expectation) => Broken($"tensor {Name(suffix)} is {tensor}, but {expectation}");

    private string Name(string suffix) => SafetensorsText.Quote(LayerTensors.Join(Prefix, suffix));
}
