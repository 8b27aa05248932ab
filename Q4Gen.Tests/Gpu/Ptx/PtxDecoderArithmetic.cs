namespace Q4Gen.Tests.Gpu.Ptx;

/// <content>Arithmetic, conversions and operations on bits.</content>
internal sealed partial class PtxDecoder
{
    private static readonly Type[] s_instructions =
        [typeof(UnaryInstruction<,,>), typeof(BinaryInstruction<,,,>), typeof(TernaryInstruction<,,,,>)];

    private static readonly Type[] s_flushed = [typeof(FlushedUnary<,>), typeof(FlushedBinary<,>), typeof(FlushedTernary<,>)];

    private static readonly Type[] s_packed = [typeof(PackedUnary<>), typeof(PackedBinary<>), typeof(PackedTernary<>)];

    private PtxInstruction Arithmetic()
    {
        string? width = _opcode is "mul" or "mad" ? TakeAny("lo", "hi", "wide") : null;
        string? rounding = TakeAny("rn", "approx", "full");
        bool flushes = Has("ftz");
        bool ordersNan = Has("NaN");
        bool saturates = Has("sat");
        var type = TakeType();
        bool isInteger = type.IsInteger;
        bool needsRounding = _opcode == "fma" || (_opcode == "div" && !isInteger) || (_opcode == "mad" && !isInteger);
        bool takesRounding = needsRounding || (_opcode is "add" or "sub" or "mul" && !isInteger);
        bool isHalf = type.IsFloat ? type.Bits == 16 : type.Kind == PtxKind.HalfPair;
        if (type.Kind is PtxKind.Bits or PtxKind.Predicate || type.Bits == 8
            || (isInteger && _opcode is "mul" or "mad") != (width is not null)
            || (isInteger && (flushes || saturates || rounding is not null))
            || (ordersNan && (isInteger || _opcode is not ("min" or "max")))
            || (flushes && type is { IsFloat: true, Bits: 64 })
            || (rounding is null ? needsRounding : !takesRounding || (rounding != "rn" && (_opcode != "div" || type.Bits != 32))))
        {
            throw Error("combines modifiers and types that do not go together, or are not supported");
        }

        return width == "wide"
            ? MultiplyWide(type)
            : Lanewise(Operation(width, isInteger, isHalf, ordersNan), type, flushes, saturates);
    }

    private PtxInstruction MultiplyWide(PtxType type)
    {
        var wide = type with { Bits = type.Bits * 2 };
        int target = Target(wide);
        int a = Source(type);
        int b = Source(type);
        if (_opcode == "mul")
        {
            var multiply = typeof(MultiplyWide<,>).MakeGenericType(type.Clr, wide.Clr);
            return Make(typeof(BinaryInstruction<,,,>), [multiply, type.Clr, type.Clr, wide.Clr], target, a, b);
        }

        var multiplyAdd = typeof(MultiplyWideAdd<,>).MakeGenericType(type.Clr, wide.Clr);
        return Make(typeof(TernaryInstruction<,,,,>), [multiplyAdd, type.Clr, type.Clr, wide.Clr, wide.Clr], target, a, b, Source(wide));
    }

