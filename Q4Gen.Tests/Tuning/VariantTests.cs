using Q4Gen.Generator.Emit.Cpu;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;
using Q4Gen.Kernels;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Tuning;

/// <summary>Whatever a tuning file chooses, results are right: every variant, against float64.</summary>
[Trait(Emulated.Trait, Emulated.Never)] // The compiler takes minutes there.
public class VariantTests
{
    private static readonly int[] s_rowCounts = [1, 2, 3, 7, 13, 31];

    /// <summary>Eight panels for kernels that take several, the last one partly filled, and a last step and a last group that are cut.</summary>
    private static readonly Linear4BitShape s_shape = new(78, 125, 24);

    [Theory]
    [InlineData("avx512")]
    [InlineData("avx2")]
    [InlineData("vector128")]
    public void Exact(string isa)
    {
        Run(LayerPrecision.Exact, IsaNames.Find(isa)!.Value, static (data, kernel) => KernelChecks.Check(data, kernel, s_rowCounts));
    }

    [Theory]
    [InlineData("avxvnni")]
    [InlineData("avx512")]
    [InlineData("avx2")]
    [InlineData("vector128")]
    public void Int8(string isa)
    {
        Run(LayerPrecision.Int8Activations, IsaNames.Find(isa)!.Value, static (data, kernel) =>
        {
            foreach (int rows in s_rowCounts)
            {
                float[] x = LayerData.RandomInput(rows * data.Shape.In, seed: 7);
                float[] expected = Int8Reference.Forward(data, x);
                KernelChecks.CheckPlain(data, kernel, x, (y, what) => Assert.True(y.SequenceEqual(expected), what));
            }
        });
    }

    [Fact]
    public void IdsAreDistinctAndTheDefaultIsAmongTheVariants()
    {
        foreach (LayerPrecision precision in (LayerPrecision[])[LayerPrecision.Exact, LayerPrecision.Int8Activations])
        {
            var shape = new LayerShape(4096, 4096, 128, precision);
            KernelPlan plan = KernelPlanner.Plan(shape);
            foreach (IsaPlan isa in plan.Isas)
            {
                foreach (TunedRows rows in Variants.RowsOf(precision))
                {
                    IReadOnlyList<Variant> all = Variants.For(precision, isa.Isa, rows);
                    Assert.Equal(all.Count, all.Select(static variant => variant.Id).Distinct().Count());
                    Assert.Contains(all, variant => KernelPlanner.Vary(shape, isa.Isa, plan.Panels, [variant]) == isa);
                }
            }
        }
    }

    /// <summary>All variants of all rows, several in one kernel class each: far fewer classes, and each variant once at least.</summary>
    private static void Run(LayerPrecision precision, Isa isa, Action<LayerData, Linear4BitKernel> check)
    {
        bool inSoftware = !IsHere(precision, isa);
        var files = new Dictionary<string, string>();
        var names = new List<string>();
        var layer = new LayerShape(s_shape.In, s_shape.Out, s_shape.Group, precision);
        KernelPlan plan = KernelPlanner.Plan(layer);
        foreach (Variant[] variants in Together(precision, isa))
        {
            var machine = new TuningMachine($"v{names.Count}", "", 0, 0, 1, "");
            IsaPlan varied = KernelPlanner.Vary(layer, isa, plan.Panels, variants);
            SourceFile file = CpuEmitter.Emit(plan with { TunedFor = new TunedPlan(machine, varied, EquatableArray<TuningEntry>.Empty) }, varied);
            files.Add(file.HintName, file.Text);
            names.Add(file.HintName[..^".g.cs".Length]);
        }

        using CompiledKernels compiled = CompiledKernels.Compile(files, inSoftware);
        Assert.InRange(names.Count, 6, 100);
        LayerData data = LayerData.Random(s_shape, seed: 5, bias: true);
        foreach (string name in names)
        {
            check(data, compiled.Kernel(name));
        }
    }

    private static IEnumerable<Variant[]> Together(LayerPrecision precision, Isa isa)
    {
        // From how many rows on a kernel packs is checked by all of the row counts; one of each is enough.
        IReadOnlyList<Variant>[] all =
        [
            .. Variants.RowsOf(precision).Select(rows => Variants.For(precision, isa, rows))
                .Select(static variants => variants.DistinctBy(static variant => variant.Id[..Math.Max(variant.Id.LastIndexOf("-from", StringComparison.Ordinal), 0)] is { Length: > 0 } id ? id : variant.Id).ToArray()),
        ];
        int count = all.Max(static variants => variants.Count);
        return Enumerable.Range(0, count).Select(i => all.Where(static variants => variants.Count > 0).Select(variants => variants[i % variants.Count]).ToArray());
    }

    private static bool IsHere(LayerPrecision precision, Isa isa) => isa switch
    {
        Isa.Avx512 when precision == LayerPrecision.Exact => System.Runtime.Intrinsics.X86.Avx512F.IsSupported,
        Isa.Avx512 => System.Runtime.Intrinsics.X86.Avx512BW.IsSupported,
        Isa.AvxVnni => System.Runtime.Intrinsics.X86.AvxVnni.IsSupported,
        Isa.Avx2 => System.Runtime.Intrinsics.X86.Avx2.IsSupported,
        _ => System.Runtime.Intrinsics.Vector128.IsHardwareAccelerated,
    };
}
