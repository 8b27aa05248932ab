using System.Globalization;
using System.Runtime.CompilerServices;
using Q4Gen.Tests.Kernels;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

/// <summary>
/// Where the weights of packed files are, and for how long. Measures of the whole process, so they run while no other test does.
/// </summary>
[Collection(nameof(LayerLoaderMemoryTests))]
public class PackedFileMemoryTests
{
    private const int Layers = 8;

    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)] // It reads the emulator's own maps there.
    public unsafe void WeightsAreInTheMappingAndNowhereElse()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Mappings are read from /proc/self/maps.");
        using var folder = new TemporaryFolder();
        string path = Write(folder);
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            // What the first load compiles and allocates is no part of it.
            Linear4Bit.Load(file, "0").Dispose();
        }

        long managed = GC.GetTotalAllocatedBytes(precise: true), anonymous = Anonymous();
        Linear4Bit[] layers;
        using (SafetensorsFile file = SafetensorsFile.Open(path))
        {
            layers = [.. Enumerable.Range(0, Layers).Select(i => Linear4Bit.Load(file, $"{i}"))];
        }

        long bytes = layers.Sum(static layer => layer.ByteLength);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - managed, 0, 1 << 20);
        (nint Begin, nint End) mapping = Assert.Single(Mappings(path));
        foreach (Linear4Bit layer in layers)
        {
            Assert.InRange((nint)layer.Weights.Words(0), mapping.Begin, mapping.End - (nint)layer.Shape.PackedWeightBytes);
            Assert.InRange((nint)layer.Weights.Scales(0), mapping.Begin, mapping.End - (nint)layer.Shape.PackedScaleBytes);
            layer.Forward(new float[layer.In], new float[layer.Out]);
        }

        Assert.InRange(Anonymous() - anonymous, long.MinValue, bytes / 4);

        // The last layer on it takes the mapping along.
        Linear4Bit clone = layers[0].Clone();
        Array.ForEach(layers, static layer => layer.Dispose());
        Assert.Single(Mappings(path));
        clone.Forward(new float[clone.In], new float[clone.Out]);
        clone.Dispose();
        Assert.Empty(Mappings(path));
    }

    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)] // It reads the emulator's own maps there.
    public void LayersThatNobodyDisposesLetGoAsWell()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Mappings are read from /proc/self/maps.");
        using var folder = new TemporaryFolder();
        string path = Write(folder);
        LoadAndForget(path);
        for (int i = 0; i < 10 && Mappings(path).Length != 0; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.Empty(Mappings(path));
    }

    [Fact]
    [Trait(Emulated.Trait, Emulated.Never)] // It reads the emulator's own maps there.
    public void ALoadThatFailsHoldsNothing()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Mappings are read from /proc/self/maps.");
        using var folder = new TemporaryFolder();

        // Our ordinary writer aligns nothing.
        SafetensorsWriter.Write(folder["moved"], PackedModels.Read(Write(folder)), PackedModels.Metadata());
        using (SafetensorsFile file = SafetensorsFile.Open(folder["moved"]))
        {
            Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(file, "0"));
            Assert.Single(Mappings(folder["moved"]));
        }

        Assert.Empty(Mappings(folder["moved"]));
    }

    [Fact]
    public async Task LoadingWhileDisposedEitherWorksOrSaysSo()
    {
        using var folder = new TemporaryFolder();
        string path = Write(folder);
        int loaded = 0;
        for (int round = 0; round < 100; round++)
        {
            SafetensorsFile file = SafetensorsFile.Open(path);
            Task<Linear4Bit[]> load = Task.Run(() => Enumerable.Range(0, Layers).Select(i => Linear4Bit.Load(file, $"{i}")).ToArray(), TestContext.Current.CancellationToken);
            Thread.SpinWait(round * 100);
            file.Dispose();
            try
            {
                foreach (Linear4Bit layer in await load)
                {
                    layer.Forward(new float[layer.In], new float[layer.Out]);
                    layer.Dispose();
                    loaded++;
                }
            }
            catch (ObjectDisposedException)
            {
                // The other of the two.
            }
        }

        Assert.Equal(0, loaded % Layers);
    }

    [Fact]
    public void ADeletedFileStaysInUse()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows keeps a mapped file from being deleted.");
        using var folder = new TemporaryFolder();
        string path = Write(folder);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        using Linear4Bit layer = Linear4Bit.Load(file, "0");
        float[] x = Linear4BitSample.Input(layer.In);
        float[] before = ThreadChecks.Run(layer, x);
        SafetensorsWriter.Write(path, Layer("other", 64, 48, 32));
        Assert.Equal(before, ThreadChecks.Run(layer, x));
        File.Delete(path);
        Assert.Equal(before, ThreadChecks.Run(layer, x));

        // A file that was written in place is noticed by the next load.
        File.Copy(Write(folder), folder["copy"]);
        using SafetensorsFile changed = SafetensorsFile.Open(folder["copy"]);
        using (var writer = new FileStream(folder["copy"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            writer.SetLength(writer.Length - 1);
        }

        Assert.Contains("changed while in use", Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(changed, "0")).Message);
    }

    /// <summary>Eight layers, 18 MB.</summary>
    private static string Write(TemporaryFolder folder) => folder.Pack("m", new TensorDictionary(
        Enumerable.Range(0, Layers).SelectMany(static i => Layer($"{i}", 1024, 4096, 64, seed: i)).ToDictionary(), "made", SafetensorsWriter.DescribeGroup(64)));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LoadAndForget(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Linear4Bit.Load(file, "0");
        Linear4Bit.Load(file, "1").Clone();
        Assert.Single(Mappings(path));
    }

    private static (nint Begin, nint End)[] Mappings(string path) =>
    [
        .. File.ReadLines("/proc/self/maps").Where(line => line.EndsWith(path, StringComparison.Ordinal)).Select(static line =>
        {
            string[] ends = line.Split(' ')[0].Split('-');
            return (nint.Parse(ends[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), nint.Parse(ends[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        }),
    ];

    /// <summary>RssAnon: heap, stacks and native memory.</summary>
    private static long Anonymous()
    {
        string line = File.ReadLines("/proc/self/status").First(static line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return 1024 * long.Parse(line["RssAnon:".Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
