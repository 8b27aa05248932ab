using System.CommandLine;
using System.Globalization;
using System.CommandLine.Parsing;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Convert;

/// <summary>The options by which <c>convert</c> and <c>quantize</c> are told how to quantise.</summary>
internal sealed class QuantizationArguments
{
    private const string WholeRow = "row";

    private readonly Option<string?> _group;
    private readonly Option<string> _method;
    private readonly Option<bool> _affine;
    private readonly Option<string?> _importance;
    private readonly Option<string[]> _include;
    private readonly Option<string[]> _exclude;

    public QuantizationArguments(string usualMethod)
    {
        _group = new("--group") { Description = "Columns that share a scale: 32, 64, 128, …, or 'row'. 128; in a GGUF, whose 4-bit blocks have 32, 32.", HelpName = "N|row" };
        _group.Validators.Add(CheckGroup);
        _method = new("--method") { Description = "How scales are found: signed-max, fast, or search, better and 5 to 17 times slower.", HelpName = "METHOD", DefaultValueFactory = _ => usualMethod };
        _method.AcceptOnlyFromAmong(Names.Keys.ToArray());
        _affine = new("--affine") { Description = "Gives each group an offset beside its scale." };
        _importance = new("--importance") { Description = "A safetensors file with an F32 [in] tensor for each layer, by its name: how much an error in each column matters.", HelpName = "FILE" };
        _include = new("--include") { Description = "Quantises only layers whose names match, heads and all. May be given several times.", HelpName = "GLOB", DefaultValueFactory = _ => [] };
        _exclude = new("--exclude") { Description = "Leaves layers whose names match in floats. May be given several times.", HelpName = "GLOB", DefaultValueFactory = _ => [] };
    }

    public static IReadOnlyDictionary<string, QuantizationMethod> Names { get; } = new Dictionary<string, QuantizationMethod>
    {
        ["signed-max"] = QuantizationMethod.SignedMax,
        ["search"] = QuantizationMethod.Search,
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_group);
        command.Options.Add(_method);
        command.Options.Add(_affine);
        command.Options.Add(_importance);
        command.Options.Add(_include);
        command.Options.Add(_exclude);
    }

    /// <summary>Columns that share a scale; null where nothing was said.</summary>
    public int? Group(ParseResult result) => result.GetValue(_group) is not { } text ? null
        : text == WholeRow ? QuantizationOptions.WholeRow
        : int.Parse(text, CultureInfo.InvariantCulture);

    public QuantizationMethod Method(ParseResult result) => Names[result.GetValue(_method)!];

    public bool Affine(ParseResult result) => result.GetValue(_affine);

    public string? Importance(ParseResult result) => result.GetValue(_importance);

    public NameGlobs Globs(ParseResult result) => new(result.GetValue(_include)!, result.GetValue(_exclude)!);

    private static void CheckGroup(OptionResult result)
    {
        string? text = result.GetValueOrDefault<string?>();
        if (text is not (null or WholeRow)
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int group) && group > 0))
        {
            result.AddError($"--group is '{text}', but a positive number such as 128, or '{WholeRow}', is expected.");
        }
    }
}
