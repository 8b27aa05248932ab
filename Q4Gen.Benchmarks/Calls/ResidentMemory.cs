using System.Globalization;

namespace Q4Gen.Benchmarks.Calls;

/// <summary>Physical memory that this process occupies, in bytes, from /proc/self/status.</summary>
/// <param name="All">VmRSS: all of it.</param>
/// <param name="Peak">VmHWM: the most it ever was.</param>
/// <param name="Anonymous">RssAnon: heap and stacks.</param>
/// <param name="File">RssFile: pages of mapped files, which the page cache holds anyway and takes back when it needs them.</param>
internal readonly record struct ResidentMemory(long All, long Peak, long Anonymous, long File)
{
    /// <summary>As it is now.</summary>
    public static ResidentMemory Now()
    {
        string[] lines = System.IO.File.ReadAllLines("/proc/self/status");
        return new(Field("VmRSS:"), Field("VmHWM:"), Field("RssAnon:"), Field("RssFile:"));

        long Field(string name)
        {
            string line = lines.First(line => line.StartsWith(name, StringComparison.Ordinal));
            return 1024 * long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
        }
    }
}

/// <summary>
/// The most memory from its creation on. The kernel keeps the peak of the sum; of the two kinds apart, samples are
/// taken every few milliseconds.
/// </summary>
internal sealed class PeakMemory : IDisposable
{
    private const int SampleMilliseconds = 5;

    private readonly Thread _thread;
    private volatile bool _isOver;
    private long _anonymous;
    private long _file;

    /// <summary>Starts sampling.</summary>
    public PeakMemory()
    {
        _thread = new Thread(Loop) { IsBackground = true, Name = "Peak memory" };
        _thread.Start();
    }

    /// <summary>Ends sampling; the peaks of all memory, of anonymous memory and of mapped files.</summary>
    public (long All, long Anonymous, long File) Stop()
    {
        Dispose();
        Sample();
        return (ResidentMemory.Now().Peak, _anonymous, _file);
    }

    /// <summary>Ends sampling.</summary>
    public void Dispose()
    {
        _isOver = true;
        _thread.Join();
    }

    private void Loop()
    {
        while (!_isOver)
        {
            Sample();
            Thread.Sleep(SampleMilliseconds);
        }
    }

    private void Sample()
    {
        var now = ResidentMemory.Now();
        _anonymous = Math.Max(_anonymous, now.Anonymous);
        _file = Math.Max(_file, now.File);
    }
}
