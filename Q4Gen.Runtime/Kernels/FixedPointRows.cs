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
    private readonly int* _digits;
    private readonly int _rowWords;
    private OutlierColumn* _outliers;
    private int _outlierCount;

    internal FixedPointRows(Linear4BitShape shape, int* digits, int rowWords)
    {
        _shape = shape;
        _digits = digits;
        _rowWords = rowWords;
    }

    /// <summary>The first word of a row.</summary>
    public readonly ref int this[int row]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _digits[(nint)row * _rowWords];
    }

    /// <summary>Notes a column that kernels take for zero.</summary>
    internal void SetApart(int rows, OutlierColumn outlier)
    {
        if (_outliers is null)
        {
            // Room for all there can be; what is not written costs address space only.
            _outliers = (OutlierColumn*)Threading.ThreadScratch.RentOutliers((long)rows * _shape.In * sizeof(OutlierColumn));
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Add(in KernelCall call, int firstPanel, int endPanel)
    {
        int scalesPerPanel = _shape.Groups * PanelLayout.PanelRows, wordsPerPanel = _shape.Steps * PanelLayout.StepWords;
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            ref int words = ref Unsafe.Add(ref call.Weights, (nint)panel * wordsPerPanel);
            ref short scales = ref Unsafe.Add(ref call.Scales, (nint)panel * scalesPerPanel);
            int rows = Math.Min(PanelLayout.PanelRows, _shape.Out - panel * PanelLayout.PanelRows);
            for (int i = 0; i < _outlierCount; i++)
            {
                OutlierColumn outlier = _outliers[i];
                int step = outlier.Column / PanelLayout.StepColumns, group = outlier.Column / _shape.Group;
                int shift = PanelLayout.NibbleBits * (outlier.Column % PanelLayout.StepColumns);
                ref int column = ref Unsafe.Add(ref words, step * PanelLayout.StepWords);
                ref float y = ref Unsafe.Add(ref call.Y, (nint)outlier.Row * _shape.Out + panel * PanelLayout.PanelRows);
                PanelStore.Add(
                    ref y,
                    ref y,
                    rows,
                    Product(ref column, shift, ref scales, group * PanelLayout.PanelRows, outlier.Value),
                    Product(ref Unsafe.Add(ref column, 8), shift, ref scales, group * PanelLayout.PanelRows + 8, outlier.Value));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Product(ref int words, int shift, ref short scales, int scale, float x)
    {
        Vector256<int> nibbles = (Vector256.LoadUnsafe(ref words) >>> shift) & Vector256.Create(0xF);
        Vector256<float> values = Vector256.ConvertToSingle(nibbles - Vector256.Create(PanelLayout.NibbleBias));
        return values * PanelScales.Load256(ref scales, scale, PanelScales.Exact) * Vector256.Create(x);
    }
}

/// <summary>A column of x that is too large for the fixed point of its block.</summary>
/// <param name="Row">The row of x.</param>
/// <param name="Column">The column.</param>
/// <param name="Value">Its value.</param>
internal readonly record struct OutlierColumn(int Row, int Column, float Value);
