using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

/// <summary>Measures of the whole process, so they run while no other test does.</summary>
[CollectionDefinition(nameof(LayerLoaderMemoryTests), DisableParallelization = true)]
[Collection(nameof(LayerLoaderMemoryTests))]
public class LayerLoaderMemoryTests
{
    [Fact]
    public void LoadingKeepsNoManagedCopy()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["f"], Layer("p", 4096, 4096, 128));
        using SafetensorsFile file = SafetensorsFile.Open(folder["f"]);
        Linear4Bit.Load(file, "p").Dispose();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        Linear4Bit.Load(file, "p").Dispose();
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 1 << 20);
    }

    [Fact]
    public void AFailedLoadLeavesNoMemoryToTheFinalizer()
    {
        const int loads = 400;
        Dictionary<string, WeightTensor> tensors = Layer("p", 64, 16, 32);
        tensors["p.weight_4bit"] = new WeightTensor(TensorType.U8, [16, 32], new FailingStorage(), 0, 16 * 32);
        var source = new TensorDictionary(tensors);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        for (int i = 0; i < loads; i++)
        {
            Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(source, "p"));
        }

        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
        Assert.InRange(GC.GetGCMemoryInfo(GCKind.FullBlocking).FinalizationPendingCount, 0, loads / 4);
    }

    /// <summary>Memory that is there until it is read, as a file that is truncated in the middle of a load.</summary>
    private sealed class FailingStorage : TensorStorage
    {
        public override long Length => 16 * 32;

        public override ReadOnlySpan<byte> Slice(long offset, int length) => throw new WeightFormatException("changed while in use");

        public override void Hold()
        {
        }

        public override void Release()
        {
        }

        public override void Dispose()
        {
        }
    }
}
