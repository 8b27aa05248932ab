using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Runtime;

/// <summary>The environment variable that sets the number of threads, seen from processes of their own.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // Five processes to start, and the same on every processor.
public class ThreadingEnvironmentTests
{
    private const string ExpectedVariable = "Q4GEN_TEST_EXPECTED_THREADS";

    [Theory]
    [InlineData("3", "3")]
    [InlineData("", "")]
    [InlineData("0", "error")]
    [InlineData("1025", "error")]
    [InlineData("many", "error")]
    public async Task TheVariableSetsTheNumberOfThreads(string value, string expected)
    {
        ChildResult child = await ChildProcess.RunAsync(
            new Dictionary<string, string>
            {
                [Linear4BitThreads.EnvironmentVariable] = value,
                [ExpectedVariable] = expected,
            },
            ["-explicit", "only", "-method", $"{typeof(ThreadingEnvironmentTests).FullName}.{nameof(CountIsAsExpected)}"],
            TestContext.Current.CancellationToken);
        Assert.True(child is { ExitCode: 0, Passed: 1 }, child.Output);
    }

    /// <summary>The half of the test above that runs in the child.</summary>
    [Fact(Explicit = true)]
    public void CountIsAsExpected()
    {
        string expected = Environment.GetEnvironmentVariable(ExpectedVariable) ?? "";
        if (expected == "error")
        {
            string value = Environment.GetEnvironmentVariable(Linear4BitThreads.EnvironmentVariable)!;
            var exception = Assert.Throws<InvalidOperationException>(static () => Linear4BitThreads.Count);
            Assert.Contains($"Q4GEN_THREADS is \"{value}\"", exception.Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(expected.Length == 0 ? Environment.ProcessorCount : int.Parse(expected), Linear4BitThreads.Count);
        }
    }
}
