using System.Globalization;
using System.Text;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>What all plots share: logarithmic axes, one colour an engine, SVG or PNG.</summary>
internal static class Plots
{
    private const int Width = 1000;
    private const int Height = 640;

    /// <summary>Powers of ten that have ticks: from nanoseconds in µs to any processor's GFLOP/s.</summary>
    private const int MinExponent = -4;
    private const int MaxExponent = 7;

    // Ours warm, theirs cold; told apart by those who see no red from green, too.
    private static readonly Dictionary<string, Color> s_colors = new()
    {
        ["q4gen-exact"] = Color.FromHex("#d1495b"),
        ["q4gen-int8"] = Color.FromHex("#e08e1b"),
        ["onnxruntime-float"] = Color.FromHex("#2f6690"),
        ["onnxruntime-int8"] = Color.FromHex("#4aa3a2"),
    };

    /// <summary>The colour of an engine.</summary>
    public static Color ColorOf(EngineKind engine) => s_colors[engine.Name];

    /// <summary><c>1 thread</c>, <c>2 threads</c>.</summary>
    public static string Threads(int threads) => threads == 1 ? "1 thread" : $"{threads} threads";

    /// <summary>A plot with logarithmic axes; everything added to it must be in decimal logarithms.</summary>
    public static Plot Create(string title, string xLabel, string yLabel)
    {
        var plot = new Plot();
        plot.Font.Set(Fonts.Sans);
        plot.Title(title, size: 18);
        plot.XLabel(xLabel, size: 14);
        plot.YLabel(yLabel, size: 14);
        plot.Axes.Bottom.TickGenerator = LogTicks();
        plot.Axes.Left.TickGenerator = LogTicks();
        plot.Axes.Bottom.TickLabelStyle.FontSize = 13;
        plot.Axes.Left.TickLabelStyle.FontSize = 13;
        plot.Grid.MajorLineColor = Colors.Black.WithOpacity(0.15);
        plot.Grid.MinorLineColor = Colors.Black.WithOpacity(0.06);
        plot.Grid.MinorLineWidth = 1;
        plot.Legend.FontSize = 13;
        return plot;
    }

    /// <summary>The file's content; <paramref name="extension"/> is .svg or .png.</summary>
    public static byte[] Render(Plot plot, string extension) => extension.Equals(".png", StringComparison.OrdinalIgnoreCase)
        ? plot.GetImageBytes(Width, Height, ImageFormat.Png)
        : Encoding.UTF8.GetBytes(plot.GetSvgXml(Width, Height));

    /// <summary>Labels at 1, 2 and 5 times each power of ten, for figures seldom span many of those; minor ticks between.</summary>
    private static NumericManual LogTicks()
    {
        var ticks = new NumericManual();
        for (int exponent = MinExponent; exponent <= MaxExponent; exponent++)
        {
            for (int digit = 1; digit <= 9; digit++)
            {
                double position = exponent + Math.Log10(digit);
                if (digit is 1 or 2 or 5)
                {
                    ticks.AddMajor(position, (digit * Math.Pow(10, exponent)).ToString("#,0.####", CultureInfo.InvariantCulture));
                }
                else
                {
                    ticks.AddMinor(position);
                }
            }
        }

        return ticks;
    }
}

/// <summary>
/// The roofline: operations a second against operations for each byte of weights, under the ceilings that memory and
/// processors set. Of the highest number of threads; the first shape as lines, the others as fainter points.
/// </summary>
internal static class RooflinePlot
{
    private const int OtherMarkerSize = 5;
    private const double OtherOpacity = 0.4;

    /// <summary>The file's content.</summary>
    public static byte[] Render(IReadOnlyList<ShapeResult> results, string extension)
    {
        int threads = results.Max(static result => result.Threads);
        ShapeResult[] shown = [.. results.Where(result => result.Threads == threads)];
        ShapeResult main = shown[0];
        Plot plot = Plots.Create(
            $"4-bit linear layer {main.Shape}, {Plots.Threads(threads)}", "operations for each byte of weights (flop/byte)", "speed (GFLOP/s)");
        AddCeilings(plot, main);
        foreach (ShapeResult other in shown.Skip(1))
        {
            AddPoints(plot, other);
        }

        AddLines(plot, main);
        if (shown.Length > 1)
        {
            plot.Legend.ManualItems.Add(new LegendItem
            {
                LabelText = $"{shown.Length - 1} other shapes",
                MarkerShape = MarkerShape.FilledCircle,
                MarkerSize = OtherMarkerSize,
                MarkerFillColor = Colors.Black.WithOpacity(OtherOpacity),
            });
        }

        double[] x = [.. shown.SelectMany(static result => result.Rows).Select(static row => Math.Log10(row.Intensity))];
        double[] y = [.. shown.SelectMany(static result => result.Rows).Select(static row => Math.Log10(row.OperationsPerSecond / 1e9))];
        double top = Math.Log10(Math.Max(main.Limits.FloatPeak, main.Limits.Int8Peak) / 1e9);
        plot.Axes.SetLimits(x.Min() - 0.35, Math.Max(x.Max(), 2) + 0.2, Math.Min(y.Min(), top - 1) - 0.2, Math.Max(y.Max(), top) + 0.2);
        plot.ShowLegend(Alignment.LowerRight);
        return Plots.Render(plot, extension);
    }

