using System.Numerics;
using System.Runtime.CompilerServices;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <content>
/// Which threads execute what. Threads that are at the same instruction form a group; mostly there is one. Of several groups the
/// hindmost goes on, until it meets another one or waits.
/// </content>
internal sealed partial class PtxWarp
{
    private readonly List<Group> _groups = [];
    private long _steps;

    private enum Waiting
    {
        No,
        ForWarp,
        ForBlock,
    }

    public uint Exited { get; private set; }

    public bool IsDone => Exited == Existing;

    /// <summary>The instructions at which threads wait for the block.</summary>
    public IEnumerable<(PtxInstruction Instruction, int Barrier)> Barriers =>
        _groups.Where(group => group.Waiting == Waiting.ForBlock).Select(group => (_entry.Code[group.Position], group.Barrier));

    /// <summary>Runs until all threads have ended or wait for the block.</summary>
    public void Run()
    {
        while (Hindmost() is { } group)
        {
            Run(group);
        }

        ReportCounts();
        if (_groups.Find(group => group.Waiting == Waiting.ForWarp || (group.Waiting == Waiting.ForBlock && IsAlignedAndPartial(group))) is { } stuck)
        {
            var others = _groups.Where(group => group != stuck)
                .Select(group => $"{Threads(group.Mask)} wait at line {_entry.Code[group.Position].Line}")
                .Concat(Exited == 0 ? [] : [$"{Threads(Exited)} have ended"])
                .Concat(Existing == uint.MaxValue ? [] : [$"{Threads(~Existing)} do not exist"]);
            CurrentLane = BitOperations.TrailingZeroCount(stuck.Mask);
            throw Explain(
                _entry.Code[stuck.Position],
                new PtxFault($"finds that the warp diverged: {Threads(stuck.Mask)} wait here, {string.Join(", ", others)}"));
        }
    }

    /// <summary>Lets the threads that wait for the block go on.</summary>
    public void Release()
    {
        foreach (var group in _groups)
        {
            group.Waiting = Waiting.No;
            group.Position++;
        }
    }

    /// <summary>Says what went wrong, where and in which thread.</summary>
    public PtxException Explain(PtxInstruction instruction, Exception fault) => new(
        $"The instruction '{instruction.Text}' at line {instruction.Line} {fault.Message}. Thread ({_threadX[CurrentLane]}, "
        + $"{_threadY[CurrentLane]}, {_threadZ[CurrentLane]}) of block ({Block.Position.X}, {Block.Position.Y}, {Block.Position.Z}).",
        fault);

    private static string Threads(uint mask) =>
        BitOperations.PopCount(mask) == 1 ? $"lane {BitOperations.TrailingZeroCount(mask)}" : $"lanes 0x{mask:X8}";

    private bool IsAlignedAndPartial(Group group) =>
        group.Mask != Existing && ((BarrierInstruction)_entry.Code[group.Position]).IsAligned;

    /// <summary>The group that is furthest back of those that do not wait, together with others at the same place.</summary>
    private Group? Hindmost()
    {
        Group? hindmost = null;
        foreach (var group in _groups)
        {
            if (group.Waiting == Waiting.No && (hindmost is null || group.Position < hindmost.Position))
            {
                hindmost = group;
            }
        }

        if (hindmost is not null && _groups.Count > 1)
        {
            Merge(hindmost, Waiting.No);
        }

        return hindmost;
    }

