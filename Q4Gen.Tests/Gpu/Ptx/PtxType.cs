namespace Q4Gen.Tests.Gpu.Ptx;

internal enum PtxKind
{
    Bits,
    Unsigned,
    Signed,
    Float,
    HalfPair,
    Predicate,
}

/// <summary>A fundamental type of PTX, such as <c>.s32</c>.</summary>
internal readonly record struct PtxType(PtxKind Kind, int Bits)
{
    public static readonly PtxType B16 = new(PtxKind.Bits, 16);
    public static readonly PtxType B32 = new(PtxKind.Bits, 32);
    public static readonly PtxType B64 = new(PtxKind.Bits, 64);
    public static readonly PtxType U32 = new(PtxKind.Unsigned, 32);
    public static readonly PtxType F16 = new(PtxKind.Float, 16);
    public static readonly PtxType F32 = new(PtxKind.Float, 32);
    public static readonly PtxType Predicate = new(PtxKind.Predicate, 1);

    public int Bytes => Bits / 8;

    public bool IsInteger => Kind is PtxKind.Unsigned or PtxKind.Signed;

    public bool IsFloat => Kind == PtxKind.Float;

    /// <summary>The type of C# that has this type's arithmetic.</summary>
    public Type Clr => (Kind, Bits) switch
    {
        (PtxKind.Signed, 8) => typeof(sbyte),
        (PtxKind.Signed, 16) => typeof(short),
        (PtxKind.Signed, 32) => typeof(int),
        (PtxKind.Signed, 64) => typeof(long),
        (PtxKind.Float, 16) => typeof(Half),
        (PtxKind.Float, 32) => typeof(float),
        (PtxKind.Float, 64) => typeof(double),
        _ => Raw,
    };

    /// <summary>The unsigned integer of this width.</summary>
    public Type Raw => Bits switch
    {
        8 => typeof(byte),
        16 => typeof(ushort),
        32 => typeof(uint),
        _ => typeof(ulong),
    };

    public static bool TryParse(string text, out PtxType type)
    {
        type = text switch
        {
            "b8" => new(PtxKind.Bits, 8),
            "b16" => B16,
            "b32" => B32,
            "b64" => B64,
            "u8" => new(PtxKind.Unsigned, 8),
            "u16" => new(PtxKind.Unsigned, 16),
            "u32" => U32,
            "u64" => new(PtxKind.Unsigned, 64),
            "s8" => new(PtxKind.Signed, 8),
            "s16" => new(PtxKind.Signed, 16),
            "s32" => new(PtxKind.Signed, 32),
            "s64" => new(PtxKind.Signed, 64),
            "f16" => F16,
            "f32" => F32,
            "f64" => new(PtxKind.Float, 64),
            "f16x2" => new(PtxKind.HalfPair, 32),
            "pred" => Predicate,
            _ => default,
        };
        return type.Bits != 0;
    }

    /// <summary>Whether a register of the type <paramref name="register"/> may be an operand of this type, by the assembler's rules.</summary>
    /// <param name="register">The type that the register is declared with.</param>
    /// <param name="mayBeWider">Loads, stores and conversions take wider registers, except for floating point.</param>
    public bool Accepts(PtxType register, bool mayBeWider)
    {
        if (Bits != register.Bits)
        {
            return mayBeWider && register.Bits > Bits && !IsFloat && !register.IsFloat && register.Kind != PtxKind.HalfPair;
        }

        return Kind == PtxKind.Bits || register.Kind == PtxKind.Bits || Kind == register.Kind || (IsInteger && register.IsInteger);
    }

    public override string ToString() => Kind switch
    {
        PtxKind.Bits => $".b{Bits}",
        PtxKind.Unsigned => $".u{Bits}",
        PtxKind.Signed => $".s{Bits}",
        PtxKind.Float => $".f{Bits}",
        PtxKind.HalfPair => ".f16x2",
        _ => ".pred",
    };
}
