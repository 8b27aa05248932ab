using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// Cuts the steps of a row into blocks that share a scale and are short enough for a float32 sum: the error of a
/// running sum grows with its length, so a long group is summed in parts.
/// </summary>
internal readonly struct StepBlocks(Linear4BitShape shape)
{
    /// <summary>256 columns: keeps the relative error of a block's sum below 4·10⁻⁷.</summary>
    private const int MaxBlockSteps = PanelLayout.MaxBlockColumns / PanelLayout.StepColumns;

    private readonly int _steps = shape.Steps;

    private readonly int _groupSteps = shape.Groups == 1 ? shape.Steps : shape.Group / PanelLayout.StepColumns;

    /// <summary>The group that a step lies in.</summary>
    public int GroupOf(int step) => step / _groupSteps;

    /// <summary>Where the block that starts at a step ends.</summary>
    public int EndOf(int step) =>
        Math.Min(Math.Min(step + MaxBlockSteps, (GroupOf(step) + 1) * _groupSteps), _steps);
}
