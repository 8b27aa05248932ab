using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Q4Gen.Tool.Console;

/// <summary>Where results and progress go. Results are on standard output, everything else on standard error.</summary>
internal sealed class ToolConsole
{
    // Wide enough for a table of tensors; a file or a pipe has no width of its own.
    private const int PipeWidth = 160;

    private static readonly JsonSerializerOptions s_json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private readonly IAnsiConsole _progress;
    private readonly bool _showProgress;

    private ToolConsole(TextWriter output, TextWriter error, bool outputIsTerminal, bool errorIsTerminal)
    {
        Output = output;
        Error = error;
        Results = Create(outputIsTerminal ? output : new TrimmingWriter(output), outputIsTerminal);
        _progress = Create(error, errorIsTerminal);
        _showProgress = errorIsTerminal;
    }

    /// <summary>Results as plain text.</summary>
    public TextWriter Output { get; }

    /// <summary>Messages.</summary>
    public TextWriter Error { get; }

    /// <summary>Results as tables and charts.</summary>
    public IAnsiConsole Results { get; }

    /// <summary>The console of this process.</summary>
    public static ToolConsole OfTheProcess() => new(
        System.Console.Out, System.Console.Error, !System.Console.IsOutputRedirected, !System.Console.IsErrorRedirected);

    /// <summary>Two texts, as pipes would take them.</summary>
    public static ToolConsole To(TextWriter output, TextWriter error) => new(output, error, false, false);

    /// <summary>A result as one JSON document.</summary>
    public void WriteJson<T>(T document) => Output.WriteLine(JsonSerializer.Serialize(document, s_json));

    /// <summary>
    /// Does some work; on a terminal with a bar that shows the finished share, the rate and the time left, where it takes
    /// longer than a second.
    /// </summary>
    /// <param name="title">What is done.</param>
    /// <param name="totalBytes">What 1 of the share means, for the rate; 0 where it is no bytes.</param>
    /// <param name="work">Is given the share to report to, 0 to 1.</param>
    public T Track<T>(string title, long totalBytes, Func<IProgress<double>, T> work) =>
        _showProgress ? ProgressBar.Run(_progress, title, totalBytes, work) : work(Silence.Instance);

    private static IAnsiConsole Create(TextWriter writer, bool isTerminal)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = isTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!isTerminal)
        {
            console.Profile.Width = PipeWidth;
        }

        return console;
    }

    private sealed class Silence : IProgress<double>
    {
        public static readonly Silence Instance = new();

        public void Report(double value)
        {
        }
    }
}
