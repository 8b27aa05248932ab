using System.Globalization;
using Q4Gen.Kernels;

namespace Q4Gen.Tests.Tuning;

/// <summary>Tuning files for tests, as text.</summary>
internal static class TuningText
{
    public const string FileName = "/src/App/q4gen.tuning.json";

    /// <summary>The machine that runs the tests, by the name that kernels for it carry.</summary>
    public static string ThisMachine(string id = "here") => Machine(id, TargetMachine.Vendor, TargetMachine.Family, TargetMachine.Model, Linear4BitThreads.Count, TargetMachine.Rid);

    /// <summary>A machine that there is none of.</summary>
    public static string OtherMachine(string id = "elsewhere") => Machine(id, "GenuineNone", 99, 1, 7, "linux-x64");

    public static string Machine(string id, string vendor, int family, int model, int threads, string rid) => string.Create(
        CultureInfo.InvariantCulture,
        $$"""{ "id": "{{id}}", "vendor": "{{vendor}}", "family": {{family}}, "model": {{model}}, "threads": {{threads}}, "rid": "{{rid}}" }""");

    public static string Entry(string layer, string isa, string rows, string variant, string machine = "here") =>
        $$"""{ "layer": "{{layer}}", "isa": "{{isa}}", "machine": "{{machine}}", "rows": "{{rows}}", "variant": "{{variant}}" }""";

    /// <summary>A file with machines first and entries behind, each on a line of its own.</summary>
    public static string File(string[] machines, params string[] entries) =>
        $"{{\n  \"schema\": 1,\n  \"machines\": [\n    {string.Join(",\n    ", machines)}\n  ],\n  \"entries\": [\n    {string.Join(",\n    ", entries)}\n  ]\n}}\n";
}
