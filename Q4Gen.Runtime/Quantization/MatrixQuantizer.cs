using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using Q4Gen.Format;
using Q4Gen.Packing;

namespace Q4Gen.Quantization;

/// <summary>Quantises one matrix in blocks of rows, each on any thread.</summary>
internal sealed class MatrixQuantizer(WeightTensor matrix, Linear4BitShape shape, string what)
{
    // Small enough to share out and to cancel soon, large enough that starting a block costs nothing.
    private const int BlockElements = 1 << 16;

    private readonly byte[] _weights = new byte[shape.WeightBytes];
    private readonly Half[] _scales = new Half[shape.ScaleCount];
    private readonly int _blockRows = Math.Max(1, BlockElements / shape.In);

    /// <summary>Quantises all rows.</summary>
    public QuantizedMatrix Run(IProgress<double>? progress, CancellationToken ct)
    {
        int blocks = (int)(((long)shape.Out + _blockRows - 1) / _blockRows);
        var errors = new BlockError[blocks];
        var failures = new string?[blocks];
        var report = new RisingProgress(progress, shape.Out);

        // A file that is closed meanwhile stays mapped under the reads in flight.
        matrix.Hold();
        try
        {
            Parallel.For(0, blocks, new ParallelOptions { CancellationToken = ct }, (block, loop) =>
            {
                int firstRow = block * _blockRows;
                int rows = Math.Min(_blockRows, shape.Out - firstRow);
                failures[block] = QuantizeBlock(firstRow, rows, out errors[block]);
                if (failures[block] is not null)
                {
                    // Lower blocks still run, so it is always the first bad row that is reported.
                    loop.Break();
                    return;
                }

                report.Add(rows);
            });
        }
        catch (AggregateException exception)
        {
            // A source that was closed or a caller's progress handler: its own exception says more than a bundle of them.
            ExceptionDispatchInfo.Throw(exception.InnerExceptions[0]);
        }
        finally
        {
            matrix.Release();
        }

        if (Array.Find(failures, failure => failure is not null) is { } first)
        {
            throw new WeightFormatException($"Cannot quantise {what}, {matrix}: {first}");
        }

        // Summed in the order of rows, so that the figures do not depend on threads.
        double squaredError = 0, squaredSum = 0, maxError = 0;
        foreach (BlockError error in errors)
        {
            squaredError += error.SquaredError;
            squaredSum += error.SquaredSum;
            maxError = Math.Max(maxError, error.MaxError);
        }

        return new QuantizedMatrix(shape, _weights, _scales, squaredError, squaredSum, maxError);
    }

    private string? QuantizeBlock(int firstRow, int rows, out BlockError error)
    {
        error = default;
        var w = new float[shape.In];
        var codes = new float[shape.In];
        for (int row = firstRow; row < firstRow + rows; row++)
        {
            matrix.ReadSingle((long)row * shape.In, w);
            int bad = PanelPacker.IndexOfNonFinite(w);
            if (bad >= 0)
            {
                return $"element [{row}, {bad}] is {w[bad]}, but every weight must be finite; the file is damaged or the training diverged.";
            }

            Span<Half> scales = _scales.AsSpan(row * shape.Groups, shape.Groups);
            for (int group = 0; group < scales.Length; group++)
            {
                int first = group * shape.Group;
                int length = Math.Min(shape.Group, shape.In - first);
                Span<float> part = w.AsSpan(first, length);
                Half scale = ChooseScale(part);
                if (!Half.IsFinite(scale))
                {
                    return $"columns {first} to {first + length - 1} of row {row} reach {part[TensorPrimitives.IndexOfMaxMagnitude<float>(part)]}, "
                        + "but a scale in F16 takes less than 524160; scale the layer down first.";
                }

                scales[group] = scale;
                ChooseCodes(part, (float)scale, codes.AsSpan(first, length));
                error.Add(part, codes.AsSpan(first, length), (float)scale);
            }

            WriteNibbles(codes, _weights.AsSpan(row * (shape.In / 2), shape.In / 2));
        }

        return null;
    }

    /// <summary>Largest magnitude, with its sign, over −8; zero for zeros.</summary>
    private static Half ChooseScale(ReadOnlySpan<float> w)
    {
        float max = w[TensorPrimitives.IndexOfMaxMagnitude<float>(w)];
        return max == 0 ? Half.Zero : (Half)(max / -PanelLayout.NibbleBias);
    }

    /// <summary>The nearest of −8 … 7 for each weight.</summary>
    private static void ChooseCodes(ReadOnlySpan<float> w, float scale, Span<float> codes)
    {
        if (scale == 0)
        {
            codes.Clear();
            return;
        }

        TensorPrimitives.Divide(w, scale, codes);
        TensorPrimitives.Round<float>(codes, codes);
        TensorPrimitives.Clamp<float>(codes, -PanelLayout.NibbleBias, PanelLayout.NibbleBias - 1, codes);
    }

    private static void WriteNibbles(ReadOnlySpan<float> codes, Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            int low = (int)codes[2 * i] + PanelLayout.NibbleBias;
            int high = (int)codes[2 * i + 1] + PanelLayout.NibbleBias;
            bytes[i] = (byte)(low | high << 4);
        }
    }

    /// <summary>Sums over a block of rows.</summary>
    private struct BlockError
    {
        public double SquaredError { get; private set; }

        public double SquaredSum { get; private set; }

        public double MaxError { get; private set; }

        public void Add(ReadOnlySpan<float> w, ReadOnlySpan<float> codes, float scale)
        {
            for (int i = 0; i < w.Length; i++)
            {
                double weight = w[i];
                double error = weight - (double)codes[i] * scale;
                SquaredError += error * error;
                SquaredSum += weight * weight;
                MaxError = Math.Max(MaxError, Math.Abs(error));
            }
        }
    }
}
