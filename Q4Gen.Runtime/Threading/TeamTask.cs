using Q4Gen.Kernels;

namespace Q4Gen.Threading;

/// <summary>Work that a team divides: either the panels of a kernel call, or the packing of its activations.</summary>
internal readonly unsafe struct TeamTask
{
    private readonly Linear4BitKernel _kernel;
    private readonly KernelCall _call;
    private readonly void* _tiles;

    private TeamTask(Linear4BitKernel kernel, in KernelCall call, void* tiles)
    {
        _kernel = kernel;
        _call = call;
        _tiles = tiles;
    }

    /// <summary>Computes all panels.</summary>
    public static TeamTask Compute(Linear4BitKernel kernel, in KernelCall call) => new(kernel, call, null);

    /// <summary>Packs all tiles of a row-major call.</summary>
    public static TeamTask Pack(Linear4BitKernel kernel, in KernelCall call, void* tiles) => new(kernel, call, tiles);

    /// <summary>Pieces that can be divided: units of panels, or tiles.</summary>
    public int Units => _tiles == null
        ? (_kernel.Shape.Panels + _kernel.PanelsPerUnit - 1) / _kernel.PanelsPerUnit
        : _kernel.Packing.Tiles(_call.Rows);

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

        if (_tiles == null)
        {
            int panels = _kernel.PanelsPerUnit;
            int firstPanel = first * panels, endPanel = Math.Min(end * panels, _kernel.Shape.Panels);
            _kernel.Run(_call, firstPanel, endPanel);
            if (_call.IsAffine)
            {
                GroupOffsets.Add(_call, _kernel.Shape, firstPanel, endPanel);
            }
        }
        else
        {
            _kernel.Packing.Pack(_call, _tiles, first, end);
        }
    }
}
