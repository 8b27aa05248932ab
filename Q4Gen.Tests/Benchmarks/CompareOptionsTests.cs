using System.CommandLine;
using System.CommandLine.Parsing;
using Q4Gen.Benchmarks.Compare;

namespace Q4Gen.Tests.Benchmarks;

/// <summary>What cannot be measured or written is one clear error before anything is measured.</summary>
public sealed class CompareOptionsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("q4gen-compare").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--shapes 4096x11008", "'4096x11008' is no shape", "4096x11008g128")]
    [InlineData("--shapes 4096x4096g64,x4g16", "'x4g16' is no shape", "INxOUTgGROUP")]
    [InlineData("--shapes 99999999999x16g16", "'99999999999x16g16' is no shape", "INxOUTgGROUP")]
    [InlineData("--shapes 4096x0g64", "'4096x0g64'", "Out must be positive")]
    [InlineData("--shapes 4096x64g48", "groups of 48", "16, 32, 64, 128 and 256")]
    [InlineData("--shapes 4096x64g8", "groups of 8", "16, 32, 64, 128 and 256")]
    [InlineData("--shapes 4096x64g512", "groups of 512", "16, 32, 64, 128 and 256")]
    [InlineData("--shapes 4080x64g32", "4080 columns", "multiple of 32")]
    [InlineData("--shapes 65536x65536g128", "2,147,483,648 bytes", "smaller")]
    [InlineData("--rows 1,0", "--rows has '0'", "from 1 to 65536")]
    [InlineData("--rows 1,,4", "--rows has ''", "from 1 to 65536")]
    [InlineData("--threads 0", "--threads has '0'", "processors of this machine")]
    [InlineData("--threads 100000", "--threads has '100000'", "processors of this machine")]
    [InlineData("--rounds 14", "--rounds is '14'", "from 15 on")]
    [InlineData("--rounds many", "--rounds is 'many'", "from 15 on")]
    [InlineData("--json figures.txt", "--json is 'figures.txt'", "must end in .json")]
    [InlineData("--plot roofline.pdf", "--plot is 'roofline.pdf'", "must end in .svg or .png")]
    public void BadOptionsAreOneClearError(string arguments, string found, string remedy)
    {
        string message = Assert.Single(Parse(arguments.Split(' ')).Errors).Message;
        Assert.Contains(found, message);
        Assert.Contains(remedy, message);
    }

    [Fact]
    public void FilesThatCannotBeWrittenAreOneClearError()
    {
        string missing = Path.Combine(_folder, "no such folder", "x.json");
        Assert.Contains("there is no folder", Assert.Single(Parse("--json", missing).Errors).Message);

        string taken = Path.Combine(_folder, "folder.json");
        Directory.CreateDirectory(taken);
        Assert.Contains("which is a folder", Assert.Single(Parse("--json", taken).Errors).Message);
    }

    [Fact]
    public void GoodOptionsAreTakenAndLeaveNothingBehind()
    {
        string json = Path.Combine(_folder, "x.json");
        ParseResult result = Parse("--shapes", "4096x11008g128, 64x32g16", "--rows", "8,1,8", "--rounds", "15", "--json", json);

        Assert.Empty(result.Errors);
        Assert.Equal([new(4096, 11008, 128), new(64, 32, 16)], result.GetValue<Linear4BitShape[]>("--shapes")!);
        Assert.Equal([8, 1], result.GetValue<int[]>("--rows")!);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Theory]
    [InlineData("--shape 64x32g16,32x32g16", "--shape is '64x32g16,32x32g16'")]
    [InlineData("--threads 1,1", "--threads is '1,1'")]
    public void ASweepTakesOneShapeAndOneNumberOfThreads(string arguments, string found)
    {
        ParseResult result = CompareCommand.CreateSweep().Parse(arguments.Split(' '));
        Assert.Contains(found, Assert.Single(result.Errors).Message);
    }

    private static ParseResult Parse(params string[] arguments) => CompareCommand.CreateCompare().Parse(arguments);
}
