namespace Q4Gen.Tests.Kernels;

/// <summary>The guards themselves: they must bite.</summary>
public class GuardPageTests
{
    private const string SideVariable = "Q4GEN_TEST_GUARD_SIDE";

    [Theory]
    [InlineData(GuardSide.After)]
    [InlineData(GuardSide.Before)]
    public async Task TouchingAGuardPageEndsTheProcess(GuardSide side)
    {
        Assert.SkipUnless(GuardedPages.AreSupported, "There are no guard pages on this system.");
        ChildResult child = await ChildProcess.RunAsync(
            new Dictionary<string, string> { [SideVariable] = side.ToString(), ["DOTNET_DbgEnableMiniDump"] = "0" },
            ["-explicit", "only", "-method", $"{typeof(GuardPageTests).FullName}.{nameof(ReadsBesideTheElements)}"],
            TestContext.Current.CancellationToken);
        Assert.NotEqual(0, child.ExitCode);
        Assert.Contains(nameof(ReadsBesideTheElements), child.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("TEST EXECUTION SUMMARY", child.Output, StringComparison.Ordinal);
    }

    /// <summary>Ends the process; only for the test above.</summary>
    [Fact(Explicit = true)]
    public unsafe void ReadsBesideTheElements()
    {
        GuardSide side = Enum.Parse<GuardSide>(Environment.GetEnvironmentVariable(SideVariable) ?? nameof(GuardSide.After));
        using var memory = new GuardedMemory<float>(100, side);
        memory.Span.Clear();
        Assert.Equal(0, memory.Pointer[side == GuardSide.After ? 100 : -1]);
    }

    [Theory]
    [InlineData(GuardSide.After, -1)]
    [InlineData(GuardSide.Before, 100)]
    public unsafe void WritingOnTheOtherSideIsNoticed(GuardSide side, int index)
    {
        using var memory = new GuardedMemory<float>(100, side);
        memory.Span.Fill(1);
        memory.CheckCanaries();
        memory.Pointer[index] = 1;
        Assert.ThrowsAny<Exception>(memory.CheckCanaries);
    }
}
