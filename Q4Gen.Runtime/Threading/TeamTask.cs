using Q4Gen.Kernels;

namespace Q4Gen.Threading;

/// <summary>
/// Work that a team divides: the panels of a kernel call, the packing of its activations, or what its rows of x need
/// before either.
/// </summary>
internal readonly unsafe struct TeamTask
{
    private readonly Linear4BitKernel _kernel;
    private readonly KernelCall _call;
    private readonly void* _target;
    private readonly Work _work;

    private TeamTask(Work work, Linear4BitKernel kernel, in KernelCall call, void* target)
    {
        _work = work;
        _kernel = kernel;
        _call = call;
        _target = target;
    }

    private enum Work
    {
        Compute,
        Pack,
        Prepare,
    }

    /// <summary>Computes all panels.</summary>
    public static TeamTask Compute(Linear4BitKernel kernel, in KernelCall call) => new(Work.Compute, kernel, call, null);

    /// <summary>Packs all tiles of a row-major call.</summary>
    public static TeamTask Pack(Linear4BitKernel kernel, in KernelCall call, void* tiles) => new(Work.Pack, kernel, call, tiles);

    /// <summary>Brings all rows of a row-major call into the order of columns, at <paramref name="ordered"/>, and sums their groups, where it has either.</summary>
    public static TeamTask Prepare(Linear4BitKernel kernel, in KernelCall call, float* ordered) => new(Work.Prepare, kernel, call, ordered);

    /// <summary>Pieces that can be divided: units of panels, tiles, or rows.</summary>
    public int Units => _work switch
    {
        Work.Compute => (_kernel.Shape.Panels + _kernel.PanelsPerUnit - 1) / _kernel.PanelsPerUnit,
        Work.Pack => _kernel.Packing.Tiles(_call.Rows),
        _ => _call.Rows,
    };

    /// <summary>Does share <paramref name="part"/> of <paramref name="parts"/>; the shares are the same every time.</summary>
    public void Run(int part, int parts)
    {
        int units = Units;
        int first = (int)((long)units * part / parts);
        int end = (int)((long)units * (part + 1) / parts);
        if (first == end)
        {
            return;
        }

        switch (_work)
        {
            case Work.Compute:
                Compute(first, end);
                break;
            case Work.Pack:
                _kernel.Packing.Pack(_call, _target, first, end);
                break;
            default:
                Prepare(first, end);
                break;
        }
    }

    private void Prepare(int firstRow, int endRow)
    {
        KernelCall rows = _call;
        if (_call.HasInputOrder)
        {
            InputOrder.Gather(_call, _kernel.Shape.In, (float*)_target, firstRow, endRow);
            rows = _call.InOrder((float*)_target);
        }

        if (_call.IsAffine)
        {
            GroupOffsets.Sum(rows, _kernel.Shape, firstRow, endRow);
        }
    }

    private void Compute(int firstUnit, int endUnit)
    {
        int panels = _kernel.PanelsPerUnit;
        int firstPanel = firstUnit * panels, endPanel = Math.Min(endUnit * panels, _kernel.Shape.Panels);
        _kernel.Run(_call, firstPanel, endPanel);
        if (_call.IsAffine)
        {
            GroupOffsets.Add(_call, _kernel.Shape, firstPanel, endPanel);
        }
    }
}
