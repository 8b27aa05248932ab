using System.Globalization;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>Reads a module: directives, declarations and the entries with their bodies.</summary>
internal sealed class PtxParser(string text)
{
    private readonly PtxScanner _scanner = new(text);
    private readonly Dictionary<string, PtxEntry> _entries = [];
    private double _version;
    private int _target;

    /// <summary>What stands outside of entries, to be declared in each of them.</summary>
    private readonly List<Action<PtxEntryBuilder, PtxScope>> _moduleDeclarations = [];

    public Dictionary<string, PtxEntry> Parse()
    {
        while (_scanner.Current.Kind != PtxTokenKind.End)
        {
            string word = _scanner.TakeWord();
            switch (word)
            {
                case ".version":
                    _version = double.TryParse(_scanner.TakeWord(), CultureInfo.InvariantCulture, out double version)
                        ? version
                        : throw _scanner.Error("the version is no number");
                    break;
                case ".address_size":
                    if (_scanner.TakeCount() != 64)
                    {
                        throw _scanner.Error("only addresses of 64 bits are supported");
                    }

                    break;
                case ".target":
                    string target = TakeList()[0];
                    _target = target.StartsWith("sm_", StringComparison.Ordinal) && int.TryParse(target[3..].TrimEnd('a', 'f'), out int number)
                        ? number
                        : throw _scanner.Error($"the target '{target}' is not supported");
                    break;
                case ".file" or ".loc":
                    _scanner.SkipLine();
                    break;
                case ".visible" or ".weak" or ".extern":
                    // A body or a declaration follows.
                    break;
                case ".entry":
                    ParseEntry();
                    break;
                case ".shared":
                    _moduleDeclarations.AddRange(Variables(PtxSpace.Shared));
                    break;
                default:
                    throw _scanner.Error($"'{word}' is not supported at the beginning of a declaration");
            }
        }

        return _entries;
    }

    private List<string> TakeList()
    {
        List<string> words = [];
        do
        {
            words.Add(_scanner.TakeWord());
        }
        while (_scanner.TryTake(','));
        return words;
    }

    private void ParseEntry()
    {
        var builder = new PtxEntryBuilder(_scanner.TakeWord()) { Version = _version, Target = _target };
        var module = new PtxScope(null);
        foreach (var declare in _moduleDeclarations)
        {
            declare(builder, module);
        }

        var scope = new PtxScope(module);
        if (_scanner.TryTake('(') && !_scanner.TryTake(')'))
        {
            do
            {
                ParseParameter(builder, scope);
            }
            while (_scanner.TryTake(','));
            _scanner.Expect(')');
        }

        while (!_scanner.Current.Is('{'))
        {
            ParsePerformanceDirective(builder);
        }

        _scanner.Expect('{');
        ParseBody(builder, scope);
        if (!_entries.TryAdd(builder.Name, builder.Build()))
        {
            throw _scanner.Error($"there are two entries '{builder.Name}'");
        }
    }

    private void ParsePerformanceDirective(PtxEntryBuilder builder)
    {
        string word = _scanner.TakeWord();
        int[] numbers = [.. TakeList().Select(number => int.TryParse(number, out int value) ? value : throw _scanner.Error($"'{number}' is no number"))];
        int count = numbers.Aggregate(1, (product, number) => product * number);
        switch (word)
        {
            case ".maxntid":
                builder.MostThreads = count;
                break;
            case ".reqntid":
                builder.RequiredSize = new(numbers[0], numbers.ElementAtOrDefault(1) is 0 ? 1 : numbers[1], numbers.ElementAtOrDefault(2) is 0 ? 1 : numbers[2]);
                break;
            case ".minnctapersm" or ".maxnreg" or ".maxnctapersm":
                break;
            default:
                throw _scanner.Error($"'{word}' is not supported before a body");
        }
    }

    private void ParseParameter(PtxEntryBuilder builder, PtxScope scope)
    {
        if (_scanner.TakeWord() != ".param")
        {
            throw _scanner.Error("'.param' was expected");
        }

        var (type, alignment) = TypeAndAlignment();
        while (_scanner.Current.Text is ".ptr" or ".global" or ".shared" or ".align")
        {
            if (_scanner.TakeWord() == ".align")
            {
                _scanner.TakeCount();
            }
        }

        string name = _scanner.TakeWord();
        Declare(scope, builder.AddParameter(name, type.Bytes * Length(), Math.Max(alignment, type.Bytes)));
    }

    /// <summary>The length in brackets behind a name: 1 if there is none, and 0 if it is left open.</summary>
    private int Length()
    {
        if (!_scanner.TryTake('['))
        {
            return 1;
        }

        int length = _scanner.Current.Is(']') ? 0 : _scanner.TakeCount();
        _scanner.Expect(']');
        return length * (_scanner.Current.Is('[') ? Length() : 1);
    }

    private (PtxType Type, int Alignment) TypeAndAlignment()
    {
        int alignment = 1;
        string word = _scanner.TakeWord();
        if (word == ".align")
        {
            alignment = _scanner.TakeCount();
            word = _scanner.TakeWord();
        }

        return word[0] == '.' && PtxType.TryParse(word[1..], out var type) ? (type, alignment) : throw _scanner.Error($"'{word}' is no type");
    }

