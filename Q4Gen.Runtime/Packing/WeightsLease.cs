using System.Runtime.InteropServices;

namespace Q4Gen.Kernels;

/// <summary>
/// One layer's hold on its weights. A safe handle, so that disposing a layer while another thread is inside
/// <c>Forward</c> frees the memory when that call is over and not before.
/// </summary>
internal sealed class WeightsLease : SafeHandle
{
    private readonly PackedWeights _weights;

    public WeightsLease(PackedWeights weights)
        : base(0, ownsHandle: true)
    {
        _weights = weights;
        weights.AddReference();
        SetHandle(1);
    }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        _weights.Release();
        return true;
    }
}
