namespace Q4Gen;

/// <summary>
/// Marks a partial class as a 4-bit linear layer, or a partial property of a model class as holding one. The compiler
/// then emits kernels for exactly this shape, and the class, or the class that contains the property, gets a
/// <c>Load</c> that fills it from a weight file.
/// </summary>
/// <remarks>
/// A class gets constructors and a static <c>Load</c>. A property's type is <see cref="Linear4Bit"/> or its nullable
/// form, with any accessors; reading one that is not nullable before it is loaded throws
/// <see cref="InvalidOperationException"/>, and assigning a layer of other features <see cref="ArgumentException"/>.
/// What else its class holds is loaded with it; see <see cref="Linear4BitModelAttribute"/>.
/// </remarks>
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
    /// Whether weights are affine, <c>(nibble − 8) · scale + offset</c>. A weight file must then have
    /// <c>{prefix}.offsets_4bit</c>, F16 <c>[out, groups]</c>, and must not have it otherwise.
    /// </summary>
    public bool Affine { get; set; }

    /// <summary>
    /// Whether activations stay float32 or are rounded to 8 bits inside each call. Where nothing is said: the MSBuild
    /// property <c>Q4GenPrecision</c> of the project, or else <see cref="Linear4BitPrecision.Exact"/>.
    /// </summary>
    public Linear4BitPrecision Precision { get; set; }

    /// <summary>
    /// The layer's name in weight files, in place of the property's name in snake_case; it may contain dots. Only on properties.
    /// </summary>
    /// <remarks>
    /// Snake case is lower case with an underscore before each word. A word begins at an upper-case letter that follows a
    /// lower-case one (<c>GateProj</c> is <c>gate_proj</c>), or that follows an upper-case letter or a digit and has a
    /// lower-case one behind it (<c>LMHead</c> is <c>lm_head</c>; <c>W1</c> is <c>w1</c>, <c>MLP</c> is <c>mlp</c> and
    /// <c>Conv2D</c> is <c>conv2d</c>). Leading underscores fall away.
    /// </remarks>
    public string? Name { get; set; }
}
