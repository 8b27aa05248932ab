using System.Runtime.InteropServices;
using Q4Gen.Import;
using Q4Gen.Import.Floats;
using Q4Gen.Loading;
using Q4Gen.Safetensors;

namespace Q4Gen.Tool.Verify;

/// <summary>The rows of a layer's matrix as floats, whatever it is stored as.</summary>
internal sealed class LayerRows
{
    private readonly LinearLayer _layer;
    private readonly WeightTensor _weight;
    private readonly Half[]? _scales;
    private readonly Half[]? _offsets;
    private readonly int[]? _order;
    private readonly byte[] _packed;

    private LayerRows(LinearLayer layer, WeightTensor weight, Half[]? scales, Half[]? offsets, int[]? order)
    {
        _layer = layer;
        _weight = weight;
        _scales = scales;
        _offsets = offsets;
        _order = order;
        _packed = new byte[layer.Shape.In / 2];
    }

    /// <summary>Opens a layer of a model.</summary>
    public static LayerRows Of(ModelFile model, LinearLayer layer)
    {
        if (layer.IsQuantized)
        {
            return new LayerRows(layer, Get(LayerTensors.WeightSuffix), Halves(LayerTensors.ScalesSuffix), layer.IsAffine ? Halves(LayerTensors.OffsetsSuffix) : null, layer.HasInputOrder ? LayerTensors.Find(model.Source, layer.Name).ReadOrder() : null);
        }

        WeightTensor floats = Get("weight");
        return new LayerRows(layer, Conv1d.In(model.Source)(layer.Name) ? Conv1d.Transpose(floats) : floats, null, null, null);

        WeightTensor Get(string suffix) => model.Source.TryGet(LayerTensors.Join(layer.Name, suffix), out WeightTensor? tensor)
            ? tensor
            : throw new WeightFormatException($"{model.Path}: has no tensor {SafetensorsText.Quote(LayerTensors.Join(layer.Name, suffix))}.");

        Half[] Halves(string suffix)
        {
            WeightTensor tensor = Get(suffix);
            return MemoryMarshal.Cast<byte, Half>(tensor.Bytes(0, checked((int)tensor.ByteLength))).ToArray();
        }
    }

    /// <summary>Row <paramref name="row"/> in the order of inputs: <c>w[k] = (nibble − 8) · scale + offset</c>.</summary>
    public void Read(int row, Span<float> weights)
    {
        Linear4BitShape shape = _layer.Shape;
        if (_scales is null)
        {
            _weight.ReadSingle((long)row * shape.In, weights);
            return;
        }

        _weight.Bytes((long)row * _packed.Length, _packed.Length).CopyTo(_packed);
        for (int k = 0; k < shape.In; k++)
        {
            int group = row * shape.Groups + k / shape.Group;
            int nibble = _packed[k / 2] >> 4 * (k & 1) & 15;
            weights[_order is null ? k : _order[k]] = (nibble - 8) * (float)_scales[group] + (_offsets is null ? 0 : (float)_offsets[group]);
        }
    }
}
