using System;
using System.Linq;

namespace Q4Gen.Generator.Model;

/// <summary>What a tuning file says, without where it says so: the same choices are the same build.</summary>
/// <param name="Machines">The machines that were measured.</param>
/// <param name="Entries">What was best there.</param>
internal sealed record TuningSpec(EquatableArray<TuningMachine> Machines, EquatableArray<TuningEntry> Entries)
{
    /// <summary>No choices at all.</summary>
    public static readonly TuningSpec Empty = new(EquatableArray<TuningMachine>.Empty, EquatableArray<TuningEntry>.Empty);

    /// <summary>The choices for one layer, machine by machine; a machine without any is left out.</summary>
    /// <param name="layer">The shape part of the family's name, as entries carry it.</param>
    public EquatableArray<MachineChoices> For(string layer)
    {
        ILookup<string, TuningEntry> ofMachine = Entries.Where(entry => entry.Layer == layer).ToLookup(static entry => entry.Machine, StringComparer.Ordinal);
        return Machines
            .Where(machine => ofMachine.Contains(machine.Id))
            .Select(machine => new MachineChoices(
                machine,
                ofMachine[machine.Id].OrderBy(static entry => entry.Isa, StringComparer.Ordinal).ThenBy(static entry => entry.Rows).ToEquatableArray()))
            .ToEquatableArray();
    }
}

/// <summary>A kind of machine: what a program asks the processor for before it takes a tuned kernel.</summary>
/// <param name="Id">Its name in the file and in kernels: a letter, then letters and digits, all lower case.</param>
/// <param name="Vendor">The processor's vendor, as it names itself.</param>
/// <param name="Family">Its family.</param>
/// <param name="Model">Its model.</param>
/// <param name="Threads">Threads that shared a call.</param>
/// <param name="Rid">Operating system and architecture, such as <c>linux-x64</c>.</param>
internal sealed record TuningMachine(string Id, string Vendor, int Family, int Model, int Threads, string Rid)
{
    /// <summary>Whether both are the same kind, whatever they are called.</summary>
    public bool IsSameKind(TuningMachine other) => this with { Id = other.Id } == other;

    /// <summary>One line that says what it is.</summary>
    public string Describe() => FormattableString.Invariant($"{Vendor} family {Family} model {Model}, {Threads} thread{(Threads == 1 ? "" : "s")}, {Rid}");
}

/// <summary>How many rows of x a choice is for.</summary>
internal enum TunedRows
{
    /// <summary>One: a token.</summary>
    One,

    /// <summary>As few as are multiplied with nibbles in registers; of exact kernels.</summary>
    Few,

    /// <summary>As many as are packed first, and from how many on they are.</summary>
    Many,
}

/// <summary>One choice: the variant that was best for one layer, instruction set, number of rows and machine.</summary>
/// <param name="Layer">The layer, as kernels name it: <c>4096x11008_g128</c> or <c>4096x11008_g128_int8</c>.</param>
/// <param name="Isa">The instruction set, as kernels name it.</param>
/// <param name="Machine">The machine's id.</param>
/// <param name="Rows">How many rows of x.</param>
/// <param name="Variant">The variant's id, or <see cref="Default"/>.</param>
internal sealed record TuningEntry(string Layer, string Isa, string Machine, TunedRows Rows, string Variant)
{
    /// <summary>The variant that stands for whatever the planner chooses by itself.</summary>
    public const string Default = "default";
}

/// <summary>All that one machine chose for one layer.</summary>
internal sealed record MachineChoices(TuningMachine Machine, EquatableArray<TuningEntry> Entries);
