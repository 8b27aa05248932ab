namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Where an instruction leaves the threads that execute it.</summary>
internal enum PtxFlow
{
    /// <summary>At the next instruction.</summary>
    Next,

    /// <summary>Perhaps elsewhere.</summary>
    Branch,
    Exit,

    /// <summary>Waiting until the warp's other threads are there.</summary>
    WarpCollective,

    /// <summary>Waiting until the block's other threads are there.</summary>
    BlockBarrier,
}

/// <summary>
/// A decoded instruction. It executes for all threads of a warp at once, those in the mask <c>active</c>: decoding and checking
/// cost once for 32 threads, and what is done for each of them is a loop over an array.
/// </summary>
internal abstract class PtxInstruction
{
    public string Text { get; set; } = "";

    public int Line { get; set; }

    /// <summary>The slot of the predicate that switches the instruction on, or -1.</summary>
    public int Guard { get; set; } = -1;

    public bool GuardNegated { get; set; }

    /// <summary>The slots that must have been written before.</summary>
    public int[] Sources { get; set; } = [];

    /// <summary>The names of <see cref="Sources"/> and then of <see cref="PredicateSources"/>, as they are written.</summary>
    public string[] SourceNames { get; set; } = [];

    public int[] PredicateSources { get; set; } = [];

    public int[] Targets { get; set; } = [];

    public int[] PredicateTargets { get; set; } = [];

    public virtual PtxFlow Flow => PtxFlow.Next;

    public abstract void Execute(PtxWarp warp, uint active);
}

/// <summary>An instruction that all threads of a warp, or those that a mask names, execute together.</summary>
internal abstract class PtxCollective : PtxInstruction
{
    public sealed override PtxFlow Flow => PtxFlow.WarpCollective;

    /// <summary>The slot of the mask of threads that take part, or -1 for the whole warp.</summary>
    public int MemberMask { get; set; } = -1;
}

/// <summary>An instruction that does nothing here, such as a prefetch.</summary>
internal sealed class NothingInstruction : PtxInstruction
{
    public override void Execute(PtxWarp warp, uint active)
    {
    }
}

/// <summary>Takes the registers of a scope for undefined where the scope begins, since their slots may have been another scope's.</summary>
internal sealed class EnterScopeInstruction : PtxInstruction
{
    public int[] Registers { get; set; } = [];

    public int[] Predicates { get; set; } = [];

    public override void Execute(PtxWarp warp, uint active)
    {
        foreach (int slot in Registers)
        {
            warp.Defined[slot] &= ~active;
        }

        foreach (int slot in Predicates)
        {
            warp.PredicateDefined[slot] &= ~active;
        }
    }
}

/// <summary><c>trap</c>.</summary>
internal sealed class TrapInstruction : PtxInstruction
{
    public override void Execute(PtxWarp warp, uint active) => throw new PtxFault("was reached");
}

/// <summary><c>ret</c> and <c>exit</c>.</summary>
internal sealed class ExitInstruction : PtxInstruction
{
    public override PtxFlow Flow => PtxFlow.Exit;

    public override void Execute(PtxWarp warp, uint active)
    {
    }
}

/// <summary><c>bra</c>, and <c>brx.idx</c>, which picks one of several targets by its operand.</summary>
internal sealed class BranchInstruction(int indexSlot, int labels) : PtxInstruction
{
    public override PtxFlow Flow => PtxFlow.Branch;

    public int[] Destinations { get; } = new int[labels];

    /// <summary>Whether the program claims that all threads of the warp go the same way.</summary>
    public bool IsUniform { get; set; }

    public int IndexSlot => indexSlot;

    public override void Execute(PtxWarp warp, uint active)
    {
    }
}

/// <summary><c>bar.sync</c> and its kin.</summary>
/// <param name="barrier">The slot of the number of the barrier.</param>
/// <param name="threads">The slot of the number of threads that take part, or -1 for all.</param>
/// <param name="isAligned">Whether the threads of a warp must be at the same instruction.</param>
internal sealed class BarrierInstruction(int barrier, int threads, bool isAligned) : PtxInstruction
{
    public override PtxFlow Flow => PtxFlow.BlockBarrier;

    public bool IsAligned => isAligned;

    public override void Execute(PtxWarp warp, uint active)
    {
    }

    /// <summary>The number of the barrier at which the threads wait.</summary>
    public int Barrier(PtxWarp warp, uint active)
    {
        uint number = warp.Uniform(barrier, active, "the barrier's number");
        if (number > 15)
        {
            throw new PtxFault($"names barrier {number}, but there are 16");
        }

        if (threads >= 0)
        {
            uint count = warp.Uniform(threads, active, "the number of threads");
            if (count != warp.Block.Threads)
            {
                throw new PtxFault($"is for {count} of the block's {warp.Block.Threads} threads, which is not supported");
            }
        }

        return (int)number;
    }
}