    /// <summary>The operation of an instruction whose operands and result are of one type.</summary>
    private Type Operation(string? width, bool isInteger, bool isHalf, bool ordersNan) => (_opcode, width) switch
    {
        ("add", _) => isHalf ? typeof(HalfAdd) : typeof(Add<>),
        ("sub", _) => isHalf ? typeof(HalfSubtract) : typeof(Subtract<>),
        ("mul", "hi") => typeof(MultiplyHigh<>),
        ("mul", _) => isHalf ? typeof(HalfMultiply) : typeof(Multiply<>),
        ("mad", "hi") => typeof(MultiplyHighAdd<>),
        ("mad", "lo") => typeof(MultiplyAdd<>),
        ("mad" or "fma", _) when !isInteger => isHalf ? typeof(HalfMultiplyAdd) : typeof(FusedMultiplyAdd<>),
        ("div", _) when !isHalf => isInteger ? typeof(DivideIntegers<>) : typeof(DivideFloats<>),
        ("rem", _) when isInteger => typeof(Remainder<>),
        ("min", _) => ordersNan ? typeof(MinimumOrNaN<>) : typeof(Minimum<>),
        ("max", _) => ordersNan ? typeof(MaximumOrNaN<>) : typeof(Maximum<>),
        ("neg", _) => typeof(Negate<>),
        ("abs", _) => isInteger ? typeof(AbsoluteInteger<>) : typeof(AbsoluteFloat<>),
        _ => throw Error("is not supported"),
    };

    /// <summary>An instruction that applies an operation to operands and a result of one type.</summary>
    private PtxInstruction Lanewise(Type operation, PtxType type, bool flushes = false, bool saturates = false)
    {
        var element = type.Kind == PtxKind.HalfPair ? typeof(Half) : type.Clr;
        operation = operation.IsGenericTypeDefinition ? operation.MakeGenericType(element) : operation;
        int operands = _statement.Operands.Length - 1;
        if (operands is < 1 or > 3 || operation.GetInterfaces()[0].GetGenericArguments().Length != operands + 1)
        {
            throw Error($"has {operands + 1} operands, which are too many or too few");
        }

        if (flushes)
        {
            operation = s_flushed[operands - 1].MakeGenericType(operation, element);
        }

        if (saturates)
        {
            var saturated = operands switch
            {
                2 => typeof(SaturatedBinary<,>),
                3 => typeof(SaturatedTernary<,>),
                _ => throw Error("cannot have .sat"),
            };
            operation = saturated.MakeGenericType(operation, element);
        }

        if (type.Kind == PtxKind.HalfPair)
        {
            operation = s_packed[operands - 1].MakeGenericType(operation);
        }

        var slots = new List<object> { Target(type) };
        while (HasOperand)
        {
            slots.Add(Source(type));
        }

        Type[] types = [operation, .. Enumerable.Repeat(type.Clr, operands + 1)];
        return Make(s_instructions[operands - 1], types, [.. slots]);
    }

    private PtxInstruction FloatFunction()
    {
        string? precision = TakeAny("approx", "rn");
        bool flushes = Has("ftz");
        var type = TakeType();
        if (!type.IsFloat || (precision is null) != (_opcode == "copysign") || (precision == "rn" && _opcode is not ("rcp" or "sqrt")))
        {
            throw Error("combines modifiers and types that do not go together, or are not supported");
        }

        var function = _opcode switch
        {
            "rcp" => typeof(Reciprocal<>),
            "sqrt" => typeof(SquareRoot<>),
            "rsqrt" => typeof(ReciprocalSquareRoot<>),
            "ex2" => typeof(Exp2<>),
            "lg2" => typeof(Log2<>),
            "sin" => typeof(Sine<>),
            "cos" => typeof(Cosine<>),
            "tanh" => typeof(HyperbolicTangent<>),
            _ => typeof(CopySign<>),
        };
        return Lanewise(function, type, flushes);
    }

