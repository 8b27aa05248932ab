namespace Q4Gen.Tests.Gpu.Ptx;

internal enum PtxSpace
{
    Generic,
    Global,

    /// <summary>Global memory that the program says does not change while it runs: <c>ld.global.nc</c>.</summary>
    Unchanging,
    Shared,
    Local,
    Parameter,
}

/// <summary>What a name stands for.</summary>
internal abstract record PtxSymbol(string Name);

/// <summary>A register: a slot of the register file, or of the file of predicates.</summary>
internal sealed record PtxRegister(string Name, PtxType Type, int Slot) : PtxSymbol(Name);

/// <summary>A variable or parameter, by its place in its state space.</summary>
internal sealed record PtxVariable(string Name, PtxSpace Space, int Offset, int Bytes, bool IsDynamic) : PtxSymbol(Name);

/// <summary>The registers <c>name0</c> to <c>nameN-1</c>, declared as <c>name&lt;N&gt;</c>.</summary>
internal sealed record PtxRegisterRange(string Name, PtxType Type, int[] Slots) : PtxSymbol(Name);

/// <summary>The names between two braces, and the labels.</summary>
internal sealed class PtxScope(PtxScope? parent)
{
    private readonly Dictionary<string, PtxSymbol> _symbols = [];
    private readonly Dictionary<string, int> _labels = [];

    public PtxScope? Parent => parent;

    /// <summary>The slots that are free again where the scope ends.</summary>
    public List<int> Registers { get; } = [];

    public List<int> Predicates { get; } = [];

    public bool TryDeclare(PtxSymbol symbol) => _symbols.TryAdd(symbol.Name, symbol);

    public bool TryDeclareLabel(string name, int index) => _labels.TryAdd(name, index);

    public PtxSymbol? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._symbols.TryGetValue(name, out var symbol) && symbol is not PtxRegisterRange)
            {
                return symbol;
            }

            if (scope.FindInRange(name) is { } register)
            {
                return register;
            }
        }

        return null;
    }

    public int? FindLabel(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._labels.TryGetValue(name, out int index))
            {
                return index;
            }
        }

        return null;
    }

    /// <summary>The name of a range may itself end in digits, so that all splits are tried.</summary>
    private PtxRegister? FindInRange(string name)
    {
        for (int digits = 1; digits < name.Length && char.IsAsciiDigit(name[^digits]); digits++)
        {
            string number = name[^digits..];
            if (_symbols.TryGetValue(name[..^digits], out var symbol) && symbol is PtxRegisterRange range
                && (number[0] != '0' || digits == 1) && int.TryParse(number, out int index) && index < range.Slots.Length)
            {
                return new(name, range.Type, range.Slots[index]);
            }
        }

        return null;
    }
}
