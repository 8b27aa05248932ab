using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// Cuts the steps of a row into blocks that share a scale and are short enough for a float32 sum: the error of a
/// running sum grows with its length, so a long group is summed in parts.
/// </summary>
/// <param name="shape">The shape, whose groups are whole steps.</param>
/// <param name="maxBlockSteps">
/// The most steps of a block; 256 columns by default, which keeps the relative error of a block's sum below 4·10⁻⁷.
/// </param>
internal readonly struct StepBlocks(Linear4BitShape shape, int maxBlockSteps = PanelLayout.MaxBlockSteps)
{
    private readonly int _steps = shape.Steps;

    private readonly int _groupSteps = shape.Groups == 1 ? shape.Steps : shape.Group / PanelLayout.StepColumns;

    /// <summary>Blocks of a row.</summary>
    public int Count => (shape.Groups - 1) * CeilingOf(_groupSteps) + CeilingOf(_steps - (shape.Groups - 1) * _groupSteps);

    /// <summary>The group that a step lies in.</summary>
    public int GroupOf(int step) => step / _groupSteps;

    /// <summary>Where the block that starts at a step ends.</summary>
    public int EndOf(int step) =>
        Math.Min(Math.Min(step + maxBlockSteps, (GroupOf(step) + 1) * _groupSteps), _steps);

    private int CeilingOf(int steps) => (steps + maxBlockSteps - 1) / maxBlockSteps;
}
