using System.Buffers;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Q4Gen.Format;
using Q4Gen.Kernels;
using Q4Gen.Packing;

namespace Q4Gen.Loading;

/// <summary>
/// Brings one layer out of a weight source into panel layout, or finds it in it already: all of it, or an exception and
/// nothing.
/// </summary>
internal static class LayerLoader
{
    // Several chunks a processor for layers worth the threads, each small enough to stay in a core's cache while it moves.
    private const int ChunkBytes = 256 << 10;

    /// <summary>Loads a layer whose shape the source tells; the group by the rule of <see cref="GroupInference"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="group"/> is not positive.</exception>
    /// <exception cref="WeightFormatException">A tensor is missing, or has the wrong type, shape or values, or the group is open.</exception>
    public static PackedWeights Load(IWeightSource weights, string prefix, int? group)
    {
        CheckArguments(weights, prefix);
        if (group is <= 0)
        {
            throw new ArgumentOutOfRangeException(nameof(group), group, "The group must be positive.");
        }

        if (PanelTensors.Find(weights, prefix) is { } panels)
        {
            return panels.Use(panels.ShapeFor(group));
        }

        LayerTensors tensors = LayerTensors.Find(weights, prefix);
        return Pack(tensors, new Linear4BitShape(tensors.In, tensors.Out, GroupInference.Infer(tensors, group)));
    }

    /// <summary>Loads a layer that an attribute declares.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No layer can have <paramref name="shape"/>.</exception>
    /// <exception cref="WeightFormatException">A tensor is missing, or is not what the attribute declares.</exception>
    public static PackedWeights Load(IWeightSource weights, string prefix, Linear4BitShape shape, bool hasBias, bool isAffine = false)
    {
        CheckArguments(weights, prefix);
        shape.Validate();
        if (PanelTensors.Find(weights, prefix) is { } panels)
        {
            DeclaredShape.Check(panels, shape, hasBias, isAffine);
            return panels.Use(shape);
        }

        LayerTensors tensors = LayerTensors.Find(weights, prefix);
        DeclaredShape.Check(tensors, shape, hasBias, isAffine);
        return Pack(tensors, shape);
    }

    private static void CheckArguments(IWeightSource weights, string prefix)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(prefix);
    }

    private static PackedWeights Pack(LayerTensors tensors, Linear4BitShape shape)
    {
        using TensorHold hold = tensors.Hold();
        tensors.CheckScales();
        float[]? bias = tensors.ReadBias();
        int[]? order = tensors.ReadOrder();
        var packed = new PackedWeights(shape, bias != null, tensors.Offsets != null, order != null);
        try
        {
            PackChunks(packed, tensors);
            if (bias != null)
            {
                PanelPacker.SetBias(packed, bias);
            }

            PanelPacker.SetOrder(packed, order);
            tensors.CheckUnchanged();
            return packed;
        }
        catch
        {
            packed.Discard();
            throw;
        }
    }

    private static void PackChunks(PackedWeights packed, LayerTensors tensors)
    {
        int rowBytes = tensors.In / 2;
        int chunkRows = Math.Max(1, ChunkBytes / rowBytes / PanelLayout.PanelRows) * PanelLayout.PanelRows;
        int chunks = (int)(((long)tensors.Out + chunkRows - 1) / chunkRows);
        if (chunks == 1)
        {
            PackChunk(packed, tensors, 0, tensors.Out);
            return;
        }

        try
        {
            Parallel.For(0, chunks, chunk =>
            {
                int firstRow = chunk * chunkRows;
                PackChunk(packed, tensors, firstRow, Math.Min(chunkRows, tensors.Out - firstRow));
            });
        }
        catch (AggregateException e)
        {
            // Chunks fail for one common reason; the caller gets that one, as from a small layer.
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
    }

    private static void PackChunk(PackedWeights packed, LayerTensors tensors, int firstRow, int rows)
    {
        int weightBytes = rows * (tensors.In / 2);
        int scaleBytes = rows * tensors.Groups * sizeof(ushort);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(Math.Max(weightBytes, scaleBytes));
        try
        {
            PanelPacker.PackRows(
                packed, firstRow, tensors.Weight.Read((long)firstRow * (tensors.In / 2), buffer.AsSpan(0, weightBytes)));
            PackGroups(tensors.Scales, areOffsets: false);
            if (tensors.Offsets is not null)
            {
                PackGroups(tensors.Offsets, areOffsets: true);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        void PackGroups(WeightTensor values, bool areOffsets) => PanelPacker.PackGroups(
            packed, firstRow, MemoryMarshal.Cast<byte, Half>(values.Read((long)firstRow * tensors.Groups * sizeof(ushort), buffer.AsSpan(0, scaleBytes))), areOffsets);
    }
}
