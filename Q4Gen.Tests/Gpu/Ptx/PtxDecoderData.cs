namespace Q4Gen.Tests.Gpu.Ptx;

/// <content>Moves, and accesses to memory.</content>
internal sealed partial class PtxDecoder
{
    private PtxInstruction Move()
    {
        var type = TakeType();
        if (type.Kind == PtxKind.Predicate)
        {
            return PredicateLogic();
        }

        if (type.Bits == 8 || type.Kind == PtxKind.HalfPair || type == PtxType.F16)
        {
            throw Error("has a type that it does not take");
        }

        var target = TakeOperand();
        var source = TakeOperand();
        if (target.Kind == PtxOperandKind.Vector)
        {
            var part = Part(type, target.Parts.Length);
            int whole = SourceOf(source, type);
            int[] parts = [.. target.Parts.Select(element => TargetOf(element, part, mayBeWider: false).Slot)];
            return Make(typeof(UnpackInstruction<,>), [part.Raw, type.Raw], parts, whole);
        }

        int slot = TargetOf(target, type, mayBeWider: false).Slot;
        if (source.Kind == PtxOperandKind.Vector)
        {
            var part = Part(type, source.Parts.Length);
            int[] parts = [.. source.Parts.Select(element => SourceOf(element, part))];
            return Make(typeof(PackInstruction<,>), [part.Raw, type.Raw], slot, parts);
        }

        var copy = typeof(Copy<>).MakeGenericType(type.Raw);
        return Make(typeof(UnaryInstruction<,,>), [copy, type.Raw, type.Raw], slot, SourceOf(source, type, mayBeSpecial: true));
    }

    private PtxType Part(PtxType whole, int parts) =>
        whole.Kind == PtxKind.Bits && parts is 2 or 4 && whole.Bits / parts >= 8
            ? new(PtxKind.Bits, whole.Bits / parts)
            : throw Error($"takes {parts} registers for the parts of a {whole}");

    /// <summary>Takes the modifiers of a load or store that do not change what it does here.</summary>
    private void PassCacheModifiers()
    {
        while (TakeAny(
            "L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last",
            "L1::no_allocate", "L2::evict_normal", "L2::evict_first", "L2::evict_last", "L2::64B", "L2::128B", "L2::256B") is not null)
        {
            RequireVersion(7.4);
        }
    }

    private PtxSpace TakeSpace()
    {
        while (TakeAny("weak", "relaxed", "volatile", "acquire", "release", "cta", "gpu", "sys", "cluster") is not null)
        {
        }

        if (Has("shared::cta"))
        {
            RequireVersion(7.8);
            return PtxSpace.Shared;
        }

        return TakeAny("global", "shared", "local", "param") switch
        {
            "global" => PtxSpace.Global,
            "shared" => PtxSpace.Shared,
            "local" => PtxSpace.Local,
            "param" => PtxSpace.Parameter,
            _ => PtxSpace.Generic,
        };
    }

    private int TakeVectorLength() => TakeAny("v2", "v4") switch
    {
        "v2" => 2,
        "v4" => 4,
        _ => 1,
    };

    private PtxInstruction Load()
    {
        var space = TakeSpace();
        _ = TakeAny("ca", "cg", "cs", "lu", "cv");
        bool isUnchanging = space == PtxSpace.Global && Has("nc");
        PassCacheModifiers();
        int count = TakeVectorLength();
        var type = MemoryType(count);
        PtxRegister[] registers = [.. Elements(count).Select(element => TargetOf(element, type, mayBeWider: true))];
        var register = registers[0].Type.Raw;
        if (registers.Any(other => other.Type.Raw != register))
        {
            throw Error("loads into registers of different widths");
        }

        int[] slots = [.. registers.Select(element => element.Slot)];
        if (space == PtxSpace.Parameter)
        {
            return Make(typeof(LoadParameterInstruction<,>), [MemoryClr(type), register], ParameterOffset(type.Bytes * count), slots);
        }

        _builder.NoteAccess(space, type.Bytes * count);
        var address = Address(space) with { Space = isUnchanging ? PtxSpace.Unchanging : space };
        return Make(typeof(LoadInstruction<,>), [MemoryClr(type), register], address, slots);
    }

    private PtxInstruction Store()
    {
        var space = TakeSpace();
        if (space == PtxSpace.Parameter)
        {
            throw Error("calls a function, which is not supported");
        }

        _ = TakeAny("wb", "cg", "cs", "wt");
        PassCacheModifiers();
        int count = TakeVectorLength();
        var type = MemoryType(count);
        var address = Address(space);
        int[] slots = [.. Elements(count).Select(element => SourceOf(element, type, mayBeWider: true))];
        _builder.NoteAccess(space, type.Bytes * count);
        return Make(typeof(StoreInstruction<>), [type.Raw], address, slots);
    }

    private PtxType MemoryType(int count)
    {
        var type = TakeType();
        return type.Kind is PtxKind.Predicate or PtxKind.HalfPair || type == PtxType.F16 || type.Bytes * count > 16
            ? throw Error("has a type that it does not take")
            : type;
    }

    /// <summary>Only signed integers are extended by their sign; all others are moved as bits.</summary>
    private static Type MemoryClr(PtxType type) => type.Kind == PtxKind.Signed ? type.Clr : type.Raw;

    private int ParameterOffset(int bytes)
    {
        var operand = TakeOperand();
        if (operand.Kind != PtxOperandKind.Address || _scope.Find(operand.Parts[0].Name) is not PtxVariable { Space: PtxSpace.Parameter } parameter)
        {
            throw Error("needs a parameter in brackets");
        }

        var offset = operand.Parts[0].Value;
        if (offset < 0 || offset + bytes > parameter.Bytes || (parameter.Offset + offset) % bytes != 0)
        {
            throw Error($"reads {bytes} bytes at offset {offset} of the parameter '{parameter.Name}' ({parameter.Bytes} bytes)");
        }

        return parameter.Offset + (int)offset;
    }

    private PtxInstruction ConvertAddress()
    {
        bool toSpace = Has("to");
        var space = TakeSpace();
        Require("u64");
        if (space is PtxSpace.Generic or PtxSpace.Parameter)
        {
            throw Error("names no state space");
        }

        var type = PtxType.B64;
        return new ConvertAddressInstruction(
            Target(type), SourceOf(TakeOperand(), type, mayBeSpecial: !toSpace), space, toSpace);
    }

    private PtxInstruction AsyncCopy()
    {
        Require("async");
        RequireTarget(80);
        switch (TakeAny("commit_group", "wait_group", "wait_all"))
        {
            case "commit_group":
                return new CommitGroupInstruction();
            case "wait_group":
                return new WaitGroupInstruction(Immediate(int.MaxValue));
            case "wait_all":
                return new WaitGroupInstruction(-1);
        }

        bool isWide = Require("ca", "cg") == "cg";
        if (Require("shared", "shared::cta") == "shared::cta")
        {
            RequireVersion(7.8);
        }

        Require("global");
        PassCacheModifiers();
        var target = Address(PtxSpace.Shared);
        var source = Address(PtxSpace.Global);
        int bytes = Immediate(16);
        if (isWide ? bytes != 16 : bytes is not (4 or 8 or 16))
        {
            throw Error($"cannot copy {bytes} bytes");
        }

        _builder.NoteAccess(PtxSpace.Shared, bytes);
        return new AsyncCopyInstruction(target, source, bytes, HasOperand ? Source(PtxType.U32) : -1);
    }
}
