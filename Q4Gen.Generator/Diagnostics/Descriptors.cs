using System.Collections.Immutable;
using Microsoft.CodeAnalysis;

namespace Q4Gen.Generator.Diagnostics;

/// <summary>Every diagnostic. An id is permanent: once shipped it is never renumbered and never reused.</summary>
internal static class Descriptors
{
    /// <summary>Each diagnostic has a page <c>{id}.md</c> here.</summary>
    public const string HelpLinkBase = "https://github.com/q4gen/q4gen/blob/main/docs/diagnostics/";

    private const string Category = "Q4Gen";

    public static readonly DiagnosticDescriptor ClassNotPartial = Error(
        "Q4G0001",
        "A class with [Linear4Bit] must be partial",
        "'{0}' has [Linear4Bit] but is not partial; write 'partial class {0}'");

    public static readonly DiagnosticDescriptor PropertyNotPartial = Error(
        "Q4G0002",
        "A property with [Linear4Bit] must be partial",
        "'{0}' has [Linear4Bit] but is not partial; write 'partial Linear4Bit {0} {{ get; }}'");

    public static readonly DiagnosticDescriptor ContainingTypeNotPartial = Error(
        "Q4G0003",
        "A type that holds 4-bit layers, and every type around it, must be partial",
        "'{0}' must be partial for '{1}' to be generated; write 'partial {2} {0}'");

    public static readonly DiagnosticDescriptor NotPositive = Error(
        "Q4G0004",
        "In, Out and Group must be positive",
        "{0} of '{1}' is {2}; give the {3}, such as '{0} = {4}'");

    public static readonly DiagnosticDescriptor OddIn = Error(
        "Q4G0005",
        "In must be even",
        "In of '{0}' is {1}, but a byte of packed weights holds two columns; write an even number, such as 'In = {2}' with a column of zeros");

    public static readonly DiagnosticDescriptor ScalarGroup = Info(
        "Q4G0006",
        "A group that is no multiple of 8 runs on the scalar kernel",
        "Group = {1} of '{0}' is no multiple of 8, so the scalar kernel runs it; a multiple of 8, such as 'Group = {2}', gets vector kernels");

    public static readonly DiagnosticDescriptor GroupLargerThanIn = Info(
        "Q4G0007",
        "A group larger than In means one scale a row",
        "Group = {1} of '{0}' is larger than In = {2}, so each row has one scale; write 'Group = {2}' if that is meant");

    public static readonly DiagnosticDescriptor WrongPropertyType = Error(
        "Q4G0008",
        "A property with [Linear4Bit] must be of type Linear4Bit",
        "'{0}' has [Linear4Bit] but is of type '{1}'; write 'Linear4Bit {0}' or 'Linear4Bit? {0}'");

    public static readonly DiagnosticDescriptor UnusableProperty = Error(
        "Q4G0009",
        "A property with [Linear4Bit] must belong to an instance and be readable",
        "'{0}' has [Linear4Bit] but is {1}; write 'partial Linear4Bit {2} {{ get; }}'");

    public static readonly DiagnosticDescriptor PropertyHasBody = Error(
        "Q4G0010",
        "A property with [Linear4Bit] must have no body and no initializer",
        "'{0}' has [Linear4Bit], so Q4Gen writes its accessors, but it already has {1}; write 'partial Linear4Bit {0} {{ get; }}'");

    public static readonly DiagnosticDescriptor UnusableClass = Error(
        "Q4G0011",
        "A class with [Linear4Bit] must be free to derive from Linear4Bit",
        "'{0}' has [Linear4Bit] and so derives from Linear4Bit, but it {1}; {2}");

    public static readonly DiagnosticDescriptor DuplicateTensorName = Error(
        "Q4G0012",
        "Two members of one model have the same tensor name",
        "'{0}' and '{1}' of '{2}' both load from '{3}'; give one another name with {4}");

    public static readonly DiagnosticDescriptor LanguageTooOld = Error(
        "Q4G0013",
        "Q4Gen needs C# 13 or later",
        "'{0}' needs generated code in C# 13, but the project compiles C# {1}; write '<LangVersion>13</LangVersion>' or later, or remove LangVersion, in the project file");

    public static readonly DiagnosticDescriptor UnusableContainer = Error(
        "Q4G0014",
        "A type that holds 4-bit layers must be one that can be filled",
        "'{0}' holds 4-bit layers but {1}; {2}");

    public static readonly DiagnosticDescriptor NameOnClass = Error(
        "Q4G0015",
        "Name has no meaning on a class",
        "'{0}' is a layer class, and whoever loads it names it; remove 'Name = \"{1}\"', and put [WeightName(\"{1}\")] on the member that holds it");

    public static readonly DiagnosticDescriptor TooLarge = Error(
        "Q4G0016",
        "A layer's packed weights and scales must each stay below 2 GiB",
        "'{0}' takes {1} bytes of packed {2}, and one layer can address {3}; split it into layers with a smaller Out, such as 'Out = {4}'");

    public static readonly DiagnosticDescriptor UnloadableChild = Error(
        "Q4G0017",
        "A member that holds 4-bit layers must be one that can be filled",
        "'{0}' cannot be loaded: {1}; {2}");

