using System.Diagnostics;
using Spectre.Console;

namespace Q4Gen.Tool.Console;

/// <summary>A bar on a terminal with the finished share, the rate and the time left.</summary>
internal static class ProgressBar
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    /// <summary>Does some work, under a bar if it takes longer than a second.</summary>
    public static T Run<T>(IAnsiConsole console, string title, long totalBytes, Func<IProgress<double>, T> work)
    {
        var share = new Share();
        Task<T> task = Task.Run(() => work(share));
        try
        {
            if (!task.Wait(s_patience))
            {
                Show(console, title, totalBytes, share, task);
            }
        }
        catch (AggregateException)
        {
            // What went wrong comes as itself below.
        }

        return task.GetAwaiter().GetResult();
    }

    private static void Show(IAnsiConsole console, string title, long totalBytes, Share share, Task task)
    {
        var clock = Stopwatch.StartNew();
        double before = share.Value;
        console.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                ProgressTask bar = context.AddTask(Markup.Escape(title), maxValue: 1);
                while (!task.IsCompleted)
                {
                    bar.Value = share.Value;
                    double rate = (share.Value - before) * totalBytes / clock.Elapsed.TotalSeconds;
                    bar.Description = totalBytes == 0 ? Markup.Escape(title) : Markup.Escape($"{title}, {Sizes.Of((long)rate)}/s");
                    Task.WhenAny(task, Task.Delay(100)).Wait();
                }
            });
    }

    /// <summary>Keeps the last value, for a bar that asks for it in its own time.</summary>
    private sealed class Share : IProgress<double>
    {
        private double _value;

        public double Value => Volatile.Read(ref _value);

        public void Report(double value) => Volatile.Write(ref _value, value);
    }
}