    private PtxInstruction Bitwise()
    {
        var type = TakeType();
        if (type.Kind == PtxKind.Predicate)
        {
            return PredicateLogic();
        }

        bool takesInteger = _opcode == "shr";
        if (type.Bits == 8 || (type.Kind != PtxKind.Bits && !(takesInteger && type.IsInteger))
            || (type.Bits == 16 && _opcode is ("popc" or "clz" or "brev")))
        {
            throw Error("has a type that it does not take");
        }

        if (_opcode is "shl" or "shr")
        {
            var shift = (_opcode == "shl" ? typeof(ShiftLeft<>) : typeof(ShiftRight<>)).MakeGenericType(type.Clr);
            return Make(typeof(BinaryInstruction<,,,>), [shift, type.Clr, typeof(uint), type.Clr], Target(type), Source(type), Source(PtxType.U32));
        }

        if (_opcode is "popc" or "clz")
        {
            var count = (_opcode == "popc" ? typeof(PopulationCount<>) : typeof(LeadingZeros<>)).MakeGenericType(type.Clr);
            return Make(typeof(UnaryInstruction<,,>), [count, type.Clr, typeof(uint)], Target(PtxType.U32), Source(type));
        }

        return Lanewise(
            _opcode switch
            {
                "and" => typeof(And<>),
                "or" => typeof(Or<>),
                "xor" => typeof(Xor<>),
                "not" => typeof(Not<>),
                "cnot" => typeof(LogicalNot<>),
                _ => typeof(ReverseBits<>),
            },
            type);
    }

    private PtxInstruction PredicateLogic()
    {
        int target = PredicateTarget(TakeOperand());
        var (a, aNegated) = PredicateSource();
        if (_opcode is "not" or "mov")
        {
            return new PredicateInstruction(target, a, aNegated ^ (_opcode == "not"), PtxBoolean.None, 0, false);
        }

        var operation = _opcode switch
        {
            "and" => PtxBoolean.And,
            "or" => PtxBoolean.Or,
            "xor" => PtxBoolean.Xor,
            _ => throw Error("does not take predicates"),
        };
        var (b, bNegated) = PredicateSource();
        return new PredicateInstruction(target, a, aNegated, operation, b, bNegated);
    }

    private PtxInstruction BitField()
    {
        switch (_opcode)
        {
            case "shf":
                bool isLeft = Require("l", "r") == "l";
                bool wraps = Require("wrap", "clamp") == "wrap";
                Require("b32");
                var shift = isLeft
                    ? wraps ? typeof(FunnelLeftWrap) : typeof(FunnelLeftClamp)
                    : wraps ? typeof(FunnelRightWrap) : typeof(FunnelRightClamp);
                return Words(shift);
            case "prmt":
                Require("b32");
                return Words(typeof(PermuteBytes));
            case "lop3":
                Require("b32");
                return new LogicInstruction(Target(PtxType.B32), Source(PtxType.B32), Source(PtxType.B32), Source(PtxType.B32), Immediate(255));
        }

        var type = TakeType();
        if (type.Bits < 32 || type.Kind != (_opcode == "bfi" ? PtxKind.Bits : type.IsInteger ? type.Kind : PtxKind.Unsigned))
        {
            throw Error("has a type that it does not take");
        }

        if (_opcode == "bfi")
        {
            var insert = typeof(InsertBits<>).MakeGenericType(type.Clr);
            return Make(
                typeof(QuaternaryInstruction<,,,,,>),
                [insert, type.Clr, type.Clr, typeof(uint), typeof(uint), type.Clr],
                Target(type), Source(type), Source(type), Source(PtxType.U32), Source(PtxType.U32));
        }

        var extract = typeof(ExtractBits<>).MakeGenericType(type.Clr);
        return Make(
            typeof(TernaryInstruction<,,,,>),
            [extract, type.Clr, typeof(uint), typeof(uint), type.Clr],
            Target(type), Source(type), Source(PtxType.U32), Source(PtxType.U32));
    }

    private PtxInstruction Words(Type operation) => Make(
        typeof(TernaryInstruction<,,,,>),
        [operation, typeof(uint), typeof(uint), typeof(uint), typeof(uint)],
        Target(PtxType.B32), Source(PtxType.B32), Source(PtxType.B32), Source(PtxType.B32));

    private int Immediate(int most)
    {
        var operand = TakeOperand();
        return operand.Kind == PtxOperandKind.Integer && operand.Value >= 0 && operand.Value <= most
            ? (int)operand.Value
            : throw Error($"needs a number from 0 to {most}");
    }

