using System.ComponentModel;
using Q4Gen.Kernels;
using Q4Gen.Packing;

namespace Q4Gen.Loading;

/// <summary>What generated layer classes and properties call; there is no need to call it by hand.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class GeneratedLayer
{
    /// <summary>Packs a layer of a declared shape from memory.</summary>
    /// <param name="shape">The declared shape.</param>
    /// <param name="hasBias">Whether the declaration has a bias.</param>
    /// <param name="isAffine">Whether it declares affine weights.</param>
    /// <param name="weight4Bit">Packed weights <c>[out, in/2]</c>.</param>
    /// <param name="scales4Bit">Scales <c>[out, ceil(in/group)]</c>; finite.</param>
    /// <param name="offsets4Bit">Offsets <c>[out, ceil(in/group)]</c>, finite; empty exactly where <paramref name="isAffine"/> is false.</param>
    /// <param name="bias">Bias <c>[out]</c>, finite; empty exactly where <paramref name="hasBias"/> is false.</param>
    /// <param name="order4Bit">The input feature of each column, <c>[in]</c>, each once; empty where columns are in the order of inputs.</param>
    /// <exception cref="ArgumentException">A span has the wrong length, a scale, offset or bias is not finite, or the order is none.</exception>
    public static PackedWeights Pack(
        Linear4BitShape shape,
        bool hasBias,
        bool isAffine,
        ReadOnlySpan<byte> weight4Bit,
        ReadOnlySpan<Half> scales4Bit,
        ReadOnlySpan<Half> offsets4Bit,
        ReadOnlySpan<float> bias,
        ReadOnlySpan<int> order4Bit)
    {
        // An empty span means "none" further down, which would drop a declared one without a word.
        if (hasBias && bias.IsEmpty)
        {
            throw new ArgumentException(
                $"The layer {shape} declares Bias = true, but the bias is empty; give {shape.Out} values.", nameof(bias));
        }

        if (isAffine && offsets4Bit.IsEmpty)
        {
            throw new ArgumentException(
                $"The layer {shape} declares Affine = true, but there are no offsets; give {shape.ScaleCount} values.", nameof(offsets4Bit));
        }

        return PanelPacker.Pack(shape, weight4Bit, scales4Bit, bias, offsets4Bit, order4Bit);
    }

    /// <summary>Loads the weights named <paramref name="prefix"/> and checks them against a declared shape.</summary>
    /// <exception cref="WeightFormatException">A tensor is missing, undeclared, or has the wrong type, shape or values.</exception>
    public static PackedWeights Load(IWeightSource weights, string prefix, Linear4BitShape shape, bool hasBias, bool isAffine)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(prefix);
        return LayerLoader.Load(weights, prefix, shape, hasBias, isAffine);
    }

    /// <summary>Returns <paramref name="layer"/> if a property that declares <c>In</c> and <c>Out</c> can hold it.</summary>
    /// <param name="layer">The layer that is assigned; its group may differ from the declared one.</param>
    /// <param name="inFeatures">The declared input features.</param>
    /// <param name="outFeatures">The declared output features.</param>
    /// <param name="property">What messages call the property.</param>
    /// <exception cref="ArgumentNullException"><paramref name="layer"/> is null.</exception>
    /// <exception cref="ArgumentException">The layer has other features.</exception>
    public static Linear4Bit Check(Linear4Bit? layer, int inFeatures, int outFeatures, string property)
    {
        ArgumentNullException.ThrowIfNull(layer, property);
        if (layer.In != inFeatures || layer.Out != outFeatures)
        {
            throw new ArgumentException(
                $"{property} declares {inFeatures}→{outFeatures}, but the layer is {layer.In}→{layer.Out}; "
                + $"assign a layer with In = {inFeatures} and Out = {outFeatures}, or change the attribute.",
                property);
        }

        return layer;
    }

    /// <summary>What reading a property throws while it holds no layer.</summary>
    /// <param name="property">What the message calls the property.</param>
    public static InvalidOperationException NotLoaded(string property) =>
        new($"{property} holds no layer yet; call Load on its model first.");
}
