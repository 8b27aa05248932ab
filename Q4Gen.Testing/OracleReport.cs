using System.Globalization;
using System.Text;

namespace Q4Gen.Testing;

/// <summary>What <see cref="KernelOracle"/> found for one shape.</summary>
/// <param name="Shape">The shape.</param>
/// <param name="Precision">What the kernels do with activations.</param>
/// <param name="Seed">Of the random weights and inputs.</param>
/// <param name="Checks">Each kernel and number of rows.</param>
/// <param name="Skipped">Instruction sets that this processor lacks, or that the shape has no kernel for.</param>
public sealed record OracleReport(
    Linear4BitShape Shape, Linear4BitPrecision Precision, int Seed, IReadOnlyList<OracleCheck> Checks, IReadOnlyList<KernelIsa> Skipped)
{
    /// <summary>A line for each instruction set, with its worst errors over all numbers of rows.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Shape}, {Precision}, seed {Seed}\n");
        foreach (IGrouping<KernelIsa, OracleCheck> isa in Checks.GroupBy(static check => check.Isa))
        {
            text.Append(
                CultureInfo.InvariantCulture,
                $"  {isa.Key}: {isa.First().Kernel}, {isa.Count()} numbers of rows, worst output {isa.Max(static c => c.MaxError):E1} of its terms, worst norm {isa.Max(static c => c.RelativeError):E1}\n");
        }

        return Skipped.Count == 0 ? text.ToString() : text.Append(CultureInfo.InvariantCulture, $"  not run here: {string.Join(", ", Skipped)}\n").ToString();
    }
}

/// <summary>One kernel on one number of rows, compared with float64.</summary>
/// <param name="Isa">The instruction set.</param>
/// <param name="Kernel">The kernel's name.</param>
/// <param name="Rows">Rows of x.</param>
/// <param name="MaxError">The worst output's error, in units of Σ|w·x| + |b|.</param>
/// <param name="RelativeError">The error of all outputs together, relative to their norm.</param>
/// <param name="HasScalarBits">Whether every output is the scalar kernel's to the last bit.</param>
public sealed record OracleCheck(KernelIsa Isa, string Kernel, int Rows, double MaxError, double RelativeError, bool HasScalarBits);

/// <summary>A kernel is wrong.</summary>
public sealed class KernelOracleException : Exception
{
    internal KernelOracleException(string message, OracleReport report)
        : base(message) => Report = report;

    /// <summary>All that was found.</summary>
    public OracleReport Report { get; }
}
