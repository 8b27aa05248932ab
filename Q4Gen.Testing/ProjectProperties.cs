using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Q4Gen.Generator.Parsing;

namespace Q4Gen.Testing;

/// <summary>MSBuild properties as the compiler hands them to generators and analyzers.</summary>
internal sealed class ProjectProperties(ImmutableDictionary<string, string> properties) : AnalyzerConfigOptionsProvider
{
    /// <inheritdoc/>
    public override AnalyzerConfigOptions GlobalOptions { get; } = new Options(properties);

    /// <inheritdoc/>
    public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => GlobalOptions;

    /// <inheritdoc/>
    public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => GlobalOptions;

    private sealed class Options(ImmutableDictionary<string, string> properties) : AnalyzerConfigOptions
    {
        private const string Prefix = "build_property.";

        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value)
        {
            value = null;
            string? list = key == Prefix + ProjectOptions.TargetListProperty ? ProjectOptions.TargetsProperty
                : key == Prefix + ProjectOptions.PtxListProperty ? ProjectOptions.PtxProperty
                : null;
            if (list is not null)
            {
                // As the package's targets hand it on.
                value = properties.GetValueOrDefault(list, "").Replace(';', ',');
                return true;
            }

            return key.StartsWith(Prefix, StringComparison.Ordinal) && properties.TryGetValue(key[Prefix.Length..], out value);
        }
    }
}
