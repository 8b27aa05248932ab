using System.Runtime.InteropServices;

namespace Q4Gen.Gpu;

/// <summary>
/// Work that was recorded once and is launched as a whole: a block's layers cost one launch instead of one each.
/// Everything that it uses, tensors, layers and streams, must live as long as it does and stays where it was. CUDA
/// Driver API reference, "Graph Management".
/// </summary>
public sealed unsafe class GpuGraph : IDisposable
{
    /// <summary>Recording one stream leaves what other threads do with the device alone.</summary>
    private const int ThreadLocalCapture = 1;

    private readonly GpuStream _stream;
    private readonly delegate* unmanaged<nint, nint, int> _launch;
    private nint _executable;

    private GpuGraph(GpuStream stream, nint executable, nint launch)
    {
        _stream = stream;
        _executable = executable;
        _launch = (delegate* unmanaged<nint, nint, int>)launch;
    }

    /// <summary>Records what <paramref name="work"/> queues on a stream; nothing of it runs.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="work">
    /// The work. It ran once before, so that kernels are loaded and the memory that layers take beside x and y is in the
    /// stream's pool, and it neither waits nor copies to or from the host.
    /// </param>
    /// <exception cref="GpuUnavailableException">The stream's GPU is emulated, or the driver does not record the work.</exception>
    public static GpuGraph Capture(GpuStream stream, Action work)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(work);
        nint handle = Handle(stream);
        nint driver = CudaDriver.Open();
        CudaDriver.Check(driver, ((delegate* unmanaged<nint, int, int>)CudaDriver.Export(driver, "cuStreamBeginCapture_v2"))(handle, ThreadLocalCapture));
        nint graph = 0;
        try
        {
            work();
        }
        finally
        {
            // Also where the work throws: the stream would stay in recording.
            int error = ((delegate* unmanaged<nint, nint*, int>)CudaDriver.Export(driver, "cuStreamEndCapture"))(handle, &graph);
            if (graph == 0)
            {
                CudaDriver.Check(driver, error);
            }
        }

        try
        {
            nint executable;
            CudaDriver.Check(driver, ((delegate* unmanaged<nint*, nint, ulong, int>)CudaDriver.Export(driver, "cuGraphInstantiateWithFlags"))(&executable, graph, 0));
            return new GpuGraph(stream, executable, CudaDriver.Export(driver, "cuGraphLaunch"));
        }
        finally
        {
            _ = ((delegate* unmanaged<nint, int>)CudaDriver.Export(driver, "cuGraphDestroy"))(graph);
        }
    }

    /// <summary>Queues the recorded work on the stream that it was recorded on.</summary>
    /// <exception cref="ObjectDisposedException">The graph is disposed.</exception>
    public void Launch()
    {
        ObjectDisposedException.ThrowIf(_executable == 0, this);
        int error = _launch(_executable, Handle(_stream));
        CudaDriver.Check(CudaDriver.Open(), error);
    }

    /// <summary>Frees the recording; what was launched goes on.</summary>
    public void Dispose()
    {
        nint executable = Interlocked.Exchange(ref _executable, 0);
        if (executable != 0)
        {
            nint driver = CudaDriver.Open();
            _ = ((delegate* unmanaged<nint, int>)CudaDriver.Export(driver, "cuGraphExecDestroy"))(executable);
        }
    }

    /// <summary>The driver's calls go to the device that this thread is bound to.</summary>
    private static nint Handle(GpuStream stream) => stream.Queue.BoundHandle()
        ?? throw new GpuUnavailableException($"{stream.Context} has no graphs, which are CUDA's; call the layers one by one.");
}
