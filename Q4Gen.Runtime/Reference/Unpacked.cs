using System.Numerics.Tensors;
using Q4Gen.Format;
using Q4Gen.Kernels;

namespace Q4Gen.Reference;

/// <summary>
/// A layer the plain way, from the panels that the kernels read: dequantise W a row at a time, then multiply. Products
/// of float32 are exact in float64 and summed there, so the result is the rounded true sum but for the last digits.
/// </summary>
internal static unsafe class Unpacked
{
    /// <summary>Computes <c>y[rows, out] = x[rows, in] · Wᵀ + b</c>.</summary>
    public static void Forward(PackedWeights weights, ReadOnlySpan<float> x, Span<float> y)
    {
        (int inFeatures, int outFeatures, _) = weights.Shape;
        var wideX = new double[x.Length];
        TensorPrimitives.ConvertTruncating(x, wideX);
        var w = new double[inFeatures];
        int rows = x.Length / inFeatures;
        for (int o = 0; o < outFeatures && rows != 0; o++)
        {
            Dequantize(weights, o, w);
            for (int row = 0; row < rows; row++)
            {
                double sum = TensorPrimitives.Dot<double>(wideX.AsSpan(row * inFeatures, inFeatures), w);
                y[row * outFeatures + o] = (float)(sum + weights.Bias[o]);
            }
        }
    }

    /// <summary>One row of W: <c>(nibble − 8) · scale + offset</c>, which float64 holds exactly, in the order of inputs.</summary>
    private static void Dequantize(PackedWeights weights, int row, Span<double> w)
    {
        Linear4BitShape shape = weights.Shape;
        int lane = row % PanelLayout.PanelRows;
        uint* words = weights.Words(row / PanelLayout.PanelRows) + lane;
        short* scales = weights.Scales(row / PanelLayout.PanelRows) + lane;
        for (int group = 0; group < shape.Groups; group++)
        {
            double scale = (double)BitConverter.Int16BitsToHalf(scales[(nint)group * PanelLayout.PanelRows]);
            double offset = weights.IsAffine
                ? (double)BitConverter.Int16BitsToHalf(weights.Offsets(row / PanelLayout.PanelRows)[(nint)group * PanelLayout.PanelRows + lane])
                : 0;
            int first = group * shape.Group;
            int end = (int)Math.Min((long)first + shape.Group, shape.In);
            for (int k = first; k < end; k++)
            {
                uint word = words[(nint)(k / PanelLayout.StepColumns) * PanelLayout.StepWords];
                int nibble = (int)(word >> (4 * (k % PanelLayout.StepColumns))) & 0xF;
                w[weights.HasInputOrder ? weights.Order[k] : k] = (nibble - PanelLayout.NibbleBias) * scale + offset;
            }
        }
    }
}