    private PtxInstruction Convert()
    {
        string? rounding = TakeAny("rn", "rni", "rzi", "rmi", "rpi");
        bool flushes = Has("ftz");
        bool saturates = Has("sat");
        var to = TakeType();
        var from = TakeType();
        if (to.Kind == PtxKind.HalfPair)
        {
            RequireTarget(80);
            return from == PtxType.F32 && rounding == "rn" && !flushes && !saturates
                ? Make(
                    typeof(BinaryInstruction<,,,>), [typeof(PackHalves), typeof(float), typeof(float), typeof(uint)],
                    TargetOf(TakeOperand(), to, mayBeWider: false).Slot, Source(from), Source(from))
                : throw Error("is a conversion that is not supported");
        }

        var register = TargetOf(TakeOperand(), to, mayBeWider: true);
        int source = SourceOf(TakeOperand(), from, mayBeWider: true, mayBeSpecial: true);
        if (to.IsInteger && from.IsInteger && rounding is null && !flushes)
        {
            var integer = saturates ? typeof(ConvertIntegerSaturating<,,>) : typeof(ConvertInteger<,,>);
            return MakeUnary(integer.MakeGenericType(from.Clr, to.Clr, register.Type.Raw), from.Clr, register.Type.Raw);
        }

        if (to.IsInteger && from.IsFloat && rounding is not null && Rounding(rounding) is { } towards)
        {
            // The result never leaves the range of the type, with .sat or without.
            var integer = typeof(FloatToInteger<,,,>).MakeGenericType(towards, from.Clr, to.Clr, register.Type.Raw);
            return MakeUnary(integer, from.Clr, register.Type.Raw);
        }

        if (to.IsFloat && from.IsInteger && rounding == "rn" && !flushes && !saturates)
        {
            var real = to.Bits == 16 ? typeof(IntegerToHalf<>).MakeGenericType(from.Clr) : typeof(IntegerToFloat<,>).MakeGenericType(from.Clr, to.Clr);
            return MakeUnary(real, from.Clr, to.Clr);
        }

        if (!to.IsFloat || !from.IsFloat)
        {
            throw Error("is a conversion that is not supported");
        }

        var operation = BetweenFloats(to, from, rounding);
        operation = flushes ? typeof(FlushedConversion<,,>).MakeGenericType(operation, from.Clr, to.Clr) : operation;
        operation = saturates ? typeof(SaturatedUnary<,,>).MakeGenericType(operation, from.Clr, to.Clr) : operation;
        return MakeUnary(operation, from.Clr, to.Clr);

        PtxInstruction MakeUnary(Type unary, Type a, Type d) => Make(typeof(UnaryInstruction<,,>), [unary, a, d], register.Slot, source);
    }

    private Type BetweenFloats(PtxType to, PtxType from, string? rounding)
    {
        if (to == from)
        {
            return rounding is null
                ? typeof(Copy<>).MakeGenericType(from.Clr)
                : typeof(FloatToIntegral<,>).MakeGenericType(Rounding(rounding) ?? throw Error("needs another rounding"), from.Clr);
        }

        if ((to.Bits < from.Bits) != (rounding == "rn") || (to.Bits > from.Bits && rounding is not null))
        {
            throw Error("rounds where it need not, or does not say how");
        }

        return (to.Bits, from.Bits) switch
        {
            (16, _) => typeof(FloatToHalf<>).MakeGenericType(from.Clr),
            (32, 16) => typeof(HalfToSingle),
            (64, 16) => typeof(HalfToDouble),
            _ => typeof(ConvertFloat<,>).MakeGenericType(from.Clr, to.Clr),
        };
    }

    private static Type? Rounding(string rounding) => rounding switch
    {
        "rzi" => typeof(TowardsZero),
        "rni" => typeof(ToNearestEven),
        "rmi" => typeof(Downwards),
        "rpi" => typeof(Upwards),
        _ => null,
    };
}
