using System.Numerics;

namespace Q4Gen.Tests.Gpu.Ptx;

// The arithmetic of integers and of single and double precision, one operation a type, named after what it does.
internal readonly struct Copy<T> : IUnary<T, T>
{
    public static T Apply(T a) => a;
}

internal readonly struct Add<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => a + b;
}

internal readonly struct Subtract<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => a - b;
}

internal readonly struct Multiply<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => a * b;
}

internal readonly struct MultiplyHigh<T> : IBinary<T, T, T>
    where T : unmanaged, IBinaryInteger<T>
{
    public static T Apply(T a, T b) => T.CreateTruncating((Int128.CreateTruncating(a) * Int128.CreateTruncating(b)) >> (T.Zero.GetByteCount() * 8));
}

/// <summary>The whole product, twice as wide as its factors.</summary>
internal readonly struct MultiplyWide<T, TWide> : IBinary<T, T, TWide>
    where T : INumber<T>
    where TWide : INumber<TWide>
{
    public static TWide Apply(T a, T b) => TWide.CreateTruncating(a) * TWide.CreateTruncating(b);
}

internal readonly struct MultiplyAdd<T> : ITernary<T, T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b, T c) => (a * b) + c;
}

internal readonly struct MultiplyHighAdd<T> : ITernary<T, T, T, T>
    where T : unmanaged, IBinaryInteger<T>
{
    public static T Apply(T a, T b, T c) => MultiplyHigh<T>.Apply(a, b) + c;
}

internal readonly struct MultiplyWideAdd<T, TWide> : ITernary<T, T, TWide, TWide>
    where T : INumber<T>
    where TWide : INumber<TWide>
{
    public static TWide Apply(T a, T b, TWide c) => (TWide.CreateTruncating(a) * TWide.CreateTruncating(b)) + c;
}

internal readonly struct FusedMultiplyAdd<T> : ITernary<T, T, T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a, T b, T c) => T.FusedMultiplyAdd(a, b, c);
}

internal readonly struct DivideIntegers<T> : IBinary<T, T, T>
    where T : IBinaryInteger<T>
{
    // The quotient of the least number and -1 does not exist, and wraps.
    public static T Apply(T a, T b) =>
        b == T.Zero ? throw new PtxFault("divides by zero") : b == -T.One && T.IsNegative(b) ? T.Zero - a : a / b;
}

internal readonly struct Remainder<T> : IBinary<T, T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a, T b) =>
        b == T.Zero ? throw new PtxFault("divides by zero") : b == -T.One && T.IsNegative(b) ? T.Zero : a % b;
}

internal readonly struct DivideFloats<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => a / b;
}

/// <summary>The lesser number; with one NaN, the other number.</summary>
internal readonly struct Minimum<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => T.MinNumber(a, b);
}

internal readonly struct Maximum<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => T.MaxNumber(a, b);
}

/// <summary>The lesser number; NaN if there is one.</summary>
internal readonly struct MinimumOrNaN<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => T.Min(a, b);
}

internal readonly struct MaximumOrNaN<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => T.Max(a, b);
}

internal readonly struct Negate<T> : IUnary<T, T>
    where T : INumber<T>
{
    public static T Apply(T a) => -a;
}

internal readonly struct AbsoluteInteger<T> : IUnary<T, T>
    where T : IBinaryInteger<T>
{
    public static T Apply(T a) => T.IsNegative(a) ? T.Zero - a : a;
}

internal readonly struct AbsoluteFloat<T> : IUnary<T, T>
    where T : INumber<T>
{
    public static T Apply(T a) => T.Abs(a);
}

/// <summary>The second operand with the sign of the first.</summary>
internal readonly struct CopySign<T> : IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => T.CopySign(b, a);
}

// Approximate on a GPU; here correct to the last bit or nearly.
internal readonly struct Reciprocal<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.One / a;
}

internal readonly struct SquareRoot<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.Sqrt(a);
}

internal readonly struct ReciprocalSquareRoot<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.CreateSaturating(1 / Math.Sqrt(double.CreateSaturating(a)));
}

internal readonly struct Exp2<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.CreateSaturating(Math.Pow(2, double.CreateSaturating(a)));
}

internal readonly struct Log2<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.CreateSaturating(Math.Log2(double.CreateSaturating(a)));
}

internal readonly struct Sine<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.CreateSaturating(Math.Sin(double.CreateSaturating(a)));
}

internal readonly struct Cosine<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.CreateSaturating(Math.Cos(double.CreateSaturating(a)));
}

internal readonly struct HyperbolicTangent<T> : IUnary<T, T>
    where T : IFloatingPointIeee754<T>
{
    public static T Apply(T a) => T.CreateSaturating(Math.Tanh(double.CreateSaturating(a)));
}

/// <summary><c>.ftz</c>: subnormal numbers count as zeros with their signs.</summary>
internal static class Flushed
{
    public static T Flush<T>(T value)
        where T : INumber<T> => T.IsSubnormal(value) ? T.CopySign(T.Zero, value) : value;
}

internal readonly struct FlushedUnary<TOperation, T> : IUnary<T, T>
    where TOperation : struct, IUnary<T, T>
    where T : INumber<T>
{
    public static T Apply(T a) => Flushed.Flush(TOperation.Apply(Flushed.Flush(a)));
}

internal readonly struct FlushedBinary<TOperation, T> : IBinary<T, T, T>
    where TOperation : struct, IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => Flushed.Flush(TOperation.Apply(Flushed.Flush(a), Flushed.Flush(b)));
}

internal readonly struct FlushedTernary<TOperation, T> : ITernary<T, T, T, T>
    where TOperation : struct, ITernary<T, T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b, T c) =>
        Flushed.Flush(TOperation.Apply(Flushed.Flush(a), Flushed.Flush(b), Flushed.Flush(c)));
}

/// <summary><c>.sat</c>: the result between 0 and 1; NaN becomes 0.</summary>
internal static class Saturated
{
    public static T Clamp<T>(T value)
        where T : INumber<T> => value > T.Zero ? (value < T.One ? value : T.One) : T.Zero;
}

internal readonly struct SaturatedBinary<TOperation, T> : IBinary<T, T, T>
    where TOperation : struct, IBinary<T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b) => Saturated.Clamp(TOperation.Apply(a, b));
}

internal readonly struct SaturatedTernary<TOperation, T> : ITernary<T, T, T, T>
    where TOperation : struct, ITernary<T, T, T, T>
    where T : INumber<T>
{
    public static T Apply(T a, T b, T c) => Saturated.Clamp(TOperation.Apply(a, b, c));
}
