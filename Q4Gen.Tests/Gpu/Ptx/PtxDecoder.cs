using System.Reflection;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>
/// Turns a statement into an instruction. Modifiers and operands are taken one after the other, in the order that the assembler
/// wants; what is left over in the end is an error.
/// </summary>
internal sealed partial class PtxDecoder
{
    private readonly PtxEntryBuilder _builder;
    private readonly PtxScope _scope;
    private readonly PtxStatement _statement;
    private readonly string _opcode;
    private readonly string[] _modifiers;
    private readonly List<(int Slot, string Name)> _sources = [];
    private readonly List<(int Slot, string Name)> _predicateSources = [];
    private readonly List<int> _targets = [];
    private readonly List<int> _predicateTargets = [];
    private int _modifier;
    private int _operand;

    private PtxDecoder(PtxEntryBuilder builder, PtxScope scope, PtxStatement statement)
    {
        _builder = builder;
        _scope = scope;
        _statement = statement;
        string[] parts = statement.Mnemonic.Split('.');
        _opcode = parts[0];
        _modifiers = parts[1..];
    }

    public static PtxInstruction Decode(PtxEntryBuilder builder, PtxScope scope, PtxStatement statement)
    {
        var decoder = new PtxDecoder(builder, scope, statement);
        PtxInstruction instruction;
        try
        {
            instruction = decoder.DecodeOperation();
        }
        catch (Exception exception) when (exception is TargetInvocationException or ArgumentException or IndexOutOfRangeException)
        {
            throw decoder.Error($"is not supported ({exception.Message})");
        }

        decoder.Finish(instruction);
        return instruction;
    }

    private PtxInstruction DecodeOperation() => _opcode switch
    {
        "mov" => Move(),
        "ld" or "ldu" => Load(),
        "st" => Store(),
        "cvta" => ConvertAddress(),
        "cvt" => Convert(),
        "add" or "sub" or "mul" or "mad" or "fma" or "div" or "rem" or "min" or "max" or "neg" or "abs" => Arithmetic(),
        "rcp" or "sqrt" or "rsqrt" or "ex2" or "lg2" or "sin" or "cos" or "tanh" or "copysign" => FloatFunction(),
        "and" or "or" or "xor" or "not" or "cnot" or "shl" or "shr" or "popc" or "clz" or "brev" => Bitwise(),
        "shf" or "bfe" or "bfi" or "prmt" or "lop3" => BitField(),
        "setp" or "set" => Compare(),
        "selp" => Select(),
        "testp" => Test(),
        "bra" or "brx" => Branch(),
        "ret" or "exit" => Exit(),
        "trap" => new TrapInstruction(),
        "bar" or "barrier" => Barrier(),
        "shfl" => Shuffle(),
        "vote" => Vote(),
        "activemask" => ActiveMask(),
        "mma" => MatrixMultiply(),
        "ldmatrix" => LoadMatrix(),
        "cp" => AsyncCopy(),
        "prefetch" or "prefetchu" or "membar" or "fence" or "nanosleep" or "pmevent" => Nothing(),
        "atom" or "red" => throw Error("is not deterministic, and not supported"),
        _ => throw Error("is not a known instruction"),
    };

    private void Finish(PtxInstruction instruction)
    {
        if (_modifier < _modifiers.Length)
        {
            throw Error($"has the modifier '.{_modifiers[_modifier]}', which is not known or not in place");
        }

        if (_operand < _statement.Operands.Length)
        {
            throw Error($"has {_statement.Operands.Length} operands, of which {_operand} are known");
        }

        if (_statement.Guard is { } guard)
        {
            instruction.Guard = FindPredicate(guard);
            instruction.GuardNegated = guard.Negated;
        }

        instruction.Text = _statement.Text;
        instruction.Line = _statement.Line;
        instruction.Sources = [.. _sources.Select(source => source.Slot)];
        instruction.PredicateSources = [.. _predicateSources.Select(source => source.Slot)];
        instruction.SourceNames = [.. _sources.Concat(_predicateSources).Select(source => source.Name)];
        instruction.Targets = [.. _targets];
        instruction.PredicateTargets = [.. _predicateTargets];
    }

    /// <summary>Refuses what came into PTX later than the version that the program declares.</summary>
    private void RequireVersion(double version)
    {
        if (_builder.Version < version)
        {
            throw Error(System.FormattableString.Invariant($"needs PTX {version:0.0}, but the program declares {_builder.Version:0.0}"));
        }
    }

    /// <summary>Refuses what older processors than the program's do not have.</summary>
    private void RequireTarget(int target)
    {
        if (_builder.Target < target)
        {
            throw Error($"needs sm_{target}, but the program is for sm_{_builder.Target}");
        }
    }

    private PtxException Error(string message) => new($"Line {_statement.Line}: '{_statement.Text}' {message}.");