    public static readonly DiagnosticDescriptor CyclicChild = Error(
        "Q4G0018",
        "Types that hold each other need [WeightName]",
        "'{0}' is of type '{1}', which leads back to '{2}', so it is unclear which holds which; put '[WeightName(\"{3}\")]' on the member whose tensors are in the file");

    public static readonly DiagnosticDescriptor UnknownPrecision = Error(
        "Q4G0019",
        "Precision must be a member of Linear4BitPrecision",
        "Precision of '{0}' is {1}, which Linear4BitPrecision does not have; write 'Precision = Linear4BitPrecision.Exact' or 'Precision = Linear4BitPrecision.Int8Activations'");

    public static readonly DiagnosticDescriptor UnknownProjectPrecision = Error(
        "Q4G0020",
        "The MSBuild property Q4GenPrecision must name a precision",
        "The MSBuild property Q4GenPrecision is '{0}'; write '<Q4GenPrecision>Exact</Q4GenPrecision>' or '<Q4GenPrecision>Int8Activations</Q4GenPrecision>' in the project file");

    public static readonly DiagnosticDescriptor GpuPrecision = Info(
        "Q4G0021",
        "8-bit activations have no meaning on a GPU",
        "'{0}' rounds activations to 8 bits on the processor only; on a GPU, whose kernels this project also gets, they stay float16 or float32 as they come");

    public static readonly DiagnosticDescriptor UnknownTuningMode = Error(
        "Q4G0022",
        "The MSBuild property Q4GenTuning must be Off, Prefer or Require",
        "The MSBuild property Q4GenTuning is '{0}'; write '<Q4GenTuning>Off</Q4GenTuning>', '<Q4GenTuning>Prefer</Q4GenTuning>' or '<Q4GenTuning>Require</Q4GenTuning>' in the project file");

    public static readonly DiagnosticDescriptor UnknownTarget = Error(
        "Q4G0023",
        "The MSBuild property Q4GenTargets must name instruction sets",
        "The MSBuild property Q4GenTargets names '{0}', which is no instruction set of Q4Gen's; write some of {1}, separated by semicolons");

    public static readonly DiagnosticDescriptor MalformedTuning = Error(
        "Q4G0024",
        "A tuning file must be one that can be read",
        "The tuning file cannot be read: {0}; correct it, or have 'q4gen tune' write it anew");

    public static readonly DiagnosticDescriptor UnknownTuningSchema = Error(
        "Q4G0025",
        "A tuning file must be of a schema that this version of Q4Gen reads",
        "The tuning file has schema {0}, and this version of Q4Gen reads schema 1; use the q4gen tool and the Q4Gen package of one version, and run 'q4gen tune' again");

    public static readonly DiagnosticDescriptor StaleTuning = Warning(
        "Q4G0026",
        "An entry of a tuning file is for a layer that the project does not have",
        "No layer of this project is a '{0}', so this entry has no effect; remove it, as 'q4gen tune' does");

    public static readonly DiagnosticDescriptor UnknownTunedKernel = Error(
        "Q4G0027",
        "An entry of a tuning file must be for a kernel that exists",
        "There is no such kernel: {0}; correct the entry, or remove it and run 'q4gen tune' again");

    public static readonly DiagnosticDescriptor MissingTuning = Error(
        "Q4G0028",
        "With Q4GenTuning set to Require, every layer must have been tuned",
        "Q4GenTuning is Require, but {0}; run 'q4gen tune', or write '<Q4GenTuning>Prefer</Q4GenTuning>' in the project file");

    public static readonly DiagnosticDescriptor UnknownPtxTarget = Error(
        "Q4G0029",
        "The MSBuild property Q4GenPtx must name GPU architectures",
        "The MSBuild property Q4GenPtx names '{0}', for which Q4Gen compiles no kernels; write some of {1}, separated by semicolons");

    /// <summary>All of them.</summary>
    public static readonly ImmutableArray<DiagnosticDescriptor> All =
    [
        ClassNotPartial, PropertyNotPartial, ContainingTypeNotPartial, NotPositive, OddIn, ScalarGroup, GroupLargerThanIn,
        WrongPropertyType, UnusableProperty, PropertyHasBody, UnusableClass, DuplicateTensorName, LanguageTooOld,
        UnusableContainer, NameOnClass, TooLarge, UnloadableChild, CyclicChild, UnknownPrecision, UnknownProjectPrecision,
        GpuPrecision, UnknownTuningMode, UnknownTarget, MalformedTuning, UnknownTuningSchema, StaleTuning, UnknownTunedKernel, MissingTuning,
        UnknownPtxTarget,
    ];

    private static DiagnosticDescriptor Error(string id, string title, string message) => Create(id, title, message, DiagnosticSeverity.Error);

    private static DiagnosticDescriptor Warning(string id, string title, string message) => Create(id, title, message, DiagnosticSeverity.Warning);

    private static DiagnosticDescriptor Info(string id, string title, string message) => Create(id, title, message, DiagnosticSeverity.Info);

    private static DiagnosticDescriptor Create(string id, string title, string message, DiagnosticSeverity severity) =>
        new(id, title, message, Category, severity, isEnabledByDefault: true, helpLinkUri: HelpLinkBase + id + ".md");
}