    private void Merge(Group into, Waiting waiting)
    {
        for (int index = _groups.Count - 1; index >= 0; index--)
        {
            var other = _groups[index];
            if (other != into && other.Position == into.Position && other.Waiting == waiting)
            {
                into.Mask |= other.Mask;
                _groups.RemoveAt(index);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void Run(Group group)
    {
        int limit = int.MaxValue;
        foreach (var other in _groups)
        {
            if (other != group && other.Waiting == Waiting.No)
            {
                limit = Math.Min(limit, other.Position);
            }
        }

        var code = _entry.Code;
        while (group.Position < limit)
        {
            var instruction = code[group.Position];
            try
            {
                if (++_steps > _entry.StepLimit)
                {
                    throw new PtxFault($"is the warp's {_steps}th: the program does not seem to end");
                }

                if (!Step(group, instruction))
                {
                    return;
                }
            }
            catch (PtxFault fault)
            {
                throw Explain(instruction, fault);
            }
        }
    }

    /// <summary>Executes an instruction.</summary>
    /// <returns>Whether the group can simply go on.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private bool Step(Group group, PtxInstruction instruction)
    {
        uint active = group.Mask;
        if (instruction.Guard >= 0)
        {
            CheckDefined(PredicateDefined[instruction.Guard], active, instruction, -1);
            active &= Predicates[instruction.Guard] ^ (instruction.GuardNegated ? uint.MaxValue : 0);
        }

        Instructions += BitOperations.PopCount(group.Mask);
        if (instruction.Flow == PtxFlow.Next)
        {
            if (active != 0)
            {
                Execute(instruction, active);
            }

            group.Position++;
            return true;
        }

        if (active == 0)
        {
            group.Position++;
            return true;
        }

        if (instruction.Flow == PtxFlow.Branch)
        {
            return Branch(group, (BranchInstruction)instruction, active);
        }

        // Those that the predicate switches off go on.
        if (active != group.Mask)
        {
            _groups.Add(new() { Mask = group.Mask & ~active, Position = group.Position + 1 });
            group.Mask = active;
        }

        switch (instruction.Flow)
        {
            case PtxFlow.Exit:
                Exited |= active;
                _groups.Remove(group);
                return false;
            case PtxFlow.WarpCollective:
                return Collect(group, (PtxCollective)instruction);
            default:
                Merge(group, Waiting.ForBlock);
                CheckSources(instruction, group.Mask);
                group.Barrier = ((BarrierInstruction)instruction).Barrier(this, group.Mask);
                group.Waiting = Waiting.ForBlock;
                return false;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void Execute(PtxInstruction instruction, uint active)
    {
        CheckSources(instruction, active);
        CurrentLane = BitOperations.TrailingZeroCount(active);
        instruction.Execute(this, active);
        foreach (int slot in instruction.Targets)
        {
            Defined[slot] |= active;
        }

        foreach (int slot in instruction.PredicateTargets)
        {
            PredicateDefined[slot] |= active;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void CheckSources(PtxInstruction instruction, uint active)
    {
        int[] sources = instruction.Sources;
        for (int index = 0; index < sources.Length; index++)
        {
            if ((Defined[sources[index]] & active) != active)
            {
                CheckDefined(Defined[sources[index]], active, instruction, index);
            }
        }

        int[] predicates = instruction.PredicateSources;
        for (int index = 0; index < predicates.Length; index++)
        {
            CheckDefined(PredicateDefined[predicates[index]], active, instruction, sources.Length + index);
        }
    }

    private void CheckDefined(uint defined, uint active, PtxInstruction instruction, int source)
    {
        if ((defined & active) != active)
        {
            CurrentLane = BitOperations.TrailingZeroCount(active & ~defined);
            string name = source < 0 ? "its predicate" : instruction.SourceNames[source];
            throw new PtxFault($"reads {name}, which this thread has not written");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private bool Branch(Group group, BranchInstruction branch, uint active)
    {
        CheckSources(branch, active);
        if (branch.IsUniform && branch.Guard >= 0 && active != group.Mask)
        {
            throw new PtxFault($"is said to be uniform, but only {Threads(active)} of {Threads(group.Mask)} branch");
        }

        if (branch.IndexSlot < 0)
        {
            if (active == group.Mask)
            {
                group.Position = branch.Destinations[0];
                return _groups.Count == 1;
            }

            _groups.Add(new() { Mask = active, Position = branch.Destinations[0] });
        }
        else
        {
            for (uint rest = active; rest != 0; rest &= rest - 1)
            {
                int lane = BitOperations.TrailingZeroCount(rest);
                CurrentLane = lane;
                uint index = (uint)Unsafe.Add(ref Slot(branch.IndexSlot), lane);
                if (index >= branch.Destinations.Length)
                {
                    throw new PtxFault($"picks target {index} of {branch.Destinations.Length}");
                }

                _groups.Add(new() { Mask = 1u << lane, Position = branch.Destinations[index] });
            }
        }

        group.Mask &= ~active;
        group.Position++;
        if (group.Mask == 0)
        {
            _groups.Remove(group);
        }

        return false;
    }

    /// <summary>Executes an instruction for which threads wait for each other, or lets the group wait.</summary>
    private bool Collect(Group group, PtxCollective instruction)
    {
        Merge(group, Waiting.ForWarp);
        uint needed = uint.MaxValue;
        if (instruction.MemberMask >= 0)
        {
            CheckSources(instruction, group.Mask);
            needed = Uniform(instruction.MemberMask, group.Mask, "the mask of those that take part");
        }

        if ((group.Mask & ~needed) != 0)
        {
            CurrentLane = BitOperations.TrailingZeroCount(group.Mask & ~needed);
            throw new PtxFault($"is executed by {Threads(group.Mask)}, but its mask 0x{needed:X8} names others");
        }

        if (group.Mask != needed)
        {
            group.Waiting = Waiting.ForWarp;
            return false;
        }

        Execute(instruction, group.Mask);
        if (needed == uint.MaxValue && _entry.CollectivesOrderMemory)
        {
            AdvanceEpoch();
        }

        group.Position++;
        return _groups.Count == 1;
    }

    /// <summary>Threads at the same instruction.</summary>
    private sealed class Group
    {
        public uint Mask { get; set; }

        public int Position { get; set; }

        public Waiting Waiting { get; set; }

        public int Barrier { get; set; }
    }
}
