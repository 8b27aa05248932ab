using System;
using System.Linq;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Emit.Gpu;

/// <summary>
/// What stands around the body of a kernel for tensor cores: a C# method that hands it to ILGPU as inline PTX, or an entry of PTX
/// that the driver takes as it is. The instructions are the same, to the letter; the body names its arguments as inline PTX
/// does, by number.
/// </summary>
internal static class TensorFrame
{
    /// <summary>The arguments: what a method calls them, the type of their registers, and what is said about them.</summary>
    private static readonly (string Name, string Type, string Bits, string Summary)[] s_arguments =
    [
        ("words", "long", "64", "Address of the weights."),
        ("scales", "long", "64", "Address of the scales."),
        ("bias", "long", "64", "Address of the bias, padded to whole panels."),
        ("x", "long", "64", "Address of x in float16, rows of whole steps, a multiple of 16."),
        ("y", "long", "64", "Address of y, <c>[rows, Out]</c>, a multiple of 16."),
        ("rows", "int", "32", "Rows of x."),
        ("flags", "int", "32", "1: y is float16, else float32. 2: no bias."),
    ];

    /// <summary>What a file with a kernel uses.</summary>
    public static string Using(GpuPlan plan) => plan.IsPtx ? "System" : "ILGPU.Runtime.Cuda";

    /// <summary>Prints a kernel.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="name">The kernel's name.</param>
    /// <param name="summary">What it is for.</param>
    /// <param name="threads">Threads of a group.</param>
    /// <param name="minGroups">Groups that a multiprocessor is to hold.</param>
    /// <param name="body">Prints the instructions.</param>
    public static void Write(SourceWriter writer, GpuPlan plan, string name, string summary, int threads, int minGroups, Action<SourceWriter> body)
    {
        writer.Line($"/// <summary>{summary}</summary>");
        if (plan.IsPtx)
        {
            WriteEntry(writer, name, threads, minGroups, body);
        }
        else
        {
            WriteMethod(writer, name, body);
        }
    }

    private static void WriteMethod(SourceWriter writer, string name, Action<SourceWriter> body)
    {
        foreach ((string argument, _, _, string summary) in s_arguments)
        {
            writer.Line($"/// <param name=\"{argument}\">{summary}</param>");
        }

        using (writer.Block($"public static void {name}({string.Join(", ", s_arguments.Select(static argument => $"{argument.Type} {argument.Name}"))})"))
        {
            writer.Line("CudaAsm.Emit(");
            using (writer.Indent())
            {
                writer.Line("\"\"\"");
                using (writer.Block())
                {
                    body(writer);
                }

                writer.Line("\"\"\",");
                writer.Line($"{string.Join(", ", s_arguments.Select(static argument => argument.Name))});");
            }
        }
    }

    private static void WriteEntry(SourceWriter writer, string name, int threads, int minGroups, Action<SourceWriter> body)
    {
        writer.Line($"public static ReadOnlySpan<byte> {name}() =>");
        using (writer.Indent())
        {
            writer.Line("\"\"\"");
            for (int i = 0; i < s_arguments.Length; i++)
            {
                writer.Line((i == 0 ? $".visible .entry {name}(\n" : "") + $"    .param .u{s_arguments[i].Bits} {s_arguments[i].Name}{(i < s_arguments.Length - 1 ? "," : ")")}");
            }

            writer.Line(SourceWriter.Text($".maxntid {threads}, 1, 1"));
            writer.Line(SourceWriter.Text($".minnctapersm {minGroups}"));
            using (writer.Block())
            {
                foreach (var group in s_arguments.GroupBy(static argument => argument.Bits))
                {
                    writer.Line($".reg .b{group.Key} {string.Join(", ", group.Select(static argument => "%" + argument.Name))};");
                }

                foreach ((string argument, _, string bits, _) in s_arguments)
                {
                    writer.Line($"ld.param.u{bits} %{argument}, [{argument}];");
                }

                writer.Line();
                var inline = new SourceWriter();
                body(inline);
                using (writer.Block())
                {
                    writer.Line(Standalone(inline.ToString().TrimEnd('\n')));
                }

                writer.Line();
                writer.Line("ret;");
            }

            writer.Line("\"\"\"u8;");
        }
    }

    /// <summary>Inline PTX as it stands alone: registers of its own for numbered arguments, and percent signs no longer doubled.</summary>
    private static string Standalone(string inline)
    {
        const string Percent = "\0";
        string text = inline.Replace("%%", Percent);
        for (int i = 0; i < s_arguments.Length; i++)
        {
            text = text.Replace(SourceWriter.Text($"%{i}"), "%" + s_arguments[i].Name);
        }

        return text.Replace(Percent, "%");
    }
}
