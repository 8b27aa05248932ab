using Q4Gen.Format;

namespace Q4Gen.Generator.Model;

/// <summary>The shape of an annotated layer and its precision: what its kernels depend on.</summary>
/// <param name="In">Input features: positive and even.</param>
/// <param name="Out">Output features: positive.</param>
/// <param name="Group">Columns that share one scale: positive.</param>
/// <param name="Precision">What kernels do with activations.</param>
internal sealed record LayerShape(int In, int Out, int Group, LayerPrecision Precision)
{
    private const string Role = "Linear4Bit";

    /// <summary>The name of the generated family of kernels: <c>Linear4Bit_4096x11008_g128</c>.</summary>
    public string FamilyName => new KernelName(Role, In, Out, Group, PrecisionName, "").ToString();

    /// <summary>What tuning files call the layer: <c>4096x11008_g128</c>.</summary>
    public string LayerName => FamilyName.Substring(Role.Length + 1);

    /// <summary>The precision as names carry it.</summary>
    public string PrecisionName => Precision == LayerPrecision.Int8Activations ? KernelName.Int8 : "";

    /// <summary>The shape that a tuning file's name of a layer stands for; null where it is none.</summary>
    public static LayerShape? Find(string layerName) =>
        KernelName.TryParse($"{Role}_{layerName}", out KernelName? name) && name!.Isa.Length == 0
            ? new LayerShape(name.In, name.Out, name.Group, name.Precision.Length == 0 ? LayerPrecision.Exact : LayerPrecision.Int8Activations)
            : null;

    /// <summary>The same shape with the project's precision where its attribute says nothing.</summary>
    public LayerShape Resolve(LayerPrecision projectPrecision) =>
        Precision == LayerPrecision.Unstated ? this with { Precision = projectPrecision } : this;
}

/// <summary>What kernels do with activations; the runtime's <c>Linear4BitPrecision</c>, in its order.</summary>
internal enum LayerPrecision
{
    /// <summary>Float32.</summary>
    Exact,

    /// <summary>Rounded to 8 bits inside each call.</summary>
    Int8Activations,

    /// <summary>The attribute leaves it to the project.</summary>
    Unstated,
}
