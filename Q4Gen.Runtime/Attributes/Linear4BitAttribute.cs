namespace Q4Gen;

/// <summary>
/// Marks a partial class as a 4-bit linear layer, or a partial property of a model class as holding one. The compiler
/// then emits kernels for exactly this shape, and the class, or the class that contains the property, gets a
/// <c>Load</c> that fills it from a weight file.
/// </summary>
/// <example>
/// <code>
/// public partial class Mlp
/// {
///     [Linear4Bit(In = 4096, Out = 11008, Group = 128)]
///     public partial Linear4Bit GateProj { get; }
/// }
/// </code>
/// </example>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Property, Inherited = false)]
public sealed class Linear4BitAttribute : Attribute
{
    /// <summary>Input features: positive and even.</summary>
    public int In { get; set; }

    /// <summary>Output features: positive.</summary>
    public int Out { get; set; }

    /// <summary>Columns that share one scale; 128 where nothing is said. A multiple of 8 gets vector kernels.</summary>
    public int Group { get; set; } = 128;

    /// <summary>Whether the layer adds a bias. A weight file must then have <c>{prefix}.bias</c>, and must not have it otherwise.</summary>
    public bool Bias { get; set; }

    /// <summary>
    /// The layer's name in weight files, in place of the property's name in snake_case; it may contain dots. Only on properties.
    /// </summary>
    public string? Name { get; set; }
}
