using System.Globalization;

namespace Q4Gen.Tool.Bench;

/// <summary>How much the machine's caches of the last level hold together.</summary>
internal static class LastLevelCache
{
    // Where the system does not say; few processors have more.
    private const long Usual = 128 << 20;

    private const string Folder = "/sys/devices/system/cpu";

    /// <summary>Bytes.</summary>
    public static long Bytes { get; } = Find();

    private static long Find()
    {
        try
        {
            var sizes = new Dictionary<(int Level, string Processors), long>();
            foreach (string processor in Directory.EnumerateDirectories(Folder, "cpu*"))
            {
                string caches = Path.Combine(processor, "cache");
                foreach (string cache in Directory.Exists(caches) ? Directory.EnumerateDirectories(caches, "index*") : [])
                {
                    int level = int.Parse(Read(cache, "level"), CultureInfo.InvariantCulture);
                    sizes[(level, Read(cache, "shared_cpu_list"))] = Parse(Read(cache, "size"));
                }
            }

            int last = sizes.Keys.Select(static key => key.Level).DefaultIfEmpty().Max();
            long total = sizes.Where(item => item.Key.Level == last).Sum(static item => item.Value);
            return total > 0 ? total : Usual;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return Usual;
        }
    }

    private static string Read(string folder, string file) => File.ReadAllText(Path.Combine(folder, file)).Trim();

    /// <summary><c>32768K</c>.</summary>
    private static long Parse(string size) => size switch
    {
        [.. var number, 'K'] => long.Parse(number, CultureInfo.InvariantCulture) << 10,
        [.. var number, 'M'] => long.Parse(number, CultureInfo.InvariantCulture) << 20,
        _ => long.Parse(size, CultureInfo.InvariantCulture),
    };
}
