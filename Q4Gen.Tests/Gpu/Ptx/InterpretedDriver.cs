using System.Runtime.InteropServices;
using System.Text;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>
/// The part of CUDA's driver that programs without ILGPU call, over the interpreter of PTX: what they hand a GPU runs, text and
/// all, on any machine. One device, whose memory and modules all contexts of a process share; what goes wrong is the error's text.
/// </summary>
internal static unsafe class InterpretedDriver
{
    private const int OutOfMemory = 2;
    private const int Failed = 719;

    private static readonly Lock s_lock = new();
    private static readonly PtxMemory s_memory = new();
    private static readonly HashSet<nint> s_allocated = [];
    private static readonly List<PtxProgram> s_modules = [];
    private static readonly List<PtxEntry> s_functions = [];
    private static readonly Dictionary<string, nint> s_exports = new(StringComparer.Ordinal)
    {
        ["cuDeviceGet"] = (nint)(delegate* unmanaged<int*, int, int>)&DeviceGet,
        ["cuDevicePrimaryCtxRetain"] = (nint)(delegate* unmanaged<nint*, int, int>)&Retain,
        ["cuDevicePrimaryCtxRelease_v2"] = (nint)(delegate* unmanaged<int, int>)&Release,
        ["cuCtxSetCurrent"] = (nint)(delegate* unmanaged<nint, int>)&SetCurrent,
        ["cuCtxSynchronize"] = (nint)(delegate* unmanaged<int>)&Synchronize,
        ["cuMemAlloc_v2"] = (nint)(delegate* unmanaged<nint*, nuint, int>)&Allocate,
        ["cuMemFree_v2"] = (nint)(delegate* unmanaged<nint, int>)&Free,
        ["cuMemGetInfo_v2"] = (nint)(delegate* unmanaged<nuint*, nuint*, int>)&MemoryInfo,
        ["cuMemcpyHtoDAsync_v2"] = (nint)(delegate* unmanaged<nint, nint, nuint, nint, int>)&CopyIn,
        ["cuMemcpyDtoHAsync_v2"] = (nint)(delegate* unmanaged<nint, nint, nuint, nint, int>)&CopyOut,
        ["cuStreamCreate"] = (nint)(delegate* unmanaged<nint*, int, int>)&CreateStream,
        ["cuStreamSynchronize"] = (nint)(delegate* unmanaged<nint, int>)&SynchronizeStream,
        ["cuStreamDestroy_v2"] = (nint)(delegate* unmanaged<nint, int>)&SynchronizeStream,
        ["cuModuleLoadDataEx"] = (nint)(delegate* unmanaged<nint*, byte*, int, int*, nint*, int>)&LoadModule,
        ["cuModuleGetFunction"] = (nint)(delegate* unmanaged<nint*, nint, byte*, int>)&GetFunction,
        ["cuLaunchKernel"] = (nint)(delegate* unmanaged<nint, int, int, int, int, int, int, int, nint, void**, void**, int>)&Launch,
        ["cuGetErrorString"] = (nint)(delegate* unmanaged<int, byte**, int>)&ErrorString,
    };

    [ThreadStatic]
    private static nint t_context;

    private static nint s_errorText;

    /// <summary>What a process has asked to be assembled, by the target at the head of its text.</summary>
    public static List<string> LoadedTargets { get; } = [];

    /// <summary>Entries that were launched, in order.</summary>
    public static List<string> Launched { get; } = [];

    /// <summary>Bytes that may be allocated at a time.</summary>
    public const long MostBytes = 1 << 28;

    /// <summary>Allocations that nobody has freed.</summary>
    public static int Allocated
    {
        get
        {
            lock (s_lock)
            {
                return s_allocated.Count;
            }
        }
    }

    /// <summary>Whether kernels are not run, for tests of what runs before.</summary>
    public static bool SkipsLaunches { get; set; }

    /// <summary>Where a function is, by its name.</summary>
    public static nint Export(string name) => s_exports[name];

