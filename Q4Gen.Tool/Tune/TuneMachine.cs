using Q4Gen.Generator.Model;
using Q4Gen.Kernels;

namespace Q4Gen.Tool.Tune;

/// <summary>The machine that measures, as tuning files write it.</summary>
internal static class TuneMachine
{
    private static readonly Dictionary<string, string> s_vendors = new()
    {
        ["AuthenticAMD"] = "amd", ["GenuineIntel"] = "intel", ["HygonGenuine"] = "hygon",
    };

    /// <summary>This machine with so many threads, under the id that a file has for it, or under a new one.</summary>
    /// <exception cref="PlatformNotSupportedException">Its processor cannot be told from others.</exception>
    public static TuningMachine Of(int threads, IEnumerable<TuningMachine> known)
    {
        if (TargetMachine.Vendor.Length == 0)
        {
            throw new PlatformNotSupportedException(
                "This processor does not say what it is, so that a program could not know where a tuned kernel is for; machines are told apart by CPUID on x86, and by MIDR on Arm Linux.");
        }

        var machine = new TuningMachine("", TargetMachine.Vendor, TargetMachine.Family, TargetMachine.Model, threads, TargetMachine.Rid);
        TuningMachine[] others = [.. known];
        if (others.FirstOrDefault(machine.IsSameKind) is { } same)
        {
            return same;
        }

        string name = s_vendors.GetValueOrDefault(machine.Vendor) ?? new string([.. machine.Vendor.ToLowerInvariant().Where(static c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9'))]);
        string id = FormattableString.Invariant($"{name}{machine.Family}m{machine.Model}t{threads}");
        return machine with { Id = others.Any(other => other.Id == id) ? id + new string([.. machine.Rid.Where(char.IsAsciiLetterOrDigit)]) : id };
    }
}
