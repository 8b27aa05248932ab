using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Parsing;
using Q4Gen.Generator.Parsing.Tuning;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Diagnostics;

/// <summary>Compares a tuning file with the layers of the program that it is for.</summary>
internal static class TuningChecks
{
    /// <summary>Reports what is wrong with the tuning of a program; nothing where tuning is off.</summary>
    public static void Check(Compilation compilation, AnalyzerOptions analyzer, Report report, CancellationToken cancellation)
    {
        AnalyzerConfigOptions properties = analyzer.AnalyzerConfigOptionsProvider.GlobalOptions;
        ProjectOptions options = ProjectOptions.Read(properties, report: null);
        AdditionalText[] files = [.. TuningFile.All(analyzer.AdditionalFiles)];
        if (options.Tuning == TuningMode.Off || (files.Length == 0 && options.Tuning != TuningMode.Require))
        {
            return;
        }

        LayerShape[] shapes = [.. LayerShapes.Of(new TypeParser().Parse(compilation, cancellation), options.Precision)];
        if (files.Length == 0)
        {
            if (shapes.Any(KernelPlanner.HasVectorKernels))
            {
                report(Descriptors.MissingTuning, ProjectOptions.ProjectFile(properties), $"the project has no tuning file ({TuningFile.FileName} beside the project file)");
            }

            return;
        }

        foreach (AdditionalText other in files.Skip(1))
        {
            report(Descriptors.MalformedTuning, Location.Create(other.Path, default, default), $"'{files[0].Path}' is the project's tuning file, and a project has one");
        }

        if (files[0].GetText(cancellation) is { } text && TuningFile.Parse(files[0].Path, text, report) is { } file)
        {
            CheckEntries(file, shapes, report);
            if (options.Tuning == TuningMode.Require)
            {
                CheckComplete(file, shapes.Where(KernelPlanner.HasVectorKernels), options.Targets, report);
            }
        }
    }

    private static void CheckEntries(TuningFile file, LayerShape[] shapes, Report report)
    {
        foreach ((TuningEntry entry, int position) in file.Entries)
        {
            if (WhyUnknown(entry) is { } why)
            {
                report(Descriptors.UnknownTunedKernel, file.At(position), why);
            }
            else if (!shapes.Any(shape => shape.LayerName == entry.Layer))
            {
                report(Descriptors.StaleTuning, file.At(position), entry.Layer);
            }
        }
    }

    /// <summary>Why no kernel can be what an entry asks for; null where one is.</summary>
    private static string? WhyUnknown(TuningEntry entry)
    {
        if (LayerShape.Find(entry.Layer) is not { } shape)
        {
            return $"'{entry.Layer}' is no layer; layers are written like 4096x11008_g128 or 4096x11008_g128_int8";
        }

        if (IsaNames.Find(entry.Isa) is not { } isa || !KernelPlanner.IsasOf(shape).Contains(isa))
        {
            string[] known = [.. KernelPlanner.IsasOf(shape).Select(IsaNames.NameOf)];
            return known.Length == 0
                ? $"'{entry.Layer}' has no vector kernels, and so nothing to tune"
                : $"'{entry.Layer}' has no kernels in '{entry.Isa}', but in {string.Join(", ", known)}";
        }

        if (!Variants.RowsOf(shape.Precision).Contains(entry.Rows))
        {
            return $"kernels with 8-bit activations have no choice for '{KernelFile.RowsName(entry.Rows)}' rows, but for 'one' and 'many'";
        }

        return entry.Variant == TuningEntry.Default || Variants.Find(shape.Precision, isa, entry.Rows, entry.Variant) is not null
            ? null
            : $"'{entry.Variant}' is no variant for {KernelFile.RowsName(entry.Rows)} rows in {entry.Isa}; one is '{Variants.For(shape.Precision, isa, entry.Rows)[0].Id}'";
    }

    /// <summary>Every machine must have tuned every layer in one instruction set at least, and that one for all rows.</summary>
    private static void CheckComplete(TuningFile file, IEnumerable<LayerShape> shapes, EquatableArray<string> targets, Report report)
    {
        foreach (LayerShape shape in shapes)
        {
            string[] isas = [.. KernelPlanner.IsasOf(shape).Select(IsaNames.NameOf).Intersect(targets)];
            if (isas.Length > 0 && file.Machines.Count == 0)
            {
                report(Descriptors.MissingTuning, file.At(0), "the tuning file has no machine");
                return;
            }

            foreach ((TuningMachine machine, int position) in isas.Length == 0 ? [] : file.Machines)
            {
                ILookup<string, TunedRows> tuned = file.Entries
                    .Where(item => item.Entry.Layer == shape.LayerName && item.Entry.Machine == machine.Id)
                    .ToLookup(static item => item.Entry.Isa, static item => item.Entry.Rows, StringComparer.Ordinal);
                string[] found = [.. isas.Where(tuned.Contains)];
                string[] missing = found.Length == 0
                    ? [$"'{shape.LayerName}' in {string.Join(" or ", isas)}"]
                    : [.. from isa in found
                          from rows in Variants.RowsOf(shape.Precision).Except(tuned[isa])
                          select $"{KernelFile.RowsName(rows)} rows of '{shape.LayerName}' in {isa}"];
                if (missing.Length > 0)
                {
                    report(Descriptors.MissingTuning, file.At(position), $"there is no entry of '{machine.Id}' for {string.Join(", ", missing)}");
                }
            }
        }
    }
}
