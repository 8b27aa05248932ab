using System.ComponentModel;

namespace Q4Gen.Kernels;

/// <summary>
/// Cuts rows into tiles: of the greatest height as many as fit, the rest into 4, 2 and 1. Where the greatest height is
/// odd and an odd rest would be left, one tile fewer: five and one are better cut as four and two.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public readonly struct RowTiles
{
    private readonly int _maxHeight;
    private readonly int _full;
    private readonly int _fours;
    private readonly int _rest;

    /// <summary>The tiles of <paramref name="rows"/> rows, none of more than <paramref name="maxHeight"/>.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="maxHeight">1, 2, 4 or 5.</param>
    public RowTiles(int rows, int maxHeight)
    {
        _maxHeight = maxHeight;
        _full = rows / maxHeight;
        if (maxHeight % 2 != 0 && rows % maxHeight % 2 != 0 && _full > 0)
        {
            _full--;
        }

        _rest = rows - _full * maxHeight;
        _fours = _rest / 4;
        _rest %= 4;
        Count = _full + _fours + _rest / 2 + _rest % 2;
    }

    /// <summary>Tiles, the highest first.</summary>
    public int Count { get; }

    /// <summary>Rows of a tile.</summary>
    public int HeightOf(int tile) =>
        tile < _full ? _maxHeight : tile < _full + _fours ? 4 : tile == _full + _fours && _rest >= 2 ? 2 : 1;

    /// <summary>The first row of a tile.</summary>
    internal int RowOf(int tile)
    {
        int behind = tile - _full;
        if (behind <= 0)
        {
            return tile * _maxHeight;
        }

        int row = _full * _maxHeight + 4 * Math.Min(behind, _fours);
        return behind > _fours ? row + (_rest & 2) + (behind - _fours - (_rest >> 1)) : row;
    }
}
