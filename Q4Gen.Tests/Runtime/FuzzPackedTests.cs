using System.Buffers.Binary;
using System.Text.Json;
using Q4Gen.Tests.Kernels;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

/// <summary>
/// Spoiled packed files end in one of two ways: a layer that computes what a decoder of a few lines computes from the same
/// bytes, or one WeightFormatException. Values are not looked at by loading, so outputs may be infinite or no numbers where
/// the decoder's are.
/// </summary>
public class FuzzPackedTests
{
    private const int FilesInMemory = 6_000;
    private const int FilesOnDisk = 600;
    private const int Lanes = 16;
    private static readonly string[] s_prefixes = ["a", "b.c", ""];

    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)] // It takes long there, and nothing here depends on the processor.
    public void SpoiledFilesInMemory() => Run(FilesInMemory, seed: 20_261_124, static (bytes, _) => SafetensorsFile.FromMemory(bytes, "fuzzed"), expectMapped: false);

    [Fact]
    public void SpoiledFilesOnDisk() => Run(
        FilesOnDisk, seed: 20_261_125,
        static (bytes, folder) =>
        {
            // A new file, for what is mapped is not written to.
            File.Delete(folder["fuzzed"]);
            File.WriteAllBytes(folder["fuzzed"], bytes);
            return SafetensorsFile.Open(folder["fuzzed"]);
        },
        expectMapped: true);

    private static void Run(int files, int seed, Func<byte[], TemporaryFolder, SafetensorsFile> open, bool expectMapped)
    {
        using var folder = new TemporaryFolder();
        var random = new Random(seed);
        byte[][] whole = MakeFiles();
        int filesRejected = 0, loaded = 0, rejected = 0;
        for (int i = 0; i < files; i++)
        {
            byte[] bytes = FuzzedFile.Mutate(whole[i % whole.Length], random);
            var layers = new List<(string Prefix, Linear4Bit Layer)>();
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using SafetensorsFile file = open(bytes, folder);
                foreach (string prefix in s_prefixes)
                {
                    try
                    {
                        layers.Add((prefix, Linear4Bit.Load(file, prefix)));
                        loaded++;
                    }
                    catch (WeightFormatException)
                    {
                        rejected++;
                    }
                }

                // Whatever it is, looking closely ends, too.
                Exception? flaw = Record.Exception(() => PackedFile.Verify(file));
                Assert.True(flaw is null or WeightFormatException, $"File {i}: {flaw}");
            }
            catch (WeightFormatException)
            {
                filesRejected++;
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"File {i}: {e}");
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 4 << 20);
            foreach ((string prefix, Linear4Bit layer) in layers)
            {
                using (layer)
                {
                    Assert.Equal(expectMapped, layer.IsMapped);
                    AssertComputes(layer, bytes, prefix, i);
                }
            }
        }

        // Fuzzing that only ever fails, or never does, checks nothing.
        TestContext.Current.TestOutputHelper?.WriteLine($"{files} files: {filesRejected} rejected; {loaded} layers loaded, {rejected} rejected.");
        Assert.InRange(filesRejected, files / 8, files);
        Assert.InRange(loaded, files / 20, files * s_prefixes.Length);
        Assert.InRange(rejected, files / 20, files * s_prefixes.Length);
    }

    private static byte[][] MakeFiles()
    {
        using var folder = new TemporaryFolder();
        return
        [
            Make(PackedModels.Layer("a", new(64, 20, 32), true, false, false, 1), 32, false),
            Make(PackedModels.Layer("a", new(34, 17, 16), true, true, true, 2).Concat(PackedModels.Layer("", new(2, 1, 16), false, false, false, 3)), 16, true),
            Make(PackedModels.Layer("b.c", new(130, 5, 64), false, true, false, 4).Append(new("norm", WeightTensor.FromSingle(Randoms(5, 9), 5))), 64, false),
        ];

        byte[] Make(IEnumerable<KeyValuePair<string, WeightTensor>> tensors, int group, bool withHashes) =>
            File.ReadAllBytes(folder.Pack("f", new TensorDictionary(tensors.ToDictionary(), "made", SafetensorsWriter.DescribeGroup(group)), withHashes));
    }

    private static void AssertComputes(Linear4Bit layer, byte[] bytes, string prefix, int number)
    {
        float[] x = Randoms(layer.In, seed: number);
        float[] y = ThreadChecks.Run(layer, x);
        (double Sum, double Size)[] expected = Decode(bytes, prefix, layer.Shape, x);
        for (int o = 0; o < y.Length; o++)
        {
            Assert.True(
                !double.IsFinite(expected[o].Sum) || Math.Abs(y[o] - expected[o].Sum) <= 1e-5 * expected[o].Size + 1e-30 || expected[o].Size > float.MaxValue / 4,
                $"File {number}, '{prefix}', {layer}, output {o} is {y[o]}, but {expected[o].Sum} is expected.");
        }
    }

    /// <summary>The layer from its panels in the fewest words: outputs, and sums of magnitudes.</summary>
    private static (double Sum, double Size)[] Decode(byte[] bytes, string prefix, Linear4BitShape shape, float[] x)
    {
        int start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using JsonDocument header = JsonDocument.Parse(bytes.AsMemory(8, start - 8));
        ReadOnlySpan<byte> words = Find("weight_r16k8"), scales = Find("scales_r16k8"), offsets = Find("offsets_r16k8"), bias = Find("bias_r16k8"), order = Find("order_4bit");
        int steps = (shape.In + 7) / 8;
        var y = new (double Sum, double Size)[shape.Out];
        for (int o = 0; o < y.Length; o++)
        {
            (int panel, int lane) = (o / Lanes, o % Lanes);
            double sum = bias.IsEmpty ? 0 : BinaryPrimitives.ReadSingleLittleEndian(bias[(o * 4)..]);
            double size = Math.Abs(sum);
            for (int k = 0; k < x.Length; k++)
            {
                uint word = BinaryPrimitives.ReadUInt32LittleEndian(words[(((panel * steps + k / 8) * Lanes + lane) * 4)..]);
                int nibble = (int)(word >> 4 * (k % 8)) & 15;
                int at = ((panel * shape.Groups + k / shape.Group) * Lanes + lane) * 2;
                double scale = (double)BinaryPrimitives.ReadHalfLittleEndian(scales[at..]);
                double offset = offsets.IsEmpty ? 0 : (double)BinaryPrimitives.ReadHalfLittleEndian(offsets[at..]);
                float value = x[order.IsEmpty ? k : BinaryPrimitives.ReadInt32LittleEndian(order[(k * 4)..])];
                sum += value * ((nibble - 8) * scale + offset);
                size += Math.Abs(value * 8 * scale) + Math.Abs(value * offset);
            }

            y[o] = (sum, size);
        }

        return y;

        ReadOnlySpan<byte> Find(string suffix)
        {
            if (!header.RootElement.TryGetProperty(Join(prefix, suffix), out JsonElement entry))
            {
                return [];
            }

            long[] ends = [.. entry.GetProperty("data_offsets").EnumerateArray().Select(static end => end.GetInt64())];
            return bytes.AsSpan()[(start + (int)ends[0])..(start + (int)ends[1])];
        }
    }
}
