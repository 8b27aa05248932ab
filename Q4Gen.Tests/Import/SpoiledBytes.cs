using System.Diagnostics;
using Q4Gen.Import;

namespace Q4Gen.Tests.Import;

/// <summary>Spoils small files of any format, and expects of a reader that it takes them or says why not.</summary>
internal static class SpoiledBytes
{
    private const int MaxBytes = 1 << 20;

    private static readonly ulong[] s_numbers =
    [
        0, 1, 2, 3, 7, 8, 12, 31, 32, 33, 255, 256, 65_535, 65_536, int.MaxValue, 1u << 31, uint.MaxValue, 1UL << 32, 1UL << 40, 1UL << 60,
        long.MaxValue, 1UL << 63, ulong.MaxValue - 31, ulong.MaxValue,
    ];

    /// <summary>Spoils files and opens each: it ends in a source whose tensors are read, or in a WeightFormatException.</summary>
    /// <param name="files">Whole files.</param>
    /// <param name="count">How many spoiled ones to try.</param>
    /// <param name="seed">The random numbers'.</param>
    /// <param name="open">The reader.</param>
    /// <param name="mutate">Spoils a file; by bytes, of whatever format, where null.</param>
    public static void Check(
        byte[][] files, int count, int seed, Func<byte[], ImportSource> open, Func<byte[], Random, byte[]>? mutate = null)
    {
        mutate ??= Mutate;
        var random = new Random(seed);
        int opened = 0, rejected = 0;
        foreach (byte[] file in files)
        {
            using ImportSource whole = open(file);
            Read(whole);
        }

        for (int i = 0; i < count; i++)
        {
            byte[] file = mutate(files[i % files.Length], random);
            var clock = Stopwatch.StartNew();
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using ImportSource source = open(file);
                Read(source);
                opened++;
            }
            catch (WeightFormatException)
            {
                rejected++;
            }
            catch (Exception e)
            {
                Assert.Fail($"File {i}: {e}");
            }

            // Files of a few kilobytes; what a machine under load does to a clock is allowed for.
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 4 << 20);
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 20);
        }

        // Spoiling that only ever fails, or never does, checks nothing.
        Assert.InRange(opened, count / 50, count);
        Assert.InRange(rejected, count / 10, count);
        TestContext.Current.TestOutputHelper?.WriteLine($"{count} files: {rejected} rejected, {opened} read.");
    }

    private static void Read(ImportSource source)
    {
        foreach (string name in source.Names)
        {
            WeightTensor tensor = source.Get(name);
            tensor.Bytes(0, (int)Math.Min(MaxBytes, tensor.ByteLength));
        }
    }

    public static byte[] Mutate(byte[] file, Random random)
    {
        byte[] mutated = [.. file];
        for (int i = random.Next(2) == 0 ? 1 : random.Next(2, 4); i > 0 && mutated.Length > 0; i--)
        {
            int at = random.Next(mutated.Length);
            switch (random.Next(8))
            {
                case 0:
                    mutated = mutated[..at];
                    break;
                case 1:
                    mutated = [.. mutated[..at], .. mutated[Math.Min(mutated.Length, at + random.Next(1, 17))..]];
                    break;
                case 2:
                    mutated = [.. mutated[..at], .. new byte[random.Next(1, 17)], .. mutated[at..]];
                    break;
                case 3:
                    int length = random.Next(Math.Min(64, mutated.Length - at) + 1);
                    Array.Copy(mutated, at, mutated, random.Next(mutated.Length - length + 1), length);
                    break;
                case 4 or 5:
                    byte[] number = BitConverter.GetBytes(s_numbers[random.Next(s_numbers.Length)]);
                    number[..Math.Min(mutated.Length - at, random.Next(2) == 0 ? 4 : 8)].CopyTo(mutated, at);
                    break;
                default:
                    mutated[at] ^= (byte)(1 << random.Next(8));
                    break;
            }
        }

        return mutated;
    }
}
