using NUnit.Framework;
using Q4Gen.Testing;

namespace SnapshotYourKernels.Tests;

/// <summary>What a team that ships kernels has beside its model: their text under review, and their results under test.</summary>
public class KernelTests
{
    /// <summary>
    /// The text: in Snapshots, one file a shape and instruction set, and Q4Gen.kernels.verified.txt, which a reviewer reads
    /// first. A new version of Q4Gen, or an edit of an attribute, shows there as a difference to be accepted.
    /// </summary>
    [Test]
    public void TheKernelsAreThoseThatWereReviewed() => KernelSnapshots.Verify(typeof(Mlp).Assembly);

    /// <summary>The results: every kernel that this processor can run, against float64 and the scalar kernel.</summary>
    [Test]
    public void TheKernelsAreRight()
    {
        foreach (OracleReport report in KernelOracle.CheckAll(typeof(Mlp).Assembly))
        {
            TestContext.Out.WriteLine(report);
        }
    }
}
