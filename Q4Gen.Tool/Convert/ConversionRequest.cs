using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Convert;

/// <summary>What a command line asks <see cref="Conversion"/> for.</summary>
internal sealed record ConversionRequest(
    string Input,
    string Output,
    int? Group,
    QuantizationMethod Method,
    bool Affine,
    string? Importance,
    NameGlobs Globs,
    bool HuggingFaceNames,
    bool Force);
