namespace Q4Gen.Tests.Gpu.Ptx;

internal enum PtxConstantKind
{
    Literal,
    DynamicShared,
    DynamicSharedBytes,
    TidX,
    TidY,
    TidZ,
    NtidX,
    NtidY,
    NtidZ,
    CtaidX,
    CtaidY,
    CtaidZ,
    NctaidX,
    NctaidY,
    NctaidZ,
    LaneId,
    WarpId,
    WarpCount,
    LaneMaskEq,
    LaneMaskLt,
    LaneMaskLe,
    LaneMaskGt,
    LaneMaskGe,
}

/// <summary>A slot that is filled before a block runs: an immediate operand or a special register.</summary>
internal readonly record struct PtxConstant(int Slot, PtxConstantKind Kind, ulong Value);

/// <summary>What a kernel is launched with.</summary>
internal sealed record PtxLaunch(PtxDim Grid, PtxDim Block, int DynamicSharedBytes, byte[] Parameters);

/// <summary>A kernel: its decoded instructions, and what its threads need.</summary>
internal sealed record PtxEntry(string Name)
{
    /// <summary>Blocks have no more shared memory, on any GPU so far, less what the system takes for itself.</summary>
    private const int MostSharedBytes = 227 * 1024;

    /// <summary>What the assembler accepts of shared memory that is not dynamic.</summary>
    private const int MostStaticSharedBytes = 48 * 1024;

    public PtxInstruction[] Code { get; init; } = [];

    public PtxVariable[] Parameters { get; init; } = [];

    public PtxConstant[] Constants { get; init; } = [];

    /// <summary>The number of slots for registers and constants.</summary>
    public int Registers { get; init; }

    public int Predicates { get; init; }

    public int LocalBytes { get; init; }

    public PtxSharedVariable[] StaticShared { get; init; } = [];

    /// <summary>The name of the shared variable whose size the launch decides.</summary>
    public string? DynamicShared { get; init; }

    public int DynamicSharedOffset { get; init; }

    /// <summary>The bytes of the narrowest access to shared memory.</summary>
    public int SharedGranule { get; init; } = 1;

    /// <summary>The bytes of the narrowest access to global memory.</summary>
    public int GlobalGranule { get; init; } = 1;

    /// <summary><c>.maxntid</c>: the most threads of a block, or 0.</summary>
    public int MostThreads { get; init; }

    /// <summary><c>.reqntid</c>: the size of a block, or zeros.</summary>
    public PtxDim RequiredSize { get; init; }

    /// <summary>The instructions that a warp may execute before the program counts as endless.</summary>
    public long StepLimit { get; set; } = 50_000_000;

    /// <summary>
    /// Whether shuffles, votes and matrix products order a warp's accesses to memory as <c>bar.warp.sync</c> does. They make the
    /// threads meet, but the PTX manual promises an order of accesses for <c>bar.warp.sync</c> alone.
    /// </summary>
    public bool CollectivesOrderMemory { get; set; } = true;

    /// <summary>The bytes of shared memory that the entry declares.</summary>
    public int StaticSharedBytes => StaticShared.Sum(variable => variable.Bytes);

    public IEnumerable<PtxSharedVariable> SharedVariables(int dynamicBytes) =>
        DynamicShared is null ? StaticShared : StaticShared.Append(new(DynamicShared, DynamicSharedOffset, dynamicBytes));

    /// <summary>Checks what a launch asks for.</summary>
    public void Check(PtxLaunch launch)
    {
        var size = launch.Block;
        if (size.X < 1 || size.Y < 1 || size.Z < 1 || size.X > 1024 || size.Y > 1024 || size.Z > 64 || size.Count > 1024)
        {
            throw new PtxException($"A block of {size} is not possible: 1 to 1024 threads are.");
        }

        if (launch.Grid.X < 1 || launch.Grid.Y is < 1 or > 65535 || launch.Grid.Z is < 1 or > 65535)
        {
            throw new PtxException($"A grid of {launch.Grid} is not possible.");
        }

        if (MostThreads > 0 && size.Count > MostThreads)
        {
            throw new PtxException($"'{Name}' is for at most {MostThreads} threads (.maxntid), not for {size.Count}.");
        }

        if (RequiredSize.X > 0 && size != RequiredSize)
        {
            throw new PtxException($"'{Name}' is for blocks of {RequiredSize} (.reqntid), not of {size}.");
        }

        if (StaticSharedBytes > MostStaticSharedBytes || StaticSharedBytes + launch.DynamicSharedBytes > MostSharedBytes)
        {
            throw new PtxException(
                $"'{Name}' declares {StaticSharedBytes} bytes of shared memory, of {MostStaticSharedBytes} at most, and with the "
                + $"launch's {launch.DynamicSharedBytes} they may be {MostSharedBytes} at most.");
        }

        if (launch.DynamicSharedBytes > 0 && DynamicShared is null)
        {
            throw new PtxException($"'{Name}' declares no dynamic shared memory, but the launch gives it {launch.DynamicSharedBytes} bytes.");
        }
    }

    /// <summary>Lays arguments out as the entry declares its parameters.</summary>
    public byte[] Arrange(ReadOnlySpan<object> arguments)
    {
        if (arguments.Length != Parameters.Length)
        {
            throw new PtxException($"'{Name}' has {Parameters.Length} parameters, but {arguments.Length} arguments are given.");
        }

        byte[] block = new byte[Parameters.Length == 0 ? 0 : Parameters.Max(parameter => parameter.Offset + parameter.Bytes)];
        for (int index = 0; index < arguments.Length; index++)
        {
            byte[] bytes = arguments[index] switch
            {
                int value => BitConverter.GetBytes(value),
                uint value => BitConverter.GetBytes(value),
                long value => BitConverter.GetBytes(value),
                ulong value => BitConverter.GetBytes(value),
                float value => BitConverter.GetBytes(value),
                double value => BitConverter.GetBytes(value),
                short value => BitConverter.GetBytes(value),
                ushort value => BitConverter.GetBytes(value),
                Half value => BitConverter.GetBytes(value),
                byte value => [value],
                byte[] value => value,
                PtxView view => [.. BitConverter.GetBytes(view.Address), .. BitConverter.GetBytes(view.Length)],
                var other => throw new PtxException($"An argument of the type {other?.GetType().Name} is not supported."),
            };
            var parameter = Parameters[index];
            if (bytes.Length != parameter.Bytes)
            {
                throw new PtxException(
                    $"Argument {index} of '{Name}' has {bytes.Length} bytes, but the parameter '{parameter.Name}' has {parameter.Bytes}.");
            }

            bytes.CopyTo(block, parameter.Offset);
        }

        return block;
    }
}
