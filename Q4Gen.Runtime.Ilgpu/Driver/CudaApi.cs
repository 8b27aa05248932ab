using System.Globalization;
using System.Runtime.InteropServices;

namespace Q4Gen.Gpu;

/// <summary>
/// The functions of CUDA's driver that layers need beside those of <see cref="CudaDriver"/>, checked. CUDA Driver API reference,
/// "Primary Context", "Memory", "Stream", "Module" and "Execution Control".
/// </summary>
/// <param name="export">Where a function is, by its name.</param>
internal sealed unsafe class CudaApi(Func<string, nint> export)
{
    private const int OutOfMemory = 2;
    private const int NonBlockingStream = 1;
    private const int JitErrorLog = 5;
    private const int JitErrorLogBytes = 6;
    private const int LogBytes = 4096;

    private readonly delegate* unmanaged<int*, int, int> _deviceGet = (delegate* unmanaged<int*, int, int>)export("cuDeviceGet");
    private readonly delegate* unmanaged<nint*, int, int> _retain = (delegate* unmanaged<nint*, int, int>)export("cuDevicePrimaryCtxRetain");
    private readonly delegate* unmanaged<int, int> _release = (delegate* unmanaged<int, int>)export("cuDevicePrimaryCtxRelease_v2");
    private readonly delegate* unmanaged<nint, int> _setCurrent = (delegate* unmanaged<nint, int>)export("cuCtxSetCurrent");
    private readonly delegate* unmanaged<int> _synchronize = (delegate* unmanaged<int>)export("cuCtxSynchronize");
    private readonly delegate* unmanaged<nint*, nuint, int> _allocate = (delegate* unmanaged<nint*, nuint, int>)export("cuMemAlloc_v2");
    private readonly delegate* unmanaged<nint, int> _free = (delegate* unmanaged<nint, int>)export("cuMemFree_v2");
    private readonly delegate* unmanaged<nuint*, nuint*, int> _memory = (delegate* unmanaged<nuint*, nuint*, int>)export("cuMemGetInfo_v2");
    private readonly delegate* unmanaged<nint, nint, nuint, nint, int> _copyIn = (delegate* unmanaged<nint, nint, nuint, nint, int>)export("cuMemcpyHtoDAsync_v2");
    private readonly delegate* unmanaged<nint, nint, nuint, nint, int> _copyOut = (delegate* unmanaged<nint, nint, nuint, nint, int>)export("cuMemcpyDtoHAsync_v2");
    private readonly delegate* unmanaged<nint*, int, int> _createStream = (delegate* unmanaged<nint*, int, int>)export("cuStreamCreate");
    private readonly delegate* unmanaged<nint, int> _synchronizeStream = (delegate* unmanaged<nint, int>)export("cuStreamSynchronize");
    private readonly delegate* unmanaged<nint, int> _destroyStream = (delegate* unmanaged<nint, int>)export("cuStreamDestroy_v2");
    private readonly delegate* unmanaged<nint*, byte*, int, int*, nint*, int> _loadModule = (delegate* unmanaged<nint*, byte*, int, int*, nint*, int>)export("cuModuleLoadDataEx");
    private readonly delegate* unmanaged<nint*, nint, byte*, int> _getFunction = (delegate* unmanaged<nint*, nint, byte*, int>)export("cuModuleGetFunction");
    private readonly delegate* unmanaged<nint, int, int, int, int, int, int, int, nint, void**, void**, int> _launch =
        (delegate* unmanaged<nint, int, int, int, int, int, int, int, nint, void**, void**, int>)export("cuLaunchKernel");

    private readonly delegate* unmanaged<int, byte**, int> _errorString = (delegate* unmanaged<int, byte**, int>)export("cuGetErrorString");

    /// <summary>The handle of a device.</summary>
    public int Device(int index)
    {
        int device;
        Check(_deviceGet(&device, index), "open a device");
        return device;
    }

    /// <summary>The context that a process has on a device, which all libraries in it share.</summary>
    public nint Retain(int device)
    {
        nint context;
        Check(_retain(&context, device), "open a context");
        return context;
    }

    /// <summary>Gives a context back.</summary>
    public void Release(int device) => _ = _release(device);

