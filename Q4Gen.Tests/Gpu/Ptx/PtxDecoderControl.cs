namespace Q4Gen.Tests.Gpu.Ptx;

/// <content>Comparisons, branches, barriers, and what the threads of a warp do together.</content>
internal sealed partial class PtxDecoder
{
    private PtxInstruction Compare()
    {
        string comparison = Require(
            "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan");
        var combination = TakeAny("and", "or", "xor") switch
        {
            "and" => PtxBoolean.And,
            "or" => PtxBoolean.Or,
            "xor" => PtxBoolean.Xor,
            _ => PtxBoolean.None,
        };
        bool flushes = Has("ftz");
        var result = _opcode == "set" ? TakeType() : PtxType.Predicate;
        var type = TakeType();
        if (type.Bits == 8 || type.Kind is PtxKind.HalfPair or PtxKind.Predicate || (flushes && type != PtxType.F32)
            || (type.Kind == PtxKind.Bits && comparison is not ("eq" or "ne")))
        {
            throw Error("has a type that it does not take");
        }

        var test = Comparison(comparison, type);
        test = flushes ? typeof(FlushedComparison<,>).MakeGenericType(test, type.Clr) : test;
        if (_opcode == "set")
        {
            return combination == PtxBoolean.None && result.Bits == 32 && result.Kind != PtxKind.Bits
                ? Make(typeof(SetInstruction<,,>), [test, type.Clr, result.Clr], Target(result), Source(type), Source(type))
                : throw Error("is not supported in this form");
        }

        var target = TakeOperand();
        int first = PredicateTarget(target.Kind == PtxOperandKind.Pair ? target.Parts[0] : target);
        int second = target.Kind == PtxOperandKind.Pair ? PredicateTarget(target.Parts[1]) : -1;
        int a = Source(type);
        int b = Source(type);
        var (with, negated) = combination == PtxBoolean.None ? (0, false) : PredicateSource();
        return Make(typeof(CompareInstruction<,>), [test, type.Clr], a, b, new PtxPredicateUse(first, second, combination, with, negated));
    }

    private Type Comparison(string name, PtxType type)
    {
        var clr = type.Clr;
        if (name is "lo" or "ls" or "hi" or "hs")
        {
            return type.Kind != PtxKind.Unsigned
                ? throw Error("compares as unsigned what is not")
                : (name switch
                {
                    "lo" => typeof(Lt<>),
                    "ls" => typeof(Le<>),
                    "hi" => typeof(Gt<>),
                    _ => typeof(Ge<>),
                }).MakeGenericType(clr);
        }

        if (!type.IsFloat && name.Length > 2)
        {
            throw Error("compares as floating point what is not");
        }

        // Unordered comparisons are true where the contrary, ordered one is false.
        var definition = name switch
        {
            "eq" or "neu" => typeof(Eq<>),
            "ne" or "equ" => typeof(Ne<>),
            "lt" or "geu" => typeof(Lt<>),
            "le" or "gtu" => typeof(Le<>),
            "gt" or "leu" => typeof(Gt<>),
            "ge" or "ltu" => typeof(Ge<>),
            _ => typeof(Num<>),
        };
        var comparison = definition.MakeGenericType(clr);
        return name is "num" || name.Length == 2 ? comparison : typeof(Unless<,>).MakeGenericType(comparison, clr);
    }

    private PtxInstruction Select()
    {
        var type = TakeType();
        if (type.Bits is 8 or 1 || type.Kind == PtxKind.HalfPair || type == PtxType.F16)
        {
            throw Error("has a type that it does not take");
        }

        int target = Target(type);
        int a = Source(type);
        int b = Source(type);
        var (predicate, negated) = PredicateSource();
        return Make(typeof(SelectInstruction<>), [type.Raw], target, a, b, predicate, negated);
    }

    private PtxInstruction Test()
    {
        string property = Require("finite", "infinite", "number", "notanumber", "normal", "subnormal");
        var type = TakeType();
        return type.IsFloat && type.Bits > 16
            ? Make(typeof(TestInstruction<>), [type.Clr], PredicateTarget(TakeOperand()), Source(type), property)
            : throw Error("has a type that it does not take");
    }

    private PtxInstruction Branch()
    {
        bool hasIndex = _opcode == "brx";
        if (hasIndex)
        {
            Require("idx");
        }

        bool isUniform = Has("uni");
        int index = hasIndex ? Source(PtxType.U32) : -1;
        string name = TakeOperand().Name;
        string[] labels = !hasIndex ? [name] : _scope.Find(name) is PtxBranchTargets targets
            ? targets.Labels
            : throw Error($"names '{name}', which is no list of targets");
        var branch = new BranchInstruction(index, labels.Length) { IsUniform = isUniform };
        for (int label = 0; label < labels.Length; label++)
        {
            _builder.AddBranch(_scope, labels[label], branch, label, _statement.Line);
        }

        return branch;
    }