    private static void AddCeilings(Plot plot, ShapeResult main)
    {
        AddCeiling("float peak", main.Limits.FloatPeak, opacity: 0.8);
        AddCeiling("int8 peak", main.Limits.Int8Peak, opacity: 0.35);

        void AddCeiling(string name, double peak, double opacity)
        {
            double ridge = peak / main.Limits.ReadBandwidth;
            double[] intensity = [ridge / 1e4, ridge, ridge * 1e4];
            var line = plot.Add.ScatterLine(
                intensity.Select(Math.Log10).ToArray(),
                intensity.Select(i => Math.Log10(Math.Min(i * main.Limits.ReadBandwidth, peak) / 1e9)).ToArray(),
                Colors.Black.WithOpacity(opacity));

            // Solid: where it renders SVG, the library underneath knows no dashes, and says so for each stroke.
            line.LineWidth = 1.5f;
            line.LegendText = string.Create(
                CultureInfo.InvariantCulture, $"reading {main.Limits.ReadBandwidth / 1e9:F1} GB/s, {name} {peak / 1e9:F0} GFLOP/s");
        }
    }

    private static void AddPoints(Plot plot, ShapeResult other)
    {
        foreach (Measurement row in other.Rows)
        {
            plot.Add.Marker(Math.Log10(row.Intensity), Math.Log10(row.OperationsPerSecond / 1e9), MarkerShape.FilledCircle, OtherMarkerSize, Plots.ColorOf(row.Engine).WithOpacity(OtherOpacity));
        }
    }

    private static void AddLines(Plot plot, ShapeResult main)
    {
        foreach (IGrouping<EngineKind, Measurement> engine in main.Rows.GroupBy(static row => row.Engine))
        {
            double[] x = [.. engine.Select(static row => Math.Log10(row.Intensity))];
            double[] y = [.. engine.Select(static row => Math.Log10(row.OperationsPerSecond / 1e9))];
            var line = plot.Add.Scatter(x, y, Plots.ColorOf(engine.Key));
            line.LineWidth = 2;
            line.MarkerSize = 9;
            line.LegendText = engine.Key.Name;
        }

        // Once for each M, above the fastest engine, or labels cover one another.
        foreach (IGrouping<int, Measurement> rows in main.Rows.GroupBy(static row => row.Rows))
        {
            Measurement fastest = rows.MaxBy(static row => row.OperationsPerSecond)!;
            var label = plot.Add.Text($"M = {rows.Key}", Math.Log10(fastest.Intensity), Math.Log10(fastest.OperationsPerSecond / 1e9));
            label.LabelFontSize = 12;
            label.LabelAlignment = Alignment.LowerRight;
            label.OffsetX = -6;
            label.OffsetY = -6;
        }
    }
}

/// <summary>Time a row against the number of rows: flat where time grows linearly in M.</summary>
internal static class SweepPlot
{
    /// <summary>The file's content.</summary>
    public static byte[] Render(ShapeResult result, string extension)
    {
        Plot plot = Plots.Create($"4-bit linear layer {result.Shape}, {Plots.Threads(result.Threads)}", "rows of x in a call (M)", "time a row (µs)");
        foreach (IGrouping<EngineKind, Measurement> engine in result.Rows.GroupBy(static row => row.Engine))
        {
            var line = plot.Add.Scatter(
                engine.Select(static row => Math.Log10(row.Rows)).ToArray(),
                engine.Select(static row => Math.Log10(row.Seconds.Median / row.Rows * 1e6)).ToArray(),
                Plots.ColorOf(engine.Key));
            line.LineWidth = 2;
            line.MarkerSize = 7;
            line.LegendText = engine.Key.Name;
        }

        plot.ShowLegend(Alignment.UpperRight);
        return Plots.Render(plot, extension);
    }
}
