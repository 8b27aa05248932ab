using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>Rows of x in fixed point, in the scratch memory of the thread that prepared them; see <see cref="FixedPointActivations"/>.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public unsafe struct FixedPointRows
{
    private readonly Linear4BitShape _shape;
    private readonly int _first;
    private readonly int _count;
    private readonly int _rowWords;
    private readonly int* _digits;
    private OutlierColumn* _outliers;
    private int _outlierCount;

    internal FixedPointRows(Linear4BitShape shape, int first, int count, int rowWords)
    {
        _shape = shape;
        _first = first;
        _count = count;
        _rowWords = rowWords;
        _digits = (int*)Threading.ThreadScratch.RentDigits((long)count * rowWords * sizeof(int));
    }

    /// <summary>The first word of a row of the call.</summary>
    public readonly ref int this[int row]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _digits[(nint)(row - _first) * _rowWords];
    }

    /// <summary>Notes a column that kernels take for zero.</summary>
    internal void SetApart(OutlierColumn outlier)
    {
        if (_outliers is null)
        {
            // Room for all there can be; what is not written costs address space only.
            _outliers = (OutlierColumn*)Threading.ThreadScratch.RentOutliers((long)_count * _shape.In * sizeof(OutlierColumn));
        }

        _outliers[_outlierCount++] = outlier;
    }

    /// <summary>
    /// Adds the columns that kernels took for zero to what they computed, in float32, for the panels from
    /// <paramref name="firstPanel"/> up to <paramref name="endPanel"/>.
    /// </summary>
    public readonly void AddOutliers(in KernelCall call, int firstPanel, int endPanel)
    {
        if (_outlierCount != 0)
        {
            Add(call, firstPanel, endPanel);
        }
    }

    [MethodImpl(Compile.Once)]
    private readonly void Add(in KernelCall call, int firstPanel, int endPanel)
    {
        int scalesPerPanel = _shape.Groups * PanelLayout.PanelRows, wordsPerPanel = _shape.Steps * PanelLayout.StepWords;
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * wordsPerPanel);
            ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * scalesPerPanel);
            int rows = Math.Min(PanelLayout.PanelRows, _shape.Out - panel * PanelLayout.PanelRows);
            for (int i = 0; i < _outlierCount;)
            {
                // All of a row first: what they add up to joins y in one addition.
                int row = _outliers[i].Row;
                Vector256<float> sumA = default, sumB = default;
                for (; i < _outlierCount && _outliers[i].Row == row; i++)
                {
                    OutlierColumn outlier = _outliers[i];
                    int step = outlier.Column / PanelLayout.StepColumns, scale = outlier.Column / _shape.Group * PanelLayout.PanelRows;
                    int shift = PanelLayout.NibbleBits * (outlier.Column % PanelLayout.StepColumns);
                    ref int column = ref Unsafe.Add(ref words, step * PanelLayout.StepWords);
                    var x = Vector256.Create(outlier.Value);
                    sumA += Weights(ref column, shift, ref scales, scale) * x;
                    sumB += Weights(ref Unsafe.Add(ref column, 8), shift, ref scales, scale + 8) * x;
                }

                ref float y = ref Unsafe.Add(ref call.Y, (nint)row * _shape.Out + panel * PanelLayout.PanelRows);
                PanelStore.Add(ref y, ref y, rows, sumA, sumB);
            }
        }
    }

    /// <summary>One column of eight outputs: (nibble − 8) · scale, exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weights(ref int words, int shift, ref short scales, int scale)
    {
        Vector256<int> nibbles = (Vector256.LoadUnsafe(ref words) >>> shift) & Vector256.Create(0xF);
        Vector256<float> values = Vector256.ConvertToSingle(nibbles - Vector256.Create(PanelLayout.NibbleBias));
        return values * PanelScales.Load256(ref scales, scale, PanelScales.Exact);
    }
}

/// <summary>A column of x that is too large for the fixed point of its block.</summary>
/// <param name="Row">The row of x.</param>
/// <param name="Column">The column.</param>
/// <param name="Value">Its value.</param>
internal readonly record struct OutlierColumn(int Row, int Column, float Value);