    /// <summary>Makes an instruction whose operation and types are known only now.</summary>
    private static PtxInstruction Make(Type instruction, Type[] types, params object[] arguments) =>
        (PtxInstruction)Activator.CreateInstance(instruction.MakeGenericType(types), arguments)!;

    private bool Has(string modifier)
    {
        bool has = _modifier < _modifiers.Length && _modifiers[_modifier] == modifier;
        _modifier += has ? 1 : 0;
        return has;
    }

    /// <summary>Takes the next modifier if it is one of these.</summary>
    private string? TakeAny(params ReadOnlySpan<string> choices) =>
        _modifier < _modifiers.Length && choices.Contains(_modifiers[_modifier]) ? _modifiers[_modifier++] : null;

    private string Require(params ReadOnlySpan<string> choices) => TakeAny(choices) ?? throw Error($"lacks one of .{string.Join(", .", choices!)}");

    private PtxType TakeType() =>
        _modifier < _modifiers.Length && PtxType.TryParse(_modifiers[_modifier], out var type) && _modifier++ >= 0
            ? type
            : throw Error(_modifier < _modifiers.Length
                ? $"has the modifier '.{_modifiers[_modifier]}', which is not known or not in place"
                : "lacks a type");

    private bool HasOperand => _operand < _statement.Operands.Length;

    private PtxOperand TakeOperand() => HasOperand ? _statement.Operands[_operand++] : throw Error("lacks an operand");

    private int Source(PtxType type) => SourceOf(TakeOperand(), type);

    /// <summary>The slot of an operand that is read.</summary>
    /// <param name="operand">The operand as it is written.</param>
    /// <param name="type">What the instruction takes it for.</param>
    /// <param name="mayBeWider">Whether the register may have more bits than the type.</param>
    /// <param name="mayBeSpecial">Whether special registers and addresses of variables are allowed, as only for mov and cvt.</param>
    private int SourceOf(PtxOperand operand, PtxType type, bool mayBeWider = false, bool mayBeSpecial = false)
    {
        if (operand.Negated)
        {
            throw Error("negates what is no predicate");
        }

        if (operand.Kind is PtxOperandKind.Integer or PtxOperandKind.Float)
        {
            return _builder.Constant(PtxConstantKind.Literal, Literal(operand, type));
        }

        if (operand.Kind != PtxOperandKind.Name)
        {
            throw Error($"has an operand where a {type} is expected");
        }

        if (operand.Name == "WARP_SZ")
        {
            return _builder.Constant(PtxConstantKind.Literal, Lane.Count);
        }

        if (SpecialRegister(operand.Name) is { } special)
        {
            return mayBeSpecial && type.Accepts(PtxType.U32, mayBeWider)
                ? _builder.Constant(special)
                : throw Error($"reads {operand.Name}, which only mov and cvt may, as 32 bits");
        }

        switch (_scope.Find(operand.Name))
        {
            case PtxRegister register:
                if (operand.Value != 0 || !type.Accepts(register.Type, mayBeWider))
                {
                    throw Error($"takes {register.Name}, a {register.Type}, for a {type}");
                }

                _sources.Add((register.Slot, register.Name));
                return register.Slot;
            case PtxVariable variable when mayBeSpecial && type.Bits >= 32 && !type.IsFloat:
                return AddressConstant(variable, (long)operand.Value);
            case null:
                throw Error($"names '{operand.Name}', which is not declared");
            default:
                throw Error($"takes '{operand.Name}' for a {type}");
        }
    }

    private int AddressConstant(PtxVariable variable, long offset) => variable switch
    {
        { IsDynamic: true } => _builder.Constant(PtxConstantKind.DynamicShared, (ulong)offset),
        { Space: PtxSpace.Shared } => _builder.Constant(PtxConstantKind.Literal, (ulong)(PtxSharedMemory.Base + variable.Offset + offset)),
        { Space: PtxSpace.Local } => _builder.Constant(PtxConstantKind.Literal, (ulong)(PtxLocalMemory.Base + variable.Offset + offset)),
        _ => throw Error($"takes the address of '{variable.Name}', which is not supported"),
    };

    private ulong Literal(PtxOperand operand, PtxType type)
    {
        if (type.Kind is PtxKind.HalfPair or PtxKind.Predicate || (type.IsFloat && (type.Bits == 16 || operand.Kind == PtxOperandKind.Integer)))
        {
            throw Error($"has a number where a {type} is expected, which cannot be written as this number");
        }

        if (operand.Kind == PtxOperandKind.Float)
        {
            return type switch
            {
                { IsFloat: true, Bits: 32 } => BitConverter.SingleToUInt32Bits((float)operand.Float),
                { IsFloat: true } => BitConverter.DoubleToUInt64Bits(operand.Float),
                { Kind: PtxKind.Bits } when type.Bits == operand.FloatBits => (ulong)operand.Value,
                _ => throw Error($"has a number in floating point where a {type} is expected"),
            };
        }

        var most = (Int128.One << type.Bits) - 1;
        return operand.Value <= most && operand.Value >= -(Int128.One << (type.Bits - 1))
            ? (ulong)(operand.Value & most)
            : throw Error($"has the number {operand.Value}, which is no {type}");
    }

