using System.Text;
using Q4Gen.Testing;

namespace Q4Gen.Tests.Generator;

/// <summary>Snapshots follow Verify's file conventions, and fail when and only when they should.</summary>
public sealed class SnapshotConventionTests : IDisposable
{
    private const string Test = "SomeTests.Some";

    private readonly string _folder = Directory.CreateTempSubdirectory("q4gen-snapshots").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ANewFileFailsAndShowsTheCommandThatAcceptsIt()
    {
        string message = Fails(("A.b.g.cs", "class C;\n"));
        Assert.Contains("New: ", message, StringComparison.Ordinal);
        Assert.Contains("+class C;", message, StringComparison.Ordinal);
        Assert.Contains("Q4GEN_ACCEPT=1 dotnet test -c Release --filter FullyQualifiedName~SomeTests", message, StringComparison.Ordinal);
        Assert.Equal([$"{Test}#A.b.g.received.cs"], FileNames());
    }

    [Fact]
    public void AnAcceptedFileIsAsVerifyWritesIt()
    {
        Verify(accept: true, ("A.b.g.cs", "class C;\n"));
        byte[] bytes = File.ReadAllBytes(Path.Combine(_folder, $"{Test}#A.b.g.verified.cs"));
        Assert.Equal([0xEF, 0xBB, 0xBF, .. "//HintName: A.b.g.cs\nclass C;\n"u8], bytes);
        Verify(accept: false, ("A.b.g.cs", "class C;\n"));
        Assert.Equal([$"{Test}#A.b.g.verified.cs"], FileNames());
    }

    [Theory]
    [InlineData(false, "\n")]
    [InlineData(true, "\r\n")]
    [InlineData(false, "\r\n")]
    public void ByteOrderMarkAndKindOfLineEndsMakeNoDifference(bool mark, string lineEnd)
    {
        File.WriteAllText(
            Path.Combine(_folder, $"{Test}#A.g.verified.cs"),
            $"//HintName: A.g.cs{lineEnd}class C;{lineEnd}",
            new UTF8Encoding(mark));
        Verify(accept: false, ("A.g.cs", "class C;\n"));
    }

    [Fact]
    public void AChangeFailsWithADiffAndLeavesTheReceivedFile()
    {
        Verify(accept: true, ("A.g.cs", "one\ntwo\nthree\n"));
        string message = Fails(("A.g.cs", "one\n2\nthree\n"));
        Assert.Contains("\n one\n-two\n+2\n three\n", message.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Equal([$"{Test}#A.g.received.cs", $"{Test}#A.g.verified.cs"], FileNames());

        Verify(accept: false, ("A.g.cs", "one\ntwo\nthree\n"));
        Assert.Equal([$"{Test}#A.g.verified.cs"], FileNames());
    }

    [Fact]
    public void AFileThatIsNoLongerGeneratedFailsUntilAccepted()
    {
        Verify(accept: true, ("A.g.cs", "a\n"), ("B.g.cs", "b\n"));
        Assert.Contains("No longer generated: ", Fails(("A.g.cs", "a\n")), StringComparison.Ordinal);
        Verify(accept: true, ("A.g.cs", "a\n"));
        Assert.Equal([$"{Test}#A.g.verified.cs"], FileNames());
    }

    [Fact]
    public void FilesOfOtherTestsAreLeftAlone()
    {
        File.WriteAllText(Path.Combine(_folder, "SomeTests.SomeOther#A.g.verified.cs"), "");
        Verify(accept: true, ("A.g.cs", "a\n"));
        Assert.Equal(["SomeTests.Some#A.g.verified.cs", "SomeTests.SomeOther#A.g.verified.cs"], FileNames());
    }

    [Fact]
    public void BuildServersDoNotAccept()
    {
        var exception = Assert.Throws<SnapshotException>(
            () => Snapshots.Verify([KeyValuePair.Create("A.g.cs", "a\n")], _folder, Test, accept: true, isBuildServer: true));
        Assert.Contains("CI=true", exception.Message, StringComparison.Ordinal);
        Assert.Empty(FileNames());
    }

    private string Fails(params (string Hint, string Text)[] files) =>
        Assert.Throws<SnapshotException>(() => Verify(accept: false, files)).Message;

    private void Verify(bool accept, params (string Hint, string Text)[] files) =>
        Snapshots.Verify(files.Select(static f => KeyValuePair.Create(f.Hint, f.Text)), _folder, Test, accept, isBuildServer: false);

    private string[] FileNames() => [.. Directory.EnumerateFiles(_folder).Select(Path.GetFileName).OfType<string>().Order(StringComparer.Ordinal)];
}
