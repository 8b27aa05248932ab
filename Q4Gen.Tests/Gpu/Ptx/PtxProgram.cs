namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>
/// PTX text that has been read and decoded, to be executed without a GPU. It stands in for one in tests, and is stricter: what
/// would be undefined on a GPU, or could come out differently from one run to the next, ends in a <see cref="PtxException"/>.
/// </summary>
internal sealed class PtxProgram
{
    private readonly Dictionary<string, PtxEntry> _entries;

    private PtxProgram(Dictionary<string, PtxEntry> entries) => _entries = entries;

    public IReadOnlyDictionary<string, PtxEntry> Entries => _entries;

    /// <summary>The only kernel.</summary>
    public PtxEntry Entry => _entries.Count == 1
        ? _entries.Values.First()
        : throw new PtxException($"The program has {_entries.Count} entries: {string.Join(", ", _entries.Keys)}.");

    /// <summary>The number of blocks that run side by side.</summary>
    public int Parallelism { get; set; } = 1;

    /// <summary>Reads PTX.</summary>
    /// <exception cref="PtxException">Something in the text is wrong, or is not known here.</exception>
    public static PtxProgram Parse(string ptx) => new(new PtxParser(ptx).Parse());

    /// <summary>Runs the only kernel.</summary>
    /// <inheritdoc cref="Run(PtxEntry, PtxMemory, ValueTuple{int, int, int}, ValueTuple{int, int, int}, int, ReadOnlySpan{object})"/>
    public long Run(
        PtxMemory memory, (int X, int Y, int Z) grid, (int X, int Y, int Z) block, int dynamicSharedBytes, params ReadOnlySpan<object> arguments) =>
        Run(Entry, memory, grid, block, dynamicSharedBytes, arguments);

    /// <summary>Runs a kernel.</summary>
    /// <param name="entry">The kernel.</param>
    /// <param name="memory">The global memory.</param>
    /// <param name="grid">The number of blocks.</param>
    /// <param name="block">The number of threads of a block.</param>
    /// <param name="dynamicSharedBytes">The size of the shared memory that the kernel leaves open.</param>
    /// <param name="arguments">The kernel's arguments: numbers and instances of <see cref="PtxView"/>.</param>
    /// <returns>The number of instructions that all threads together have executed.</returns>
    /// <exception cref="PtxException">An instruction did what it must not do.</exception>
    public long Run(
        PtxEntry entry, PtxMemory memory, (int X, int Y, int Z) grid, (int X, int Y, int Z) block, int dynamicSharedBytes, params ReadOnlySpan<object> arguments)
    {
        var launch = new PtxLaunch(
            new(grid.X, grid.Y, grid.Z), new(block.X, block.Y, block.Z), dynamicSharedBytes, entry.Arrange(arguments));
        entry.Check(launch);
        memory.BeginRun(entry.GlobalGranule);
        if (Parallelism == 1)
        {
            var only = new PtxBlock(entry, memory, launch);
            for (int index = 0; index < launch.Grid.Count; index++)
            {
                only.Run(Position(index, launch.Grid));
            }

            return only.Instructions;
        }

        return RunSideBySide(entry, memory, launch);
    }

    private long RunSideBySide(PtxEntry entry, PtxMemory memory, PtxLaunch launch)
    {
        long instructions = 0;
        try
        {
            Parallel.For(
                0,
                launch.Grid.Count,
                new ParallelOptions { MaxDegreeOfParallelism = Parallelism },
                () => new PtxBlock(entry, memory, launch),
                (index, _, block) =>
                {
                    block.Run(Position(index, launch.Grid));
                    return block;
                },
                block => Interlocked.Add(ref instructions, block.Instructions));
        }
        catch (AggregateException exception) when (exception.InnerExceptions.OfType<PtxException>().FirstOrDefault() is { } first)
        {
            throw new PtxException(first.Message, first);
        }

        return instructions;
    }

    private static PtxDim Position(int index, PtxDim grid) => new(index % grid.X, index / grid.X % grid.Y, index / grid.X / grid.Y);
}
