using System.Reflection;
using Q4Gen.Kernels;

namespace Q4Gen.Tests.Kernels;

/// <summary>What the just-in-time compiler is told about kernels.</summary>
public class CompilationTests
{
    /// <summary>A kernel that is inlined into its caller some time after the start gets slower by a factor; see <see cref="Compile.Once"/>.</summary>
    [Fact]
    public void WhatIsCompiledAtOnceIsNotInlinedLater()
    {
        const MethodImplAttributes Optimized = MethodImplAttributes.AggressiveOptimization, Once = Optimized | MethodImplAttributes.NoInlining;
        MethodInfo[] methods = [.. new[] { typeof(Linear4Bit).Assembly, typeof(CompilationTests).Assembly }
            .SelectMany(static assembly => assembly.GetTypes())
            .SelectMany(static type => type.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(static method => (method.MethodImplementationFlags & Optimized) != 0)];
        Assert.Contains(methods, static method => method.Name.StartsWith("Gemv_", StringComparison.Ordinal));
        Assert.Contains(methods, static method => method.DeclaringType == typeof(FixedPointActivations));
        Assert.All(methods, static method => Assert.Equal(Once, method.MethodImplementationFlags & Once));
    }

    /// <summary>The members that a kernel calls have no call of their own left.</summary>
    [Fact]
    public void EveryGeneratedMethodIsAKernelOrInlined()
    {
        IEnumerable<MethodInfo> members = typeof(CompilationTests).Assembly.GetTypes()
            .Where(static type => type.IsSubclassOf(typeof(Linear4BitKernel)) && !type.Name.EndsWith("_scalar", StringComparison.Ordinal))
            .SelectMany(static type => type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly));
        Assert.NotEmpty(members);
        Assert.All(members, static method => Assert.NotEqual(
            default, method.MethodImplementationFlags & (MethodImplAttributes.AggressiveOptimization | MethodImplAttributes.AggressiveInlining)));
    }
}
