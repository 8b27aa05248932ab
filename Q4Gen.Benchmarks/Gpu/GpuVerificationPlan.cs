using Q4Gen.Gpu;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>How many rows of x each way to a kernel is verified with.</summary>
/// <param name="Forward">By the public <c>Forward</c>: the borders of all kernels' ranges.</param>
/// <param name="Direct">The SIMT and the generic kernel, and the plain way.</param>
/// <param name="Shifted">x, y or both not aligned.</param>
/// <param name="NonFinite">NaN and infinity in x.</param>
internal sealed record GpuVerificationPlan(int[] Forward, int[] Direct, int[] Shifted, int[] NonFinite)
{
    private static readonly GpuElement[] s_elements = [GpuElement.Float16, GpuElement.Float32];

    /// <summary>For GPUs.</summary>
    public static GpuVerificationPlan Full { get; } =
        new([1, 2, 8, 9, 16, 33, 64, 65, 130, 512], [1, 2, 9, 33], [1, 9, 65, 130], [1, 33, 130]);

    /// <summary>For the emulated GPU.</summary>
    public static GpuVerificationPlan Tiny { get; } = new([1, 5], [1, 3], [3], [3]);

    /// <summary>The most rows.</summary>
    public int MaxRows => Forward.Concat(Direct).Concat(Shifted).Concat(NonFinite).Max();

    /// <summary>All calls.</summary>
    public IEnumerable<GpuCase> Cases()
    {
        foreach (GpuElement x in s_elements)
        {
            foreach (GpuElement y in s_elements)
            {
                foreach (int rows in Forward)
                {
                    yield return new GpuCase(GpuPath.Forward, x, y, rows);
                }

                // Plain code, so two pairs of types are enough of it.
                foreach (GpuPath path in (GpuPath[])[GpuPath.Simt, GpuPath.Generic, .. x == y ? [GpuPath.Unpacked] : (GpuPath[])[]])
                {
                    foreach (int rows in Direct)
                    {
                        yield return new GpuCase(path, x, y, rows);
                    }
                }

                foreach (int rows in Shifted)
                {
                    yield return new GpuCase(GpuPath.Forward, x, y, rows, XShift: 1);
                    yield return new GpuCase(GpuPath.Forward, x, y, rows, YShift: 1);
                    yield return new GpuCase(GpuPath.Forward, x, y, rows, XShift: 1, YShift: 1);
                }

                foreach (int rows in NonFinite)
                {
                    yield return new GpuCase(GpuPath.Forward, x, y, rows, IsNonFinite: true);
                }
            }
        }
    }
}
