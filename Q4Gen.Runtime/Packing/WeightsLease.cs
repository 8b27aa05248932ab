using System.Runtime.InteropServices;

namespace Q4Gen.Kernels;

/// <summary>
/// One layer's hold on its weights. A safe handle, so that disposing a layer while another thread is inside
/// <c>Forward</c> frees the memory when that call is over and not before.
/// </summary>
internal sealed class WeightsLease : SafeHandle
{
    private readonly PackedWeights _weights;
    private volatile bool _isDisposed;

    public WeightsLease(PackedWeights weights)
        : base(0, ownsHandle: true)
    {
        _weights = weights;
        weights.AddReference();
        SetHandle(1);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>Whether the layer is disposed, from that moment on; the handle itself closes with the last call in flight.</summary>
    public bool IsDisposed => _isDisposed;

    /// <summary>Keeps the weights until the result is disposed. Allocates nothing and takes no lock.</summary>
    /// <exception cref="ObjectDisposedException"><paramref name="owner"/> is disposed.</exception>
    public Use Enter(Linear4Bit owner)
    {
        // Not left to the handle, which takes new calls for as long as others are in flight.
        if (_isDisposed)
        {
            throw Disposed(owner);
        }

        bool added = false;
        try
        {
            DangerousAddRef(ref added);
        }
        catch (ObjectDisposedException)
        {
            throw Disposed(owner);
        }

        return new Use(this);
    }

    /// <summary>What a call on a disposed layer throws.</summary>
    public static ObjectDisposedException Disposed(Linear4Bit owner) =>
        new(owner.GetType().FullName, $"This layer ({owner.Shape}) is disposed; use it, or clone it, before that.");

    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        base.Dispose(disposing);
    }

    protected override bool ReleaseHandle()
    {
        _weights.Release();
        return true;
    }

    /// <summary>A call in flight.</summary>
    public readonly ref struct Use(WeightsLease lease)
    {
        /// <summary>Ends the call; the last one on a disposed layer lets go of the weights.</summary>
        public void Dispose() => lease.DangerousRelease();
    }
}
