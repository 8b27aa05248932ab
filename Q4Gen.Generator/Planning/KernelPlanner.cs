using System.Collections.Generic;
using System.Linq;
using Q4Gen.Format;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>Decides how the kernels of a shape are built. Pure: the same shape gives the same plan everywhere.</summary>
internal static class KernelPlanner
{
    /// <summary>
    /// A float32 running sum of n terms is off by about 2⁻²⁵·√n of its size, so no more than 256 columns are summed
    /// before they join the total: that keeps the whole layer within 10⁻⁶. For 8-bit activations it is the most
    /// columns that share a scale of x.
    /// </summary>
    private const int MaxBlockSteps = PanelLayout.MaxBlockSteps;

    /// <summary>
    /// Cold weights arrive some 100 ns after they are asked for; at 15 GB/s and four streams a core that is
    /// 400 bytes of each. Ten times that also covers jitter, and was best in measurement.
    /// </summary>
    private const int PrefetchBytes = 4096;

    /// <summary>
    /// 32 registers. Few rows: eight running sums hide the latency of the multiply-add (4 cycles, two a cycle); one row
    /// takes them from four panels, which are also four streams of memory. Many rows: 12 × 2 accumulators leave eight registers for weights; x comes as an embedded broadcast.
    /// </summary>
    private static readonly IsaPlan s_avx512 = new(
        Isa.Avx512,
        new EquatableArray<RowsPlan>([new(4, 1, 2), new(2, 2, 2), new(1, 4, 2)]),
        PrefetchBytes,
        MinPackedRows: 12,
        new TilePlan(Rows: 12, TailRows: 4, Panels: 2, ExpandSteps: 16, UnrolledColumns: 1));

    /// <summary>
    /// 16 registers and two vectors a panel. One row: byte products with three digits of x take fewer instructions than
    /// turning nibbles into floats, and make six 16-bit sums. Four rows share the floats, which then take fewer: eight
    /// running sums. Many: 6 × 2 accumulators, two registers for weights, one for x. A loop over single columns is 24
    /// instructions, and takes 8 to 15 % longer where its method happens to begin at a multiple of 64 bytes; one over two is no
    /// matter of luck.
    /// </summary>
    private static readonly IsaPlan s_avx2 = new(
        Isa.Avx2,
        new EquatableArray<RowsPlan>([new(4, 1, 1), new(1, 1, 1, IsFixedPoint: true)]),
        PrefetchBytes,
        MinPackedRows: 18,
        new TilePlan(Rows: 6, TailRows: 3, Panels: 1, ExpandSteps: 64, UnrolledColumns: 2));

    /// <summary>Four vectors a panel; Arm has 32 registers, SSE 16. One row: two sums for each are eight.</summary>
    private static readonly IsaPlan s_vector128 = new(
        Isa.Vector128,
        new EquatableArray<RowsPlan>([new(1, 1, 2)]),
        PrefetchBytes: 2048,
        MinPackedRows: 4,
        new TilePlan(Rows: 4, TailRows: 4, Panels: 1, ExpandSteps: 32, UnrolledColumns: 1));

    /// <summary>Plans the kernels of <paramref name="shape"/> for every instruction set, without tuning.</summary>
    public static KernelPlan Plan(LayerShape shape) => Plan(KernelRequest.Of(shape));

    /// <summary>Plans the kernels that a project wants.</summary>
    public static KernelPlan Plan(KernelRequest request)
    {
        LayerShape shape = request.Shape;
        IsaPlan[] defaults = Defaults(shape).Where(isa => request.Targets.Contains(IsaNames.NameOf(isa.Isa))).ToArray();
        var plan = new KernelPlan(shape, MaxBlockSteps, EquatableArray<IsaPlan>.Empty, EquatableArray<TunedPlan>.Empty);
        return plan with
        {
            Isas = defaults.Select(isa => isa.Within(plan.Panels)).ToEquatableArray(),
            BlockSteps = shape.Precision == LayerPrecision.Int8Activations
                ? System.Math.Min(plan.GroupSteps, MaxBlockSteps)
                : BlockSteps(plan.GroupSteps),
            Tuned = defaults.SelectMany(isa => request.Choices.SelectMany(machine => Tune(shape, isa, machine, plan.Panels))).ToEquatableArray(),
        };
    }

    /// <summary>The instruction sets that a shape has vector kernels for.</summary>
    public static IEnumerable<Isa> IsasOf(LayerShape shape) => Defaults(shape).Select(static isa => isa.Isa);

    /// <summary>The kernels of one instruction set with variants in place of what is planned for everyone.</summary>
    public static IsaPlan Vary(LayerShape shape, Isa isa, int panels, IEnumerable<Variant> variants) =>
        variants.Aggregate(Defaults(shape).Single(plan => plan.Isa == isa), static (plan, variant) => variant.Apply(plan)).Within(panels);

    /// <summary>What a machine chose for an instruction set; a choice that no kernel has is the analyzer's to report, and left out here.</summary>
    private static IEnumerable<TunedPlan> Tune(LayerShape shape, IsaPlan isa, MachineChoices machine, int panels)
    {
        TuningEntry[] choices = machine.Entries.Where(entry => entry.Isa == IsaNames.NameOf(isa.Isa)).ToArray();
        if (choices.Length == 0)
        {
            yield break;
        }

        IEnumerable<Variant> variants = choices
            .Select(entry => Variants.Find(shape.Precision, isa.Isa, entry.Rows, entry.Variant))
            .OfType<Variant>();
        yield return new TunedPlan(machine.Machine, Vary(shape, isa.Isa, panels, variants), choices.ToEquatableArray());
    }

    private static IsaPlan[] Defaults(LayerShape shape) =>
        !HasVectorKernels(shape) ? []
        : shape.Precision == LayerPrecision.Int8Activations ? Int8Plans.All
        : [s_avx512, s_avx2, s_vector128];

    /// <summary>Whether groups are whole steps, so that a vector of columns never straddles two scales.</summary>
    public static bool HasVectorKernels(LayerShape shape) =>
        shape.Group % PanelLayout.StepColumns == 0 || shape.Group >= shape.In;

    /// <summary>The longest block that divides a group; the maximum, cut at the group's end, where only slivers divide it.</summary>
    private static int BlockSteps(int groupSteps)
    {
        for (int steps = MaxBlockSteps; steps >= MaxBlockSteps / 4; steps--)
        {
            if (groupSteps % steps == 0)
            {
                return steps;
            }
        }

        return System.Math.Min(groupSteps, MaxBlockSteps);
    }
}
