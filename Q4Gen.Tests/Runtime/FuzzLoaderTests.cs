using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json;
using Q4Gen.Tests.Kernels;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

/// <summary>
/// Spoiled files end in one of two ways: a layer that computes what a decoder of a few lines computes from the same
/// bytes, or one WeightFormatException.
/// </summary>
public class FuzzLoaderTests
{
    private const int FilesInMemory = 12_000;
    private const int FilesOnDisk = 400;
    private static readonly string[] s_prefixes = ["a", "b.c", ""];

    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)] // It takes half a minute there, and nothing here depends on the processor.
    public void SpoiledFilesInMemory()
    {
        var random = new Random(20_260_101);
        byte[][] files = MakeFiles();
        var tally = new Tally();
        for (int i = 0; i < FilesInMemory; i++)
        {
            byte[] bytes = FuzzedFile.Mutate(files[i % files.Length], random);
            Check(bytes, () => SafetensorsFile.FromMemory(bytes, "fuzzed"), tally, i);
        }

        tally.AssertBothWaysWereSeen(FilesInMemory);
    }

    [Fact]
    public void SpoiledFilesOnDisk()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(20_260_202);
        byte[][] files = MakeFiles();
        var tally = new Tally();
        for (int i = 0; i < FilesOnDisk; i++)
        {
            byte[] bytes = FuzzedFile.Mutate(files[i % files.Length], random);
            File.WriteAllBytes(folder["fuzzed"], bytes);
            Check(bytes, () => SafetensorsFile.Open(folder["fuzzed"]), tally, i);
        }

        tally.AssertBothWaysWereSeen(FilesOnDisk);
    }

    [Fact]
    public void TheDecoderAgreesOnWholeFiles()
    {
        foreach (byte[] bytes in MakeFiles())
        {
            var tally = new Tally();
            Check(bytes, () => SafetensorsFile.FromMemory(bytes, "whole"), tally, 0);
            Assert.Equal((1, 0), (tally.Opened, tally.FilesRejected));
            Assert.NotEqual(0, tally.LayersLoaded);
        }
    }

    private static byte[][] MakeFiles()
    {
        using var folder = new TemporaryFolder();
        return
        [
            Make(Layer("a", 64, 20, 32, bias: true).Concat(Layer("b.c", 24, 3, 8)), 0),
            Make(Layer("a", 172, 5, 64), 64),
            Make(Layer("", 34, 17, 34, bias: true).Concat(Layer("a", 2, 1, 2, bias: true)), 0),
            Make(Layer("b.c", 48, 16, 16).Append(new("norm", WeightTensor.FromSingle(Randoms(5, 9), 5))), 16),
            Make(Layer("a", 24, 5, 16, bias: true).Append(new("a.offsets_4bit", WeightTensor.FromHalf([.. Randoms(10, 10).Select(static value => (Half)value)], 5, 2)))
                .Append(new("a.order_4bit", WeightTensor.FromInt32([.. Enumerable.Range(0, 24).Select(static k => k * 7 % 24)], 24))), 16),
        ];

        byte[] Make(IEnumerable<KeyValuePair<string, WeightTensor>> tensors, int group)
        {
            SafetensorsWriter.Write(folder["f"], tensors, group == 0 ? null : SafetensorsWriter.DescribeGroup(group));
            return File.ReadAllBytes(folder["f"]);
        }
    }

    private static void Check(byte[] bytes, Func<SafetensorsFile> open, Tally tally, int number)
    {
        var clock = Stopwatch.StartNew();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        var loaded = new List<(string Prefix, Linear4Bit Layer)>();
        try
        {
            using SafetensorsFile file = open();
            tally.Opened++;
            foreach (string prefix in s_prefixes)
            {
                try
                {
                    loaded.Add((prefix, Linear4Bit.Load(file, prefix)));
                    tally.LayersLoaded++;
                }
                catch (WeightFormatException)
                {
                    tally.LayersRejected++;
                }
            }
        }
        catch (WeightFormatException)
        {
            tally.FilesRejected++;
        }
        catch (Exception e)
        {
            Assert.Fail($"File {number}: {e}");
        }

        // Files of two kilobytes; what a machine under load does to a clock is allowed for.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 4 << 20);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 20);
        foreach ((string prefix, Linear4Bit layer) in loaded)
        {
            using (layer)
            {
                AssertComputes(layer, bytes, prefix, number);
            }
        }
    }

    private static void AssertComputes(Linear4Bit layer, byte[] bytes, string prefix, int number)
    {
        float[] x = Randoms(layer.In, seed: number);
        float[] y = new float[layer.Out];
        layer.Forward(x, y);
        (double Sum, double Size)[] expected = Decode(bytes, prefix, layer.Group, x);
        Assert.Equal(expected.Length, y.Length);
        for (int o = 0; o < y.Length; o++)
        {
            Assert.True(float.IsFinite(y[o]), $"File {number}, '{prefix}', output {o} is {y[o]}.");
            Assert.True(
                Math.Abs(y[o] - expected[o].Sum) <= 1e-5 * expected[o].Size + 1e-30,
                $"File {number}, '{prefix}', output {o} is {y[o]}, but {expected[o].Sum} is expected.");
        }
    }

    /// <summary>The format and the layer in the fewest words, for files that are right: outputs, and sums of magnitudes.</summary>
    private static (double Sum, double Size)[] Decode(byte[] bytes, string prefix, int group, float[] x)
    {
        int start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using JsonDocument header = JsonDocument.Parse(bytes.AsMemory(8, start - 8));
        ReadOnlySpan<byte> weight = Find("weight_4bit", out long[] weightShape);
        ReadOnlySpan<byte> scales = Find("scales_4bit", out long[] scalesShape);
        bool hasBias = header.RootElement.TryGetProperty(Join(prefix, "bias"), out JsonElement biasEntry);
        ReadOnlySpan<byte> bias = hasBias ? Find("bias", out _) : default;
        ReadOnlySpan<byte> offsets = header.RootElement.TryGetProperty(Join(prefix, "offsets_4bit"), out _) ? Find("offsets_4bit", out _) : default;
        ReadOnlySpan<byte> order = header.RootElement.TryGetProperty(Join(prefix, "order_4bit"), out _) ? Find("order_4bit", out _) : default;
        int rowBytes = (int)weightShape[1];
        int groups = (int)scalesShape[1];

        var y = new (double Sum, double Size)[weightShape[0]];
        for (int o = 0; o < y.Length; o++)
        {
            double sum = hasBias ? ReadBias(biasEntry.GetProperty("dtype").GetString()!, bias, o) : 0;
            double size = Math.Abs(sum);
            for (int k = 0; k < x.Length; k++)
            {
                int both = weight[o * rowBytes + k / 2];
                int nibble = k % 2 == 0 ? both % 16 : both / 16;
                int at = (o * groups + k / group) * 2;
                double scale = (double)BinaryPrimitives.ReadHalfLittleEndian(scales[at..]);
                double offset = offsets.IsEmpty ? 0 : (double)BinaryPrimitives.ReadHalfLittleEndian(offsets[at..]);
                float value = x[order.IsEmpty ? k : BinaryPrimitives.ReadInt32LittleEndian(order[(k * 4)..])];
                sum += value * ((nibble - 8) * scale + offset);
                size += Math.Abs(value * 8 * scale) + Math.Abs(value * offset);
            }

            y[o] = (sum, size);
        }

        return y;

        ReadOnlySpan<byte> Find(string suffix, out long[] shape)
        {
            JsonElement entry = header.RootElement.GetProperty(Join(prefix, suffix));
            shape = [.. entry.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
            long[] offsets = [.. entry.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt64())];
            return bytes.AsSpan()[(start + (int)offsets[0])..(start + (int)offsets[1])];
        }
    }

    private static double ReadBias(string type, ReadOnlySpan<byte> bias, int row) => type switch
    {
        "F32" => BinaryPrimitives.ReadSingleLittleEndian(bias[(row * 4)..]),
        "F16" => (double)BinaryPrimitives.ReadHalfLittleEndian(bias[(row * 2)..]),
        "BF16" => BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(bias[(row * 2)..]) << 16),
        _ => throw new InvalidOperationException($"A bias of type {type} was loaded."),
    };

    private sealed class Tally
    {
        public int Opened { get; set; }

        public int FilesRejected { get; set; }

        public int LayersLoaded { get; set; }

        public int LayersRejected { get; set; }

        /// <summary>Fuzzing that only ever fails, or never does, checks nothing.</summary>
        public void AssertBothWaysWereSeen(int files)
        {
            Assert.Equal(files, Opened + FilesRejected);
            Assert.InRange(FilesRejected, files / 4, files);
            Assert.InRange(LayersLoaded, files / 20, files * s_prefixes.Length);
            Assert.InRange(LayersRejected, files / 20, files * s_prefixes.Length);
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{files} files: {FilesRejected} rejected, {Opened} opened; {LayersLoaded} layers loaded, {LayersRejected} rejected.");
        }
    }
}
