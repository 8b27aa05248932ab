using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>
/// <c>mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32</c>: D = A·B + C of 16x16 by 16x8 halves. Products of halves are exact; the
/// 16 of them and C are summed in double precision and rounded once. A GPU sums in less precision, in an order that is not
/// documented, so that its results differ from these in the last bits.
/// </summary>
internal sealed class MatrixMultiplyInstruction(int[] d, int[] a, int[] b, int[] c) : PtxCollective
{
    private const int Rows = 16;
    private const int Columns = 8;
    private const int Depth = 16;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        Span<double> left = stackalloc double[Rows * Depth];
        Span<double> right = stackalloc double[Depth * Columns];
        Span<double> sums = stackalloc double[Rows * Columns];
        for (int lane = 0; lane < Lane.Count; lane++)
        {
            int group = lane >> 2;
            int pair = (lane & 3) * 2;
            for (int part = 0; part < 4; part++)
            {
                uint halves = (uint)Unsafe.Add(ref warp.Slot(a[part]), lane);
                int place = ((group + ((part & 1) * 8)) * Depth) + pair + ((part >> 1) * 8);
                left[place] = HalfArithmetic.Widen(Packed.Low(halves));
                left[place + 1] = HalfArithmetic.Widen(Packed.High(halves));
                sums[((group + ((part >> 1) * 8)) * Columns) + pair + (part & 1)] = Lane.At<float>(ref warp.Slot(c[part]), lane);
            }

            for (int part = 0; part < 2; part++)
            {
                uint halves = (uint)Unsafe.Add(ref warp.Slot(b[part]), lane);
                int row = pair + (part * 8);
                right[(row * Columns) + group] = HalfArithmetic.Widen(Packed.Low(halves));
                right[((row + 1) * Columns) + group] = HalfArithmetic.Widen(Packed.High(halves));
            }
        }

        Multiply(ref left[0], ref right[0], ref sums[0]);
        for (int lane = 0; lane < Lane.Count; lane++)
        {
            for (int part = 0; part < 4; part++)
            {
                int place = (((lane >> 2) + ((part >> 1) * 8)) * Columns) + ((lane & 3) * 2) + (part & 1);
                Lane.At<float>(ref warp.Slot(d[part]), lane) = (float)sums[place];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Multiply(ref double left, ref double right, ref double sums)
    {
        for (int row = 0; row < Rows; row++)
        {
            var low = Vector256<double>.Zero;
            var high = Vector256<double>.Zero;
            for (int k = 0; k < Depth; k++)
            {
                var factor = Vector256.Create(Unsafe.Add(ref left, (row * Depth) + k));
                low += factor * Vector256.LoadUnsafe(ref right, (nuint)(k * Columns));
                high += factor * Vector256.LoadUnsafe(ref right, (nuint)((k * Columns) + 4));
            }

            nuint place = (nuint)(row * Columns);
            (Vector256.LoadUnsafe(ref sums, place) + low).StoreUnsafe(ref sums, place);
            (Vector256.LoadUnsafe(ref sums, place + 4) + high).StoreUnsafe(ref sums, place + 4);
        }
    }
}

/// <summary>
/// <c>ldmatrix.sync.aligned.m8n8.b16</c>: loads matrices of 8x8 halves, whose rows lie at the addresses of eight threads each.
/// Thread i receives, of each matrix, the two halves in row i / 4 from column i % 4 * 2 on; transposed, in column i / 4.
/// </summary>
internal sealed class LoadMatrixInstruction(int[] targets, PtxAddress address, bool transposed) : PtxCollective
{
    private const int Size = 8;

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public override void Execute(PtxWarp warp, uint active)
    {
        // The addresses are read before the targets are written, which may be the same registers.
        Span<ushort> matrices = stackalloc ushort[targets.Length * Size * Size];
        for (int row = 0; row < targets.Length * Size; row++)
        {
            warp.CurrentLane = row;
            ulong place = address.Of(warp, row);
            if (address.Space == PtxSpace.Generic)
            {
                place = PtxWarp.SpaceOf(place) == PtxSpace.Shared
                    ? place - PtxSharedMemory.GenericWindow
                    : throw new PtxFault($"takes the generic address 0x{place:X} for one of Shared memory");
            }

            ref byte first = ref warp.Block.Shared.LoadForWarp(warp, place, Size * sizeof(ushort));
            Unsafe.CopyBlock(ref Unsafe.As<ushort, byte>(ref matrices[row * Size]), ref first, Size * sizeof(ushort));
        }

        for (int matrix = 0; matrix < targets.Length; matrix++)
        {
            var halves = matrices.Slice(matrix * Size * Size, Size * Size);
            for (int lane = 0; lane < Lane.Count; lane++)
            {
                int line = lane >> 2;
                int place = (lane & 3) * 2;
                uint low = transposed ? halves[(place * Size) + line] : halves[(line * Size) + place];
                uint high = transposed ? halves[((place + 1) * Size) + line] : halves[(line * Size) + place + 1];
                Lane.At<uint>(ref warp.Slot(targets[matrix]), lane) = (high << 16) | low;
            }
        }
    }
}