    private int Target(PtxType type) => TargetOf(TakeOperand(), type, mayBeWider: false).Slot;

    /// <summary>The register that an operand names, to be written.</summary>
    private PtxRegister TargetOf(PtxOperand operand, PtxType type, bool mayBeWider)
    {
        if (operand is { Kind: PtxOperandKind.Name, Name: "_" })
        {
            return new("_", type, _builder.AllocateRegister(_scope));
        }

        if (operand.Kind != PtxOperandKind.Name || operand.Negated || operand.Value != 0 || _scope.Find(operand.Name) is not PtxRegister register)
        {
            throw Error($"needs a declared register as its result, not '{operand.Name}'");
        }

        if (!type.Accepts(register.Type, mayBeWider))
        {
            throw Error($"takes {register.Name}, a {register.Type}, for a {type}");
        }

        _targets.Add(register.Slot);
        return register;
    }

    private int FindPredicate(PtxOperand operand) =>
        operand.Kind == PtxOperandKind.Name && _scope.Find(operand.Name) is PtxRegister { Type.Kind: PtxKind.Predicate } register
            ? register.Slot
            : throw Error($"needs a predicate, not '{operand.Name}'");

    private (int Slot, bool Negated) PredicateSource()
    {
        var operand = TakeOperand();
        int slot = FindPredicate(operand);
        _predicateSources.Add((slot, operand.Name));
        return (slot, operand.Negated);
    }

    private int PredicateTarget(PtxOperand operand)
    {
        if (operand.Name == "_")
        {
            return -1;
        }

        int slot = operand.Negated ? throw Error("negates its result") : FindPredicate(operand);
        _predicateTargets.Add(slot);
        return slot;
    }

    /// <summary>The registers of a vector, or a single register.</summary>
    private PtxOperand[] Elements(int count)
    {
        var operand = TakeOperand();
        PtxOperand[] parts = operand.Kind == PtxOperandKind.Vector ? operand.Parts : [operand];
        return parts.Length == count ? parts : throw Error($"has {parts.Length} registers where {count} are expected");
    }

    /// <summary>The operand in brackets.</summary>
    private PtxAddress Address(PtxSpace space)
    {
        var operand = TakeOperand();
        if (operand.Kind != PtxOperandKind.Address)
        {
            throw Error("needs an address in brackets");
        }

        var place = operand.Parts[0];
        if (place.Kind == PtxOperandKind.Integer)
        {
            return new(space, _builder.Constant(PtxConstantKind.Literal, (ulong)place.Value), IsWide: true, 0);
        }

        switch (_scope.Find(place.Name))
        {
            case PtxVariable variable when variable.Space == space:
                return new(space, AddressConstant(variable, (long)place.Value), IsWide: true, 0);
            case PtxRegister { Type: { Kind: PtxKind.Bits or PtxKind.Unsigned or PtxKind.Signed, Bits: 32 or 64 } } register
                when register.Type.Bits == 64 || space is PtxSpace.Shared or PtxSpace.Local:
                _sources.Add((register.Slot, register.Name));
                return new(space, register.Slot, register.Type.Bits == 64, (long)place.Value);
            default:
                throw Error($"takes '{place.Name}' for an address of {space} memory");
        }
    }

    private static PtxConstantKind? SpecialRegister(string name) => name switch
    {
        "%tid.x" => PtxConstantKind.TidX,
        "%tid.y" => PtxConstantKind.TidY,
        "%tid.z" => PtxConstantKind.TidZ,
        "%ntid.x" => PtxConstantKind.NtidX,
        "%ntid.y" => PtxConstantKind.NtidY,
        "%ntid.z" => PtxConstantKind.NtidZ,
        "%ctaid.x" => PtxConstantKind.CtaidX,
        "%ctaid.y" => PtxConstantKind.CtaidY,
        "%ctaid.z" => PtxConstantKind.CtaidZ,
        "%nctaid.x" => PtxConstantKind.NctaidX,
        "%nctaid.y" => PtxConstantKind.NctaidY,
        "%nctaid.z" => PtxConstantKind.NctaidZ,
        "%laneid" => PtxConstantKind.LaneId,
        "%warpid" => PtxConstantKind.WarpId,
        "%nwarpid" => PtxConstantKind.WarpCount,
        "%lanemask_eq" => PtxConstantKind.LaneMaskEq,
        "%lanemask_lt" => PtxConstantKind.LaneMaskLt,
        "%lanemask_le" => PtxConstantKind.LaneMaskLe,
        "%lanemask_gt" => PtxConstantKind.LaneMaskGt,
        "%lanemask_ge" => PtxConstantKind.LaneMaskGe,
        "%dynamic_smem_size" => PtxConstantKind.DynamicSharedBytes,
        _ => null,
    };
}
