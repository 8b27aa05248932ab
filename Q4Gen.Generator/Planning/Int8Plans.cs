using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Planning;

/// <summary>
/// The plans for 8-bit activations. Unpacking a vector of words costs three instructions, which rows of x share, so
/// kernels take as many rows as registers hold integer sums for. Float totals are touched once a block and may lie on
/// the stack.
/// </summary>
internal static class Int8Plans
{
    /// <summary>As for exact kernels: cold weights are asked for well before they are needed.</summary>
    private const int PrefetchBytes = 4096;

    /// <summary>
    /// From here on rounding x costs as much as handing it to a second thread: some 0.2 µs for a row of 1,024
    /// columns against 1 µs.
    /// </summary>
    private const int MinPackedRows = 4;

    /// <summary>
    /// 16 registers: 10 sums, two vectors of even and two of odd nibbles, two of x; the mask is read from memory. Five
    /// rows are also as many as it takes to hide two dot products of five cycles, one after the other. One row: four
    /// panels, eight sums.
    /// </summary>
    private static readonly IsaPlan s_avxVnni = Create(Isa.AvxVnni, PrefetchBytes, [new(5, 1, 1), new(4, 1, 1), new(2, 2, 1), new(1, 4, 1)]);

    /// <summary>A vector is a whole panel; unpacking it costs three instructions, a row five, so that more rows save little.</summary>
    private static readonly IsaPlan s_avx512 = Create(Isa.Avx512, PrefetchBytes, [new(4, 1, 1), new(2, 2, 1), new(1, 4, 1)]);

    /// <summary>
    /// 16 registers: eight sums, four vectors of nibbles, two of x, one of products and the ones that widen them. One row: four
    /// panels, which are four streams of memory, each asked for less far ahead.
    /// </summary>
    private static readonly IsaPlan s_avx2 = Create(Isa.Avx2, prefetchBytes: 1024, [new(4, 1, 1), new(2, 1, 1), new(1, 4, 1)]);

    /// <summary>32 registers and four vectors a panel: 16 sums, eight vectors of nibbles, two of x.</summary>
    private static readonly IsaPlan s_dp = Create(Isa.Dp, prefetchBytes: 2048, [new(4, 1, 1), new(2, 1, 1), new(1, 1, 1)]);

    /// <summary>No dot products, so that more rows at a time save little.</summary>
    private static readonly IsaPlan s_vector128 = Create(Isa.Vector128, prefetchBytes: 2048, [new(1, 1, 1)]);

    /// <summary>All of them, best first.</summary>
    public static readonly IsaPlan[] All = [s_avxVnni, s_dp, s_avx512, s_avx2, s_vector128];

    private static IsaPlan Create(Isa isa, int prefetchBytes, RowsPlan[] rows) =>
        new(isa, new EquatableArray<RowsPlan>(rows), prefetchBytes, MinPackedRows, Tile: null);
}
