namespace Q4Gen;

/// <summary>The shape of a 4-bit linear layer, <c>y[out] = W[out, in] · x[in]</c>, and what follows from it.</summary>
/// <param name="In">Input features: columns of W. Positive and even, because a byte holds two columns.</param>
/// <param name="Out">Output features: rows of W. Positive.</param>
/// <param name="Group">Columns of one row that share a scale. Positive; the last group of a row may be shorter.</param>
public readonly record struct Linear4BitShape(int In, int Out, int Group)
{
    /// <summary>Groups (scales) a row: <c>ceil(In / Group)</c>.</summary>
    public int Groups => (int)(((long)In + Group - 1) / Group);

    /// <summary>Bytes of packed weights as a file has them: <c>Out · In / 2</c>.</summary>
    public long WeightBytes => (long)Out * (In / 2);

    /// <summary>Number of scales: <c>Out · Groups</c>.</summary>
    public long ScaleCount => (long)Out * Groups;

    internal int Panels => (int)(((long)Out + Format.PanelLayout.PanelRows - 1) / Format.PanelLayout.PanelRows);

    internal int Steps => (int)(((long)In + Format.PanelLayout.StepColumns - 1) / Format.PanelLayout.StepColumns);

    /// <summary>Bytes of the weights in panel layout, padded to whole panels and steps.</summary>
    internal long PackedWeightBytes => (long)Panels * Steps * Format.PanelLayout.StepBytes;

    /// <summary>Bytes of the F16 scales in panel layout, padded to whole panels.</summary>
    internal long PackedScaleBytes => (long)Panels * Groups * Format.PanelLayout.PanelRows * 2;

    /// <summary>Bytes of the float32 bias, padded to whole panels.</summary>
    internal long PackedBiasBytes => (long)Panels * Format.PanelLayout.PanelRows * sizeof(float);

    /// <summary>Throws where no layer can have this shape.</summary>
    /// <exception cref="ArgumentOutOfRangeException">In, Out or Group is not positive, or In is odd.</exception>
    public void Validate()
    {
        if (In <= 0 || In % 2 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(In), In,
                "In must be positive and even, because a byte of packed weights holds two columns.");
        }

        if (Out <= 0)
        {
            throw new ArgumentOutOfRangeException(nameof(Out), Out, "Out must be positive.");
        }

        if (Group <= 0)
        {
            throw new ArgumentOutOfRangeException(nameof(Group), Group, "Group must be positive.");
        }
    }

    /// <summary><c>4096→11008 g128</c>.</summary>
    public override string ToString() => $"{In}→{Out} g{Group}";
}
