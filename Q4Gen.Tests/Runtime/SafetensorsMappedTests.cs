using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

public class SafetensorsMappedTests
{
    private const string Header = """{"a":{"dtype":"U8","shape":[4096],"data_offsets":[0,4096]}}""";

    [Fact]
    public void ReadsFromTheMapping()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["m.safetensors"], Layer("p", 64, 48, 32, bias: true));
        using SafetensorsFile file = SafetensorsFile.Open(folder["m.safetensors"]);
        Assert.Equal(folder["m.safetensors"], file.Description);
        foreach ((string name, WeightTensor expected) in Layer("p", 64, 48, 32, bias: true))
        {
            Assert.True(file.TryGet(name, out WeightTensor? tensor));
            Assert.Equal(expected.ToString(), tensor.ToString());
            Assert.Equal(expected.AllBytes(), tensor.AllBytes());
        }
    }

    [Theory]
    [InlineData(0), InlineData(7)]
    public void RejectsAShortFile(int bytes)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["short"], new byte[bytes]);
        var e = Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(folder["short"]));
        Assert.StartsWith(folder["short"] + $": has {bytes} bytes", e.Message);
    }

    [Fact]
    public void RejectsFoldersMissingFilesAndNoPath()
    {
        using var folder = new TemporaryFolder();
        var e = Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(folder.Root));
        Assert.Contains("is a directory", e.Message);
        Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(folder["none"]));
        Assert.Throws<DirectoryNotFoundException>(() => SafetensorsFile.Open(folder["none/none"]));
        Assert.Throws<ArgumentException>(() => SafetensorsFile.Open(""));
        Assert.Throws<ArgumentNullException>(() => SafetensorsFile.Open(null!));
    }

    [Fact]
    public void FollowsSymbolicLinksToFiles()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Symbolic links need a privilege on Windows.");
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["blob"], Craft(Header, 4096));
        File.CreateSymbolicLink(folder["link"], folder["blob"]);
        File.CreateSymbolicLink(folder["dangling"], folder["none"]);
        File.CreateSymbolicLink(folder["circle"], folder["circle"]);
        Directory.CreateSymbolicLink(folder["folder"], folder.Root);
        using (SafetensorsFile file = SafetensorsFile.Open(folder["link"]))
        {
            Assert.True(file.TryGet("a", out _));
        }

        Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(folder["dangling"]));
        Assert.ThrowsAny<IOException>(() => SafetensorsFile.Open(folder["circle"]));
        Assert.Throws<WeightFormatException>(() => SafetensorsFile.Open(folder["folder"]));
    }

    [Fact]
    public void KeepsADeletedOrReplacedFile()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows keeps a mapped file from being replaced.");
        using var folder = new TemporaryFolder();
        string path = folder["m.safetensors"];
        Dictionary<string, WeightTensor> first = Layer("p", 64, 48, 32, seed: 1);
        SafetensorsWriter.Write(path, first);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.True(file.TryGet("p.weight_4bit", out WeightTensor? tensor));

        SafetensorsWriter.Write(path, Layer("p", 128, 16, 32, seed: 2));
        Assert.Equal(first["p.weight_4bit"].AllBytes(), tensor.AllBytes());
        File.Delete(path);
        Assert.Equal(first["p.weight_4bit"].AllBytes(), tensor.AllBytes());
        using Linear4Bit layer = Linear4Bit.Load(file, "p");
        Assert.Equal(64, layer.In);
    }

    [Fact]
    public void SaysThatAFileWasTruncatedOrExtendedInPlace()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows keeps a mapped file from being truncated.");
        using var folder = new TemporaryFolder();
        foreach (long length in new long[] { 0, 100, 100_000 })
        {
            SafetensorsWriter.Write(folder["m"], Layer("p", 64, 48, 32));
            using SafetensorsFile file = SafetensorsFile.Open(folder["m"]);
            Assert.True(file.TryGet("p.weight_4bit", out WeightTensor? tensor));
            Resize(folder["m"], length);
            var e = Assert.Throws<WeightFormatException>(() => tensor.AllBytes());
            Assert.StartsWith($"{folder["m"]}: changed while in use: it has {length} bytes, but had", e.Message);
            Assert.Contains("changed while in use", Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(file, "p")).Message);
        }
    }

    [Fact]
    public void SaysThatAFileWasWrittenInPlace()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows keeps a mapped file from being written to.");
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["m"], Layer("p", 64, 48, 32));
        using SafetensorsFile file = SafetensorsFile.Open(folder["m"]);
        Assert.True(file.TryGet("p.weight_4bit", out WeightTensor? tensor));
        using (var writer = new FileStream(folder["m"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            writer.Seek(-1, SeekOrigin.End);
            writer.WriteByte(0);
        }

        // Independent of how finely this file system keeps time.
        File.SetLastWriteTimeUtc(folder["m"], DateTime.UtcNow.AddSeconds(2));
        var e = Assert.Throws<WeightFormatException>(() => tensor.AllBytes());
        Assert.Contains("changed while in use: it was written at", e.Message);
    }

    [Fact]
    public void ThrowsOnceDisposedButKeepsTheMappingWhileItIsHeld()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["m"], Craft(Header, 4096));
        SafetensorsFile file = SafetensorsFile.Open(folder["m"]);
        Assert.True(file.TryGet("a", out WeightTensor? tensor));
        tensor.Hold();
        ReadOnlySpan<byte> span = tensor.Bytes(0, 4096);
        file.Dispose();
        Assert.Equal(-1, span.IndexOfAnyExcept((byte)0));
        tensor.Release();

        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryGet("a", out _));
        Assert.Throws<ObjectDisposedException>(() => tensor.AllBytes());
        Assert.Throws<ObjectDisposedException>(tensor.Hold);
    }

    [Fact]
    public async Task LoadingWhileDisposedEitherWorksOrSaysSo()
    {
        using var folder = new TemporaryFolder();
        SafetensorsWriter.Write(folder["m"], Layer("p", 1024, 4096, 64));
        for (int round = 0; round < 20; round++)
        {
            SafetensorsFile file = SafetensorsFile.Open(folder["m"]);
            Task<Exception?> load = Task.Run(() => Record.Exception(() => Linear4Bit.Load(file, "p").Dispose()), TestContext.Current.CancellationToken);
            Thread.SpinWait(round * 20_000);
            file.Dispose();
            Exception? failure = await load;
            Assert.True(failure is null or ObjectDisposedException, failure?.ToString());
        }
    }

    [Fact]
    public void OpensATrainedModel()
    {
        string path = Path.Combine(Path.GetDirectoryName(Repository.Root) ?? "", "shared", "models", "storyteller");
        Assert.SkipUnless(Directory.Exists(path), $"The trained model is not there: {path}.");
        using SafetensorsModel model = SafetensorsModel.Open(path);
        Assert.NotEmpty(model.Names);
        foreach (string name in model.Names)
        {
            Assert.True(model.TryGet(name, out WeightTensor? tensor));
            Assert.Equal(TensorType.F16, tensor.Type);
            Assert.All(tensor.ToSingleArray(), value => Assert.True(float.IsFinite(value)));
        }

        string plain = model.Names.First(name => name.EndsWith("q_proj.weight", StringComparison.Ordinal));
        var e = Assert.Throws<WeightFormatException>(() => Linear4Bit.Load(model, plain[..^".weight".Length]));
        Assert.Contains("quantise it first", e.Message);
    }

    private static void Resize(string path, long length)
    {
        using var writer = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        writer.SetLength(length);
    }
}
