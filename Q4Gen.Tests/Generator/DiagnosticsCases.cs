namespace Q4Gen.Tests.Generator;

/// <summary>For each diagnostic, programs that have it, and the nearest ones that do not.</summary>
/// <param name="Id">The diagnostic.</param>
/// <param name="Firing">A program that has it once.</param>
/// <param name="Message">What its message must say.</param>
/// <param name="Silent">The program as the message asks for it: it has no diagnostic at all.</param>
public sealed record DiagnosticsCase(string Id, string Firing, string Message, string Silent)
{
    private const string Child =
        "public partial class C { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Proj { get; } }\n";

    private const string ChildStruct =
        "public partial struct C { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Proj { get; } }\n";

    /// <summary>All cases.</summary>
    public static IReadOnlyList<DiagnosticsCase> All { get; } =
    [
        new(
            "Q4G0001",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public class Gate;",
            "'Gate' has [Linear4Bit] but is not partial; write 'partial class Gate'",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate;"),
        new(
            "Q4G0002",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public Linear4Bit Gate { get; } }",
            "write 'partial Linear4Bit Gate { get; }'",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0003",
            "public record struct Outer { public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } } }",
            "'Outer' must be partial for 'A' to be generated; write 'partial record struct Outer'",
            "public partial record struct Outer { public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } } }"),
        new(
            "Q4G0003",
            "public class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }",
            "'A' must be partial for 'Gate' to be generated; write 'partial class A'",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0004",
            "[Linear4Bit(Out = 16, Group = 8)] public partial class Gate;",
            "In of 'Gate' is missing; give the number of input features, such as 'In = 4096'",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate;"),
        new(
            "Q4G0004",
            "public partial class A { [Linear4Bit(In = 8, Out = -1, Group = 8)] public partial Linear4Bit Gate { get; } }",
            "Out of 'Gate' is -1; give the number of output features",
            "public partial class A { [Linear4Bit(In = 8, Out = 1, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0004",
            "[Linear4Bit(In = 8, Out = 16, Group = 0)] public partial class Gate;",
            "Group of 'Gate' is 0",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate;"),
        new(
            "Q4G0005",
            "[Linear4Bit(In = 9, Out = 16, Group = 8)] public partial class Gate;",
            "write an even number, such as 'In = 10'",
            "[Linear4Bit(In = 10, Out = 16, Group = 8)] public partial class Gate;"),
        new(
            "Q4G0006",
            "[Linear4Bit(In = 24, Out = 16, Group = 12)] public partial class Gate;",
            "a multiple of 8, such as 'Group = 16', gets vector kernels",
            "[Linear4Bit(In = 24, Out = 16, Group = 16)] public partial class Gate;"),
        new(
            "Q4G0006",
            "[Linear4Bit(In = 14, Out = 16, Group = 13)] public partial class Gate;",
            "'Group = 16'",
            "[Linear4Bit(In = 14, Out = 16, Group = 14)] public partial class Gate;"),
        new(
            "Q4G0007",
            "[Linear4Bit(In = 64, Out = 16)] public partial class Gate;",
            "Group = 128 of 'Gate' is larger than In = 64, so each row has one scale; write 'Group = 64'",
            "[Linear4Bit(In = 64, Out = 16, Group = 64)] public partial class Gate;"),
        new(
            "Q4G0008",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial object Gate { get; } }",
            "is of type 'object'; write 'Linear4Bit Gate' or 'Linear4Bit? Gate'",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit? Gate { get; } }"),
        new(
            "Q4G0009",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public static partial Linear4Bit Gate { get; } }",
            "'Gate' has [Linear4Bit] but is static",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0009",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { set; } }",
            "'Gate' has [Linear4Bit] but is write-only",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; set; } }"),
        new(
            "Q4G0009",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit this[int i] { get; } }",
            "'this[]' has [Linear4Bit] but is an indexer; write 'partial Linear4Bit Layer { get; }'",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Layer { get; } }"),
        new(
            "Q4G0010",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public Linear4Bit Gate => null!; }",
            "but it already has a body; write 'partial Linear4Bit Gate { get; }'",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0010",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public Linear4Bit Gate { get; set; } = null!; }",
            "but it already has an initializer",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; set; } }"),
        new(
            "Q4G0010",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } public partial Linear4Bit Gate { get => null!; } }",
            "but it already has an implementing part",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0011",
            "public class B; [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate : B;",
            "it derives from 'B'; remove that base",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate : Linear4Bit;"),
        new(
            "Q4G0011",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial record Gate;",
            "it is a record, which can derive only from records; write 'partial class Gate'",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate;"),
        new(
            "Q4G0011",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public abstract partial class Gate;",
            "it is abstract, so that Load could not create one; remove 'abstract'",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate;"),
        new(
            "Q4G0011",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate(int x) { public int X => x; }",
            "it has a primary constructor",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate { public int X => 1; }"),
        new(
            "Q4G0012",
            """
            public partial class A
            {
                [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit GateProj { get; }
                [Linear4Bit(In = 8, Out = 16, Group = 8, Name = "gate_proj")] public partial Linear4Bit Gate { get; }
            }
            """,
            "'GateProj' and 'Gate' of 'A' both load from 'gate_proj'; give one another name with 'Name = \"…\"' in its attribute",
            """
            public partial class A
            {
                [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit GateProj { get; }
                [Linear4Bit(In = 8, Out = 16, Group = 8, Name = "other_proj")] public partial Linear4Bit Gate { get; }
            }
            """),
        new(
            "Q4G0012",
            Child + "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } [WeightName(\"gate\")] public C C { get; set; } = new(); }",
            "give one another name with [WeightName(\"…\")]",
            Child + "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } [WeightName(\"\")] public C C1 = new(); [WeightName(\"\")] public C C2 = new(); }"),
        new(
            "Q4G0014",
            "public readonly partial struct A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }",
            "is a readonly struct, so that a load cannot assign them; remove 'readonly'",
            "public partial struct A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0014",
            "public ref partial struct A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }",
            "is a ref struct",
            "public partial struct A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0014",
            "file partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }",
            "is local to its file, so that no generated file can add to it; remove 'file'",
            "partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0014",
            """
            [Linear4Bit(In = 8, Out = 16, Group = 8)]
            public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }
            """,
            "is itself a layer, whose Load makes a new one; hold them in a class of their own",
            "public partial class A { [Linear4Bit(In = 8, Out = 16, Group = 8)] public partial Linear4Bit Gate { get; } }"),
        new(
            "Q4G0014",
            "public class B : ILinear4BitModel { void ILinear4BitModel.LoadFrom(ModelLoad load, string prefix) { } } [Linear4BitModel] public partial class A : B;",
            "its base 'B' implements ILinear4BitModel explicitly",
            "public class B : ILinear4BitModel { public void LoadFrom(ModelLoad load, string prefix) { } } [Linear4BitModel] public partial class A : B;"),
        new(
            "Q4G0015",
            "[Linear4Bit(In = 8, Out = 16, Group = 8, Name = \"gate\")] public partial class Gate;",
            "remove 'Name = \"gate\"', and put [WeightName(\"gate\")] on the member that holds it",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate; [Linear4BitModel] public partial class A { [WeightName(\"gate\")] public Gate? G; }"),
        new(
            "Q4G0016",
            "[Linear4Bit(In = 65536, Out = 65536, Group = 128)] public partial class Gate;",
            "takes 2147483648 bytes of packed weights, and one layer can address 2147483647; split it into layers with a smaller Out, such as 'Out = 65520'",
            "[Linear4Bit(In = 65536, Out = 65520, Group = 128)] public partial class Gate;"),
        new(
            "Q4G0016",
            "[Linear4Bit(In = 32768, Out = 32768, Group = 1)] public partial class Gate;",
            "bytes of packed scales",
            "[Linear4Bit(In = 32768, Out = 32768, Group = 8)] public partial class Gate;"),
        new(
            "Q4G0017",
            ChildStruct + "[Linear4BitModel] public partial class A { public readonly C C; }",
            "'C' cannot be loaded: it is a struct that cannot be assigned; remove 'readonly'",
            ChildStruct + "[Linear4BitModel] public partial class A { public C C; }"),
        new(
            "Q4G0017",
            ChildStruct + "[Linear4BitModel] public partial class A { public C? C { get; set; } }",
            "a nullable struct cannot be filled in place; write 'C' without the question mark",
            ChildStruct + "[Linear4BitModel] public partial class A { public C C { get; set; } }"),
        new(
            "Q4G0017",
            ChildStruct + "[Linear4BitModel] public partial class A { public System.Collections.Generic.IReadOnlyList<C> C { get; set; } = null!; }",
            "the structs in an IReadOnlyList cannot be filled in place; write 'C[]'",
            ChildStruct + "[Linear4BitModel] public partial class A { public C[] C { get; set; } = null!; }"),
        new(
            "Q4G0017",
            Child + "[Linear4BitModel] public partial class A { public C[][] C { get; set; } = null!; }",
            "a load cannot fill a 'C[][]'; write 'C[]', 'List<C>' or 'IReadOnlyList<C>'",
            Child + "[Linear4BitModel] public partial class A { public C[] C { get; set; } = null!; }"),
        new(
            "Q4G0017",
            Child + "[Linear4BitModel] public partial class A { public System.Collections.Generic.HashSet<C> C { get; set; } = null!; }",
            "write 'C[]', 'List<C>' or 'IReadOnlyList<C>'",
            Child + "[Linear4BitModel] public partial class A { public System.Collections.Generic.IReadOnlyList<C> C { get; set; } = null!; }"),
        new(
            "Q4G0017",
            "[Linear4BitModel] public partial class A { [WeightName(\"c\")] public object C { get; set; } = null!; }",
            "it has [WeightName], but its type 'object' holds no layers",
            "[Linear4BitModel] public partial class A { public object C { get; set; } = null!; }"),
        new(
            "Q4G0017",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate; [Linear4BitModel] public partial class A { public Gate? Gate { get; } }",
            "loading makes a new layer, which cannot be assigned; write '{ get; set; }'",
            "[Linear4Bit(In = 8, Out = 16, Group = 8)] public partial class Gate; [Linear4BitModel] public partial class A { public Gate? Gate { get; private set; } }"),
        new(
            "Q4G0018",
            """
            [Linear4BitModel] public partial class Model { [WeightName("layers")] public Block[] Layers { get; set; } = null!; }
            [Linear4BitModel] public partial class Block { public Model? Parent { get; set; } public Attention A { get; set; } = new(); }
            [Linear4BitModel] public partial class Attention { public Block? Block { get; set; } }
            """,
            "leads back to",
            """
            [Linear4BitModel] public partial class Model { [WeightName("layers")] public Block[] Layers { get; set; } = null!; }
            [Linear4BitModel] public partial class Block { public Model? Parent { get; set; } [WeightName("a")] public Attention A { get; set; } = new(); }
            [Linear4BitModel] public partial class Attention { public Block? Block { get; set; } public Attention? Self { get; set; } }
            """),
        new(
            "Q4G0019",
            "[Linear4Bit(In = 8, Out = 16, Group = 8, Precision = (Linear4BitPrecision)7)] public partial class Gate;",
            "is 7, which Linear4BitPrecision does not have; write 'Precision = Linear4BitPrecision.Exact'",
            "[Linear4Bit(In = 8, Out = 16, Group = 8, Precision = Linear4BitPrecision.Int8Activations)] public partial class Gate;"),
    ];
}
