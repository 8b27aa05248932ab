using System.Globalization;

namespace Q4Gen.Tool.Console;

/// <summary>Numbers for people to read.</summary>
internal static class Sizes
{
    private static readonly string[] s_units = ["B", "kB", "MB", "GB", "TB"];

    /// <summary><c>23.3 MB</c>, in powers of ten.</summary>
    public static string Of(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (value >= 1000 && unit < s_units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        return unit == 0 ? $"{bytes} B" : string.Create(CultureInfo.InvariantCulture, $"{value:F1} {s_units[unit]}");
    }
}