    /// <summary>Has this thread's calls go to a context.</summary>
    public void Bind(nint context) => Check(_setCurrent(context), "bind a context");

    /// <summary>Waits for all work of the context.</summary>
    public void Synchronize() => Check(_synchronize(), "wait for the device");

    /// <summary>Memory; 0 where there is not enough.</summary>
    public nint Allocate(long bytes)
    {
        nint address;
        int error = _allocate(&address, (nuint)bytes);
        if (error == OutOfMemory)
        {
            return 0;
        }

        Check(error, "allocate memory");
        return address;
    }

    /// <summary>Frees memory; a device that is gone has none.</summary>
    public void Free(nint address) => _ = _free(address);

    /// <summary>Bytes that are free and that there are.</summary>
    public (long Free, long Total) Memory()
    {
        nuint free, total;
        Check(_memory(&free, &total), "ask for the memory that is free");
        return ((long)free, (long)total);
    }

    /// <summary>Queues a copy from the host.</summary>
    public void CopyIn(nint target, nint host, long bytes, nint stream) => Check(_copyIn(target, host, (nuint)bytes, stream), "copy to the device");

    /// <summary>Queues a copy to the host.</summary>
    public void CopyOut(nint host, nint source, long bytes, nint stream) => Check(_copyOut(host, source, (nuint)bytes, stream), "copy from the device");

    /// <summary>A stream that waits for no other.</summary>
    public nint CreateStream()
    {
        nint stream;
        Check(_createStream(&stream, NonBlockingStream), "make a stream");
        return stream;
    }

    /// <summary>Waits for a stream.</summary>
    public void Synchronize(nint stream) => Check(_synchronizeStream(stream), "wait for a stream");

    /// <summary>Ends a stream.</summary>
    public void DestroyStream(nint stream) => _ = _destroyStream(stream);

    /// <summary>Has the driver assemble PTX. A module stays as long as its context.</summary>
    /// <param name="ptx">The text, with a zero at its end.</param>
    /// <param name="what">What it is, for a message.</param>
    public nint LoadModule(ReadOnlySpan<byte> ptx, string what)
    {
        byte* log = stackalloc byte[LogBytes];
        log[0] = 0;
        int* options = stackalloc int[] { JitErrorLog, JitErrorLogBytes };
        nint* values = stackalloc nint[] { (nint)log, LogBytes };
        nint module;
        int error;
        fixed (byte* text = ptx)
        {
            error = _loadModule(&module, text, 2, options, values);
        }

        if (error != 0)
        {
            // The log says which line, where the driver got so far as to read it.
            string details = Marshal.PtrToStringUTF8((nint)log) is { Length: > 0 } lines ? $" {lines.Trim()}" : "";
            throw new GpuFaultException($"The CUDA driver does not take the kernel {what}: {ErrorText(error)}. Update the driver if it is older than the program.{details}");
        }

        return module;
    }

    /// <summary>A kernel of a module.</summary>
    public nint Function(nint module, string name)
    {
        Span<byte> text = stackalloc byte[name.Length + 1];
        System.Text.Encoding.ASCII.GetBytes(name, text);
        text[^1] = 0;
        nint function;
        fixed (byte* first = text)
        {
            Check(_getFunction(&function, module, first), $"find the kernel {name}");
        }

        return function;
    }

    /// <summary>Queues a kernel.</summary>
    public void Launch(nint function, (int X, int Y) grid, int threads, nint stream, ReadOnlySpan<PtxArgument> arguments)
    {
        void** addresses = stackalloc void*[arguments.Length];
        fixed (PtxArgument* first = arguments)
        {
            for (int i = 0; i < arguments.Length; i++)
            {
                addresses[i] = first + i;
            }

            Check(_launch(function, grid.X, grid.Y, 1, threads, 1, 1, 0, stream, addresses, null), "launch a kernel");
        }
    }

    private void Check(int error, string what)
    {
        if (error != 0)
        {
            throw new GpuFaultException($"The CUDA driver could not {what}: {ErrorText(error)}.");
        }
    }

    private string ErrorText(int error)
    {
        byte* text = null;
        _ = _errorString(error, &text);
        return string.Create(CultureInfo.InvariantCulture, $"error {error}, {(text == null ? "unknown" : Marshal.PtrToStringUTF8((nint)text))}");
    }
}