    private PtxInstruction Exit()
    {
        Has("uni");
        return new ExitInstruction();
    }

    private PtxInstruction Barrier()
    {
        bool isCurrentName = _opcode == "barrier";
        if (!isCurrentName && Has("warp"))
        {
            Require("sync");
            return new WarpBarrierInstruction { MemberMask = Source(PtxType.B32) };
        }

        if (Has("cta"))
        {
            RequireVersion(7.8);
        }

        Require("sync");
        bool isAligned = Has("aligned") || !isCurrentName;
        return new BarrierInstruction(Source(PtxType.U32), HasOperand ? Source(PtxType.U32) : -1, isAligned);
    }

    private PtxInstruction Shuffle()
    {
        bool hasMask = Has("sync");
        if (!hasMask && _builder.Target >= 70 && _builder.Version >= 6.4)
        {
            throw Error("needs .sync, from sm_70 and PTX 6.4 on");
        }

        var mode = Require("up", "down", "bfly", "idx") switch
        {
            "up" => PtxShuffle.Up,
            "down" => PtxShuffle.Down,
            "bfly" => PtxShuffle.Butterfly,
            _ => PtxShuffle.Index,
        };
        Require("b32");
        var result = TakeOperand();
        int target = TargetOf(result.Kind == PtxOperandKind.Pair ? result.Parts[0] : result, PtxType.B32, mayBeWider: false).Slot;
        int predicate = result.Kind == PtxOperandKind.Pair ? PredicateTarget(result.Parts[1]) : -1;
        return new ShuffleInstruction(mode, target, predicate, Source(PtxType.B32), Source(PtxType.B32), Source(PtxType.B32))
        {
            MemberMask = hasMask ? Source(PtxType.B32) : -1,
        };
    }

    private PtxInstruction Vote()
    {
        Require("sync");
        string mode = Require("all", "any", "uni", "ballot");
        bool isBallot = mode == "ballot";
        Require(isBallot ? "b32" : "pred");
        int target = isBallot ? Target(PtxType.B32) : PredicateTarget(TakeOperand());
        var (source, negated) = PredicateSource();
        return new VoteInstruction(mode, target, source, negated) { MemberMask = Source(PtxType.B32) };
    }

    private PtxInstruction ActiveMask()
    {
        Require("b32");
        return new ActiveMaskInstruction(Target(PtxType.B32));
    }

    private PtxInstruction MatrixMultiply()
    {
        RequireTarget(80);
        foreach (string modifier in (string[])["sync", "aligned", "m16n8k16", "row", "col", "f32", "f16", "f16", "f32"])
        {
            Require(modifier);
        }

        return new MatrixMultiplyInstruction(
            [.. Elements(4).Select(element => TargetOf(element, PtxType.F32, mayBeWider: false).Slot)],
            [.. Elements(4).Select(element => SourceOf(element, PtxType.B32))],
            [.. Elements(2).Select(element => SourceOf(element, PtxType.B32))],
            [.. Elements(4).Select(element => SourceOf(element, PtxType.F32))]);
    }

    private PtxInstruction LoadMatrix()
    {
        RequireTarget(75);
        Require("sync");
        Require("aligned");
        Require("m8n8");
        int count = Require("x1", "x2", "x4")[1] - '0';
        bool transposed = Has("trans");
        var space = TakeSpace();
        Require("b16");
        if (space is not (PtxSpace.Shared or PtxSpace.Generic))
        {
            throw Error("loads from shared memory only");
        }

        _builder.NoteAccess(PtxSpace.Shared, 16);
        int[] targets = [.. Elements(count).Select(element => TargetOf(element, PtxType.B32, mayBeWider: false).Slot)];
        return new LoadMatrixInstruction(targets, Address(space), transposed);
    }

    /// <summary>An instruction that concerns caches and the order of accesses only.</summary>
    private PtxInstruction Nothing()
    {
        _modifier = _modifiers.Length;
        while (HasOperand)
        {
            var operand = TakeOperand();
            if (operand.Kind == PtxOperandKind.Address && operand.Parts[0].Kind == PtxOperandKind.Name
                && _scope.Find(operand.Parts[0].Name) is PtxRegister register)
            {
                _sources.Add((register.Slot, register.Name));
            }
        }

        return new NothingInstruction();
    }
}
