using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using Q4Gen.Format;
using Q4Gen.Packing;

namespace Q4Gen.Quantization;

/// <summary>Quantises one matrix in blocks of rows, each on any thread.</summary>
internal sealed class MatrixQuantizer
{
    // Small enough to share out and to cancel soon, large enough that starting a block costs nothing.
    private const int BlockElements = 1 << 16;

    private readonly WeightTensor _matrix;
    private readonly Linear4BitShape _shape;
    private readonly QuantizationOptions _options;
    private readonly Importance _importance;
    private readonly string _what;
    private readonly byte[] _weights;
    private readonly Half[] _scales;
    private readonly Half[]? _offsets;
    private readonly int _blockRows;

    /// <summary>Prepares the work.</summary>
    /// <param name="matrix">F32, F16 or BF16, of the shape.</param>
    /// <param name="shape">In, Out and the group, which need not be that of the options.</param>
    /// <param name="options">The method, and whether it is affine.</param>
    /// <param name="importance">What errors weigh.</param>
    /// <param name="what">What to call the matrix in messages.</param>
    public MatrixQuantizer(WeightTensor matrix, Linear4BitShape shape, QuantizationOptions options, Importance importance, string what)
    {
        _matrix = matrix;
        _shape = shape;
        _options = options;
        _importance = importance;
        _what = what;
        _weights = new byte[shape.WeightBytes];
        _scales = new Half[shape.ScaleCount];
        _offsets = options.Affine ? new Half[shape.ScaleCount] : null;
        _blockRows = Math.Max(1, BlockElements / shape.In);
    }

    /// <summary>Threads at most; −1 for as many as there are. The result is the same.</summary>
    public int MaxThreads { get; init; } = -1;

    /// <summary>Quantises all rows.</summary>
    public QuantizedMatrix Run(IProgress<double>? progress, CancellationToken ct)
    {
        int blocks = (int)(((long)_shape.Out + _blockRows - 1) / _blockRows);
        var errors = new MatrixError[blocks];
        var failures = new string?[blocks];
        var report = new RisingProgress(progress, _shape.Out);

        // A file that is closed meanwhile stays mapped under the reads in flight.
        _matrix.Hold();
        try
        {
            var parallel = new ParallelOptions { CancellationToken = ct, MaxDegreeOfParallelism = MaxThreads };
            Parallel.For(0, blocks, parallel, (block, loop) =>
            {
                int firstRow = block * _blockRows;
                int rows = Math.Min(_blockRows, _shape.Out - firstRow);
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
            _matrix.Release();
        }

        if (Array.Find(failures, failure => failure is not null) is { } first)
        {
            throw new WeightFormatException($"Cannot quantise {_what}, {_matrix}: {first}");
        }

        // Summed in the order of rows, so that the figures do not depend on threads.
        MatrixError total = default;
        foreach (MatrixError error in errors)
        {
            total.Add(error);
        }

        return new QuantizedMatrix(_shape, _weights, _scales, _offsets, total);
    }

    private IGroupMethod CreateMethod() => (_options.Method, _options.Affine) switch
    {
        (QuantizationMethod.Search, true) => new AffineSearch(Math.Min(_shape.Group, _shape.In)),
        (QuantizationMethod.Search, false) => new SymmetricSearch(Math.Min(_shape.Group, _shape.In)),
        (_, true) => new MinMax(),
        (_, false) => new SignedMax(),
    };

    private string? QuantizeBlock(int firstRow, int rows, out MatrixError error)
    {
        error = default;
        IGroupMethod method = CreateMethod();
        var w = new float[_shape.In];
        var codes = new float[_shape.In];
        for (int row = firstRow; row < firstRow + rows; row++)
        {
            _matrix.ReadSingle((long)row * _shape.In, w);
            int bad = PanelPacker.IndexOfNonFinite(w);
            if (bad >= 0)
            {
                return $"element [{row}, {bad}] is {w[bad]}, but every weight must be finite; the file is damaged or the training diverged.";
            }

            for (int group = 0; group < _shape.Groups; group++)
            {
                int first = group * _shape.Group;
                int length = Math.Min(_shape.Group, _shape.In - first);
                Span<float> part = w.AsSpan(first, length);
                GroupFit fit = method.Choose(part, _importance.InGroup(first, length), codes.AsSpan(first, length));
                if (!fit.IsFinite)
                {
                    return $"columns {first} to {first + length - 1} of row {row} reach {part[TensorPrimitives.IndexOfMaxMagnitude<float>(part)]}, "
                        + "but a scale in F16 takes less than 524160; scale the layer down first.";
                }

                Store(row * _shape.Groups + group, fit);
                error.Add(part, _importance.Given(first, length), codes.AsSpan(first, length), fit);
            }

            WriteNibbles(codes, _weights.AsSpan(row * (_shape.In / 2), _shape.In / 2));
        }

        return null;
    }

    private void Store(int index, GroupFit fit)
    {
        _scales[index] = fit.Scale;
        if (_offsets is not null)
        {
            _offsets[index] = fit.Offset;
        }
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
}
