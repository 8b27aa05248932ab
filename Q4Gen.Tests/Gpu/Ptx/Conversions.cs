using System.Numerics;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Integer to integer: through the target's type into the target's register, which may be wider.</summary>
internal readonly struct ConvertInteger<TFrom, TTo, TRegister> : IUnary<TFrom, TRegister>
    where TFrom : INumber<TFrom>
    where TTo : INumber<TTo>
    where TRegister : INumber<TRegister>
{
    public static TRegister Apply(TFrom a) => TRegister.CreateTruncating(TTo.CreateTruncating(a));
}

/// <summary>Integer to integer with <c>.sat</c>.</summary>
internal readonly struct ConvertIntegerSaturating<TFrom, TTo, TRegister> : IUnary<TFrom, TRegister>
    where TFrom : INumber<TFrom>
    where TTo : INumber<TTo>
    where TRegister : INumber<TRegister>
{
    public static TRegister Apply(TFrom a) => TRegister.CreateTruncating(TTo.CreateSaturating(a));
}

/// <summary>Integer to floating point, to the nearest.</summary>
internal readonly struct IntegerToFloat<TFrom, TTo> : IUnary<TFrom, TTo>
    where TFrom : INumber<TFrom>
    where TTo : INumber<TTo>
{
    public static TTo Apply(TFrom a) => TTo.CreateSaturating(a);
}

/// <summary>
/// Integer to half. From 64 bits the double may be rounded, but no integer of more than 17 bits is a finite half.
/// </summary>
internal readonly struct IntegerToHalf<TFrom> : IUnary<TFrom, Half>
    where TFrom : INumber<TFrom>
{
    public static Half Apply(TFrom a) => HalfArithmetic.Round(double.CreateSaturating(a));
}

/// <summary>How a number is rounded to an integer.</summary>
internal interface IRounding
{
    static abstract double Apply(double value);
}

internal readonly struct TowardsZero : IRounding
{
    public static double Apply(double value) => Math.Truncate(value);
}

internal readonly struct ToNearestEven : IRounding
{
    public static double Apply(double value) => Math.Round(value, MidpointRounding.ToEven);
}

internal readonly struct Downwards : IRounding
{
    public static double Apply(double value) => Math.Floor(value);
}

internal readonly struct Upwards : IRounding
{
    public static double Apply(double value) => Math.Ceiling(value);
}

/// <summary>Floating point to integer. What does not fit becomes the nearest that does, and NaN becomes 0.</summary>
internal readonly struct FloatToInteger<TRounding, TFrom, TTo, TRegister> : IUnary<TFrom, TRegister>
    where TRounding : struct, IRounding
    where TFrom : INumber<TFrom>
    where TTo : INumber<TTo>
    where TRegister : INumber<TRegister>
{
    public static TRegister Apply(TFrom a)
    {
        double value = double.CreateSaturating(a);
        return TRegister.CreateTruncating(double.IsNaN(value) ? TTo.Zero : TTo.CreateSaturating(TRounding.Apply(value)));
    }
}

/// <summary>Floating point to an integer in floating point.</summary>
internal readonly struct FloatToIntegral<TRounding, T> : IUnary<T, T>
    where TRounding : struct, IRounding
    where T : INumber<T>
{
    public static T Apply(T a) => T.CreateSaturating(TRounding.Apply(double.CreateSaturating(a)));
}

/// <summary>Between single and double precision.</summary>
internal readonly struct ConvertFloat<TFrom, TTo> : IUnary<TFrom, TTo>
    where TFrom : INumber<TFrom>
    where TTo : INumber<TTo>
{
    public static TTo Apply(TFrom a) => TTo.CreateSaturating(a);
}

internal readonly struct FloatToHalf<TFrom> : IUnary<TFrom, Half>
    where TFrom : INumber<TFrom>
{
    public static Half Apply(TFrom a) => HalfArithmetic.Round(double.CreateSaturating(a));
}

internal readonly struct HalfToSingle : IUnary<Half, float>
{
    public static float Apply(Half a) => HalfArithmetic.Single(a);
}

internal readonly struct HalfToDouble : IUnary<Half, double>
{
    public static double Apply(Half a) => HalfArithmetic.Widen(a);
}

/// <summary>Clamps the result of a conversion between floats to 0 and 1.</summary>
internal readonly struct SaturatedUnary<TOperation, TFrom, TTo> : IUnary<TFrom, TTo>
    where TOperation : struct, IUnary<TFrom, TTo>
    where TTo : INumber<TTo>
{
    public static TTo Apply(TFrom a) => Saturated.Clamp(TOperation.Apply(a));
}

/// <summary>Flushes subnormal numbers before and after a conversion between floats.</summary>
internal readonly struct FlushedConversion<TOperation, TFrom, TTo> : IUnary<TFrom, TTo>
    where TOperation : struct, IUnary<TFrom, TTo>
    where TFrom : INumber<TFrom>
    where TTo : INumber<TTo>
{
    // Halves are not flushed: their subnormal numbers are normal ones in single precision.
    public static TTo Apply(TFrom a)
    {
        var result = TOperation.Apply(typeof(TFrom) == typeof(Half) ? a : Flushed.Flush(a));
        return typeof(TTo) == typeof(Half) ? result : Flushed.Flush(result);
    }
}
