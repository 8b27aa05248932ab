using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Q4Gen.Gpu.Kernels;

/// <summary>An element of activations: kernels compute in float32, whatever it is in memory.</summary>
/// <typeparam name="TSelf">The element itself.</typeparam>
[EditorBrowsable(EditorBrowsableState.Never)]
public interface IActivation<TSelf>
    where TSelf : unmanaged, IActivation<TSelf>
{
    /// <summary>The value.</summary>
    float ToSingle();

    /// <summary>Takes the nearest value.</summary>
    void Set(float value);
}

/// <summary>A float32 in a GPU's memory.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
[StructLayout(LayoutKind.Sequential)]
public struct F32 : IActivation<F32>
{
    private float _value;

    /// <inheritdoc/>
    public readonly float ToSingle() => _value;

    /// <inheritdoc/>
    public void Set(float value) => _value = value;
}

/// <summary>A float16 in a GPU's memory.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
[StructLayout(LayoutKind.Sequential)]
public struct F16 : IActivation<F16>
{
    private ILGPU.Half _value;

    /// <inheritdoc/>
    public readonly float ToSingle() => _value;

    /// <inheritdoc/>
    public void Set(float value) => _value = (ILGPU.Half)value;
}

/// <summary>Four neighbours in memory, which one instruction loads or stores; at a multiple of their size.</summary>
/// <typeparam name="T">What they are.</typeparam>
[EditorBrowsable(EditorBrowsableState.Never)]
[StructLayout(LayoutKind.Sequential)]
public struct Four<T>
    where T : unmanaged
{
    /// <summary>The first.</summary>
    public T A;

    /// <summary>The second.</summary>
    public T B;

    /// <summary>The third.</summary>
    public T C;

    /// <summary>The fourth.</summary>
    public T D;
}

/// <summary>Two neighbours in memory, which one instruction loads; at a multiple of their size.</summary>
/// <typeparam name="T">What they are.</typeparam>
[EditorBrowsable(EditorBrowsableState.Never)]
[StructLayout(LayoutKind.Sequential)]
public struct Two<T>
    where T : unmanaged
{
    /// <summary>The first.</summary>
    public T A;

    /// <summary>The second.</summary>
    public T B;
}