    private void Declare(PtxScope scope, PtxSymbol symbol)
    {
        if (!scope.TryDeclare(symbol))
        {
            throw _scanner.Error($"'{symbol.Name}' is declared twice");
        }
    }

    /// <summary>Reads statements up to the closing brace.</summary>
    private void ParseBody(PtxEntryBuilder builder, PtxScope scope)
    {
        while (!_scanner.TryTake('}'))
        {
            var token = _scanner.Current;
            if (token.Kind == PtxTokenKind.End)
            {
                throw _scanner.Error("a body does not end");
            }

            if (_scanner.TryTake('{'))
            {
                ParseScope(builder, scope, token.Line);
            }
            else if (_scanner.TryTake(';'))
            {
                // An empty statement.
            }
            else if (token.Text[0] == '.')
            {
                ParseDirective(builder, scope);
            }
            else
            {
                ParseInstructionOrLabel(builder, scope);
            }
        }
    }

    private void ParseScope(PtxEntryBuilder builder, PtxScope parent, int line)
    {
        var inner = new PtxScope(parent);
        var enter = new EnterScopeInstruction { Line = line, Text = "{" };
        builder.Code.Add(enter);
        ParseBody(builder, inner);
        enter.Registers = [.. inner.Registers];
        enter.Predicates = [.. inner.Predicates];
        builder.Release(inner);
    }

    private void ParseDirective(PtxEntryBuilder builder, PtxScope scope)
    {
        string word = _scanner.TakeWord();
        switch (word)
        {
            case ".reg":
                ParseRegisters(builder, scope);
                break;
            case ".extern":
                break;
            case ".shared" or ".local":
                foreach (var declare in Variables(word == ".shared" ? PtxSpace.Shared : PtxSpace.Local))
                {
                    declare(builder, scope);
                }

                break;
            case ".loc" or ".file":
                _scanner.SkipLine();
                break;
            case ".pragma":
                _scanner.Take();
                _scanner.Expect(';');
                break;
            default:
                throw _scanner.Error($"the directive '{word}' is not supported");
        }
    }

    private void ParseRegisters(PtxEntryBuilder builder, PtxScope scope)
    {
        var (type, _) = TypeAndAlignment();
        do
        {
            string name = _scanner.TakeWord();
            if (_scanner.TryTake('<'))
            {
                int[] slots = [.. Enumerable.Range(0, _scanner.TakeCount()).Select(_ => Allocate())];
                _scanner.Expect('>');
                Declare(scope, new PtxRegisterRange(name, type, slots));
            }
            else
            {
                Declare(scope, new PtxRegister(name, type, Allocate()));
            }
        }
        while (_scanner.TryTake(','));
        _scanner.Expect(';');

        int Allocate() => type.Kind == PtxKind.Predicate ? builder.AllocatePredicate(scope) : builder.AllocateRegister(scope);
    }

    private List<Action<PtxEntryBuilder, PtxScope>> Variables(PtxSpace space)
    {
        var (type, alignment) = TypeAndAlignment();
        alignment = Math.Max(alignment, type.Bytes);
        List<Action<PtxEntryBuilder, PtxScope>> declarations = [];
        do
        {
            string name = _scanner.TakeWord();
            int bytes = Length() * type.Bytes;
            if (bytes == 0 && space == PtxSpace.Local)
            {
                throw _scanner.Error($"the local variable '{name}' has no size");
            }

            declarations.Add((builder, scope) => Declare(scope, space == PtxSpace.Local
                ? builder.AddLocal(name, bytes, alignment)
                : bytes == 0 ? builder.AddDynamicShared(name, alignment) : builder.AddShared(name, bytes, alignment)));
        }
        while (_scanner.TryTake(','));
        _scanner.Expect(';');
        return declarations;
    }

    private void ParseInstructionOrLabel(PtxEntryBuilder builder, PtxScope scope)
    {
        var token = _scanner.Current;
        if (token.Kind == PtxTokenKind.Word && FollowedByColon(token))
        {
            _scanner.Take();
            _scanner.Expect(':');
            if (_scanner.Current.Text == ".branchtargets")
            {
                _scanner.Take();
                Declare(scope, new PtxBranchTargets(token.Text, [.. TakeList()]));
                _scanner.Expect(';');
            }
            else if (!scope.TryDeclareLabel(token.Text, builder.Code.Count))
            {
                throw _scanner.Error($"the label '{token.Text}' is there twice");
            }

            return;
        }

        builder.Code.Add(PtxDecoder.Decode(builder, scope, PtxStatementReader.Read(_scanner)));
    }

    private bool FollowedByColon(PtxToken token)
    {
        int next = token.Start + token.Text.Length;
        while (next < text.Length && char.IsWhiteSpace(text[next]))
        {
            next++;
        }

        return next < text.Length && text[next] == ':';
    }
}

/// <summary>The labels that <c>brx.idx</c> picks from.</summary>
internal sealed record PtxBranchTargets(string Name, string[] Labels) : PtxSymbol(Name);
