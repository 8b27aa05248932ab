using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Q4Gen.Format;

namespace Q4Gen.Kernels;

/// <summary>
/// Rows of x filled up with zeros to whole steps, for layers whose In is no multiple of 8: kernels then need no code of
/// their own for the last columns, and read nothing behind a row.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static unsafe class PaddedActivations
{
    private const int Columns = PanelLayout.StepColumns;

    /// <summary>Copies all rows of a row-major call to this thread's scratch memory, <c>[row][step][8]</c>.</summary>
    public static ref float Prepare(in KernelCall call, int columns)
    {
        int padded = (columns + Columns - 1) / Columns * Columns;
        ref float rows = ref KernelCall.Scratch(checked(call.Rows * padded));
        for (int row = 0; row < call.Rows; row++)
        {
            ref float source = ref Unsafe.Add(ref call.X, (nint)row * columns);
            ref float target = ref Unsafe.Add(ref rows, (nint)row * padded);
            MemoryMarshal.CreateReadOnlySpan(ref source, columns).CopyTo(MemoryMarshal.CreateSpan(ref target, columns));
            MemoryMarshal.CreateSpan(ref Unsafe.Add(ref target, columns), padded - columns).Clear();
        }

        return ref rows;
    }
}
