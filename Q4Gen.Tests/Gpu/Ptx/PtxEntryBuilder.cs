namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>An entry while it is read: hands out slots and places of variables, and collects instructions.</summary>
internal sealed class PtxEntryBuilder(string name)
{
    /// <summary>Left free between shared variables, so that an access that is off by a little is noticed.</summary>
    private const int Gap = 16;

    private readonly Dictionary<(PtxConstantKind Kind, ulong Value), int> _constants = [];
    private readonly Stack<int> _freeRegisters = [];
    private readonly Stack<int> _freePredicates = [];
    private readonly List<PtxSharedVariable> _shared = [];
    private readonly List<(PtxScope Scope, string Label, BranchInstruction Branch, int Index, int Line)> _branches = [];
    private readonly List<(string Name, int Alignment)> _dynamic = [];
    private int _registers;
    private int _predicates;
    private int _sharedEnd;
    private int _localEnd;
    private int _parameterEnd;

    public string Name => name;

    /// <summary>The version of PTX that the program declares.</summary>
    public double Version { get; init; }

    /// <summary>The number of the architecture that the program is for, as in sm_80.</summary>
    public int Target { get; init; }

    public List<PtxInstruction> Code { get; } = [];

    public List<PtxVariable> Parameters { get; } = [];

    public int SharedGranule { get; private set; } = 16;

    public int GlobalGranule { get; private set; } = 16;

    public int MostThreads { get; set; }

    public PtxDim RequiredSize { get; set; }

    public int AllocateRegister(PtxScope scope)
    {
        int slot = _freeRegisters.TryPop(out int free) ? free : _registers++;
        scope.Registers.Add(slot);
        return slot;
    }

    public int AllocatePredicate(PtxScope scope)
    {
        int slot = _freePredicates.TryPop(out int free) ? free : _predicates++;
        scope.Predicates.Add(slot);
        return slot;
    }

    /// <summary>Ends a scope: its slots may be used again.</summary>
    public void Release(PtxScope scope)
    {
        scope.Registers.ForEach(_freeRegisters.Push);
        scope.Predicates.ForEach(_freePredicates.Push);
    }

    public int Constant(PtxConstantKind kind, ulong value = 0)
    {
        if (!_constants.TryGetValue((kind, value), out int slot))
        {
            slot = _registers++;
            _constants.Add((kind, value), slot);
        }

        return slot;
    }

    public PtxVariable AddParameter(string parameter, int bytes, int alignment)
    {
        _parameterEnd = Align(_parameterEnd, alignment);
        var variable = new PtxVariable(parameter, PtxSpace.Parameter, _parameterEnd, bytes, IsDynamic: false);
        Parameters.Add(variable);
        _parameterEnd += bytes;
        return variable;
    }

    public PtxVariable AddShared(string variable, int bytes, int alignment)
    {
        int offset = Place(_sharedEnd, alignment);
        _sharedEnd = offset + bytes + Gap;
        _shared.Add(new(variable, offset, bytes));
        return new(variable, PtxSpace.Shared, offset, bytes, IsDynamic: false);
    }

    /// <summary>All variables of open size begin at the same address.</summary>
    public PtxVariable AddDynamicShared(string variable, int alignment)
    {
        _dynamic.Add((variable, alignment));
        return new(variable, PtxSpace.Shared, 0, 0, IsDynamic: true);
    }

    public PtxVariable AddLocal(string variable, int bytes, int alignment)
    {
        int offset = Align(_localEnd, alignment);
        _localEnd = offset + bytes;
        return new(variable, PtxSpace.Local, offset, bytes, IsDynamic: false);
    }

    /// <summary>Notes an access, of which the narrowest is what accesses are recorded by.</summary>
    public void NoteAccess(PtxSpace space, int bytes)
    {
        if (space is PtxSpace.Shared or PtxSpace.Generic)
        {
            SharedGranule = Math.Min(SharedGranule, bytes);
        }

        if (space is PtxSpace.Global or PtxSpace.Generic)
        {
            GlobalGranule = Math.Min(GlobalGranule, bytes);
        }
    }

    /// <summary>Notes a branch, whose label may come later.</summary>
    public void AddBranch(PtxScope scope, string label, BranchInstruction branch, int index, int line) =>
        _branches.Add((scope, label, branch, index, line));

    public PtxEntry Build()
    {
        foreach (var (scope, label, branch, index, line) in _branches)
        {
            branch.Destinations[index] = scope.FindLabel(label) ?? throw new PtxException($"Line {line}: there is no label '{label}' in scope.");
        }

        int dynamicOffset = _dynamic.Count == 0 ? 0 : Place(_sharedEnd, _dynamic.Max(variable => variable.Alignment));
        return new(name)
        {
            Code = [.. Code, new ExitInstruction { Text = "the end", Line = Code.Count == 0 ? 0 : Code[^1].Line }],
            Parameters = [.. Parameters],
            Constants = [.. _constants.Select(constant => new PtxConstant(constant.Value, constant.Key.Kind, constant.Key.Value))],
            Registers = _registers,
            Predicates = _predicates,
            LocalBytes = _localEnd,
            StaticShared = [.. _shared],
            DynamicShared = _dynamic.Count == 0 ? null : _dynamic[0].Name,
            DynamicSharedOffset = dynamicOffset,
            SharedGranule = SharedGranule,
            GlobalGranule = GlobalGranule,
            MostThreads = MostThreads,
            RequiredSize = RequiredSize,
        };
    }

    private static int Align(int offset, int alignment) => (offset + alignment - 1) / alignment * alignment;

    /// <summary>
    /// The next offset with this alignment, and with no better one, except for the first variable: shared memory as a whole is
    /// well aligned on a GPU, too.
    /// </summary>
    private static int Place(int end, int alignment)
    {
        int offset = Align(end, alignment);
        return offset > 0 && offset % (2 * alignment) == 0 ? offset + alignment : offset;
    }
}