    [UnmanagedCallersOnly]
    private static int DeviceGet(int* device, int ordinal)
    {
        *device = ordinal + 1;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Retain(nint* context, int device)
    {
        *context = device + 100;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Release(int device) => 0;

    [UnmanagedCallersOnly]
    private static int SetCurrent(nint context)
    {
        t_context = context;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Synchronize() => Try(static () => { });

    [UnmanagedCallersOnly]
    private static int SynchronizeStream(nint stream) => Try(static () => { });

    [UnmanagedCallersOnly]
    private static int CreateStream(nint* stream, int flags)
    {
        *stream = 7;
        return Try(static () => { });
    }

    [UnmanagedCallersOnly]
    private static int Allocate(nint* address, nuint bytes)
    {
        if ((long)bytes > MostBytes)
        {
            return OutOfMemory;
        }

        nint result = 0;
        int error = Try(() =>
        {
            result = (nint)s_memory.AddUnwritten<byte>($"allocation {s_memory.Buffers.Count}", (int)bytes, PtxBufferUse.ReadWrite);
            s_allocated.Add(result);
        });
        *address = result;
        return error;
    }

    [UnmanagedCallersOnly]
    private static int Free(nint address) => Try(() =>
    {
        if (!s_allocated.Remove(address))
        {
            throw new InvalidOperationException("memory is freed that is not allocated");
        }
    });

    [UnmanagedCallersOnly]
    private static int MemoryInfo(nuint* free, nuint* total)
    {
        *free = (nuint)MostBytes;
        *total = (nuint)MostBytes * 2;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int CopyIn(nint target, nint host, nuint bytes, nint stream) =>
        Try(() => s_memory.CopyIn((ulong)target, new ReadOnlySpan<byte>((void*)host, (int)bytes)));

    [UnmanagedCallersOnly]
    private static int CopyOut(nint host, nint source, nuint bytes, nint stream) =>
        Try(() => s_memory.CopyOut((ulong)source, new Span<byte>((void*)host, (int)bytes)));

    [UnmanagedCallersOnly]
    private static int LoadModule(nint* module, byte* text, int options, int* names, nint* values)
    {
        nint result = 0;
        int error = Try(() =>
        {
            string ptx = Marshal.PtrToStringUTF8((nint)text)!;
            LoadedTargets.Add(ptx.Split('\n').First(static line => line.StartsWith(".target", StringComparison.Ordinal))[".target ".Length..]);
            s_modules.Add(PtxProgram.Parse(ptx));
            result = s_modules.Count;
        });
        if (error != 0)
        {
            // Options: a buffer for what is wrong with the text, and its size.
            Span<byte> log = new((void*)values[0], (int)values[1]);
            log[Encoding.UTF8.GetBytes("line 1: it is broken", log)] = 0;
        }

        *module = result;
        return error;
    }

    [UnmanagedCallersOnly]
    private static int GetFunction(nint* function, nint module, byte* name)
    {
        nint result = 0;
        int error = Try(() =>
        {
            s_functions.Add(s_modules[(int)module - 1].Entries[Marshal.PtrToStringUTF8((nint)name)!]);
            result = s_functions.Count;
        });
        *function = result;
        return error;
    }

    [UnmanagedCallersOnly]
    private static int Launch(nint function, int gx, int gy, int gz, int bx, int by, int bz, int shared, nint stream, void** arguments, void** extra) =>
        SkipsLaunches ? 0 : Interpret(function, (gx, gy, gz), (bx, by, bz), shared, arguments);

    private static int Interpret(nint function, (int X, int Y, int Z) grid, (int X, int Y, int Z) block, int shared, void** arguments) => Try(() =>
    {
        PtxEntry entry = s_functions[(int)function - 1];
        Launched.Add(entry.Name);
        object[] values = [.. entry.Parameters.Select((parameter, i) => new ReadOnlySpan<byte>(arguments[i], parameter.Bytes).ToArray())];
        s_modules.First(module => module.Entries.Values.Contains(entry)).Run(entry, s_memory, grid, block, shared, values);
    });

    [UnmanagedCallersOnly]
    private static int ErrorString(int error, byte** text)
    {
        *text = (byte*)s_errorText;
        return 0;
    }

    /// <summary>No exception may leave a function of a driver; calls without a context are errors as they are for CUDA's.</summary>
    private static int Try(Action action)
    {
        lock (s_lock)
        {
            try
            {
                if (t_context == 0)
                {
                    throw new InvalidOperationException("no context is bound to this thread");
                }

                action();
                return 0;
            }
            catch (Exception e)
            {
                Marshal.FreeCoTaskMem(s_errorText);
                s_errorText = Marshal.StringToCoTaskMemUTF8(e.Message);
                return Failed;
            }
        }
    }
}
