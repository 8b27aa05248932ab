using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Tests.Gpu;

/// <summary>
/// A model of how words become fragments, from the tables of the PTX ISA ("Matrix Fragments for mma.m16n8k16") and the
/// story at the head of the kernels: of two panels and four steps each weight meets x once, at its own column.
/// </summary>
public class FragmentLayoutTests
{
    private const int Outputs = 32;
    private const int Columns = 32;

    [Fact]
    public void SplittingMovesEvenColumnsDownAndOddColumnsUp()
    {
        Assert.Equal(unchecked((int)0x75316420), SplitNibbles.Split(0x76543210));
        for (int column = 0; column < 8; column++)
        {
            Assert.Equal(0xF << SplitNibbles.Shift(column), SplitNibbles.Split(0xF << (4 * column)));
        }

        Assert.Equal(unchecked((int)0x88888888), SplitNibbles.Split(unchecked((int)0x88888888)));
    }

    [Fact]
    public void EveryWeightMeetsItsColumnOnce()
    {
        var uses = new int[Outputs, Columns];
        for (int fragment = 0; fragment < 2; fragment++)
        {
            for (int half = 0; half < 2; half++)
            {
                // Which (output, column) each of 16 × 16 places of the first operand holds, and which column each of
                // the 16 places of the second, for each of eight rows of x.
                var weights = new (int Output, int Column)[16, 16];
                var inputs = new (int Row, int Column)[16, 8];
                for (int lane = 0; lane < 32; lane++)
                {
                    int g = lane / 4, t = lane % 4;
                    int quad = (g / 4 * 16) + (g % 4 * 4), step = 8 * t;
                    for (int element = 0; element < 2; element++)
                    {
                        // Registers a0 … a3: row g or g + 8, columns 2t or 2t + 8, and the one behind.
                        weights[g, 2 * t + element] = (quad + 2 * fragment, step + 4 * half + element);
                        weights[g + 8, 2 * t + element] = (quad + 2 * fragment + 1, step + 4 * half + element);
                        weights[g, 2 * t + 8 + element] = (quad + 2 * fragment, step + 4 * half + 2 + element);
                        weights[g + 8, 2 * t + 8 + element] = (quad + 2 * fragment + 1, step + 4 * half + 2 + element);

                        // Registers b0 and b1: columns 2t and 2t + 8, and the one behind, of row g of x.
                        inputs[2 * t + element, g] = (g, step + 4 * half + element);
                        inputs[2 * t + 8 + element, g] = (g, step + 4 * half + 2 + element);
                    }
                }

                for (int place = 0; place < 16; place++)
                {
                    for (int row = 0; row < 16; row++)
                    {
                        (int output, int column) = weights[row, place];
                        uses[output, column]++;
                        for (int x = 0; x < 8; x++)
                        {
                            Assert.Equal((x, column), inputs[place, x]);
                        }
                    }
                }

                // A row of the result is one output: c0, c1 of lane 4g are output 2 · fragment of its quad, c2, c3 the next.
                for (int row = 0; row < 16; row++)
                {
                    int expected = (row % 8 / 4 * 16) + (row % 8 % 4 * 4) + 2 * fragment + row / 8;
                    Assert.All(Enumerable.Range(0, 16), place => Assert.Equal(expected, weights[row, place].Output));
                }
            }
        }

        Assert.All(uses.Cast<int>(), static count => Assert.Equal(1, count));
    }

    /// <summary>What lop3, sub and fma make of a nibble, in float16 arithmetic: the weight, exactly.</summary>
    [Fact]
    public void NibblesBecomeFloat16Exactly()
    {
        for (int nibble = 0; nibble < 16; nibble++)
        {
            Half low = BitConverter.UInt16BitsToHalf((ushort)(0x6400 | nibble));
            Half high = BitConverter.UInt16BitsToHalf((ushort)(0x6400 | (nibble << 4)));
            Assert.Equal(nibble - 8, (double)(low - BitConverter.UInt16BitsToHalf(0x6408)));
            double sixteenth = (double)BitConverter.UInt16BitsToHalf(0x2C00), minus72 = (double)BitConverter.UInt16BitsToHalf(0xD480);
            Assert.Equal(nibble - 8, (double)high * sixteenth + minus72);
        }
    }
}
