using System.Globalization;
using Q4Gen;
using Storyteller.Decoding;
using Storyteller.Text;

namespace Storyteller.Commands;

/// <summary>Tells a story, then says what told it and how fast.</summary>
internal static class StoryRun
{
    /// <param name="prompt">How the story begins.</param>
    /// <param name="options">How it goes on.</param>
    /// <param name="group">Columns that share a scale.</param>
    /// <param name="device">What computes the layers; null for the processor.</param>
    /// <param name="output">Gets the story.</param>
    public static void Run(string prompt, StoryOptions options, int group, ILayerDevice? device, TextWriter output)
    {
        StoryTokenizer tokenizer = EmbeddedModel.CreateTokenizer();
        using StoryModel model = EmbeddedModel.Load4Bit(group);
        var decoder = new Decoder(
            StoryModel.Config, model.ToDecoderWeights(layer => device is null ? layer.Forward : device.Bring(layer)));
        var teller = new Teller(decoder, tokenizer);

        int[] tokens = teller.EncodePrompt(prompt);
        if (tokens.Length > StoryModel.Config.Context)
        {
            throw new UsageException(
                $"The prompt has {tokens.Length} tokens, but the model sees {StoryModel.Config.Context} at once; give a shorter prompt.");
        }

        for (int round = 1; round < options.Rounds; round++)
        {
            teller.Tell(tokens, options, _ => { });
        }

        output.Write(prompt);
        StoryTiming timing = teller.Tell(tokens, options, text =>
        {
            output.Write(text);
            output.Flush();
        });
        output.WriteLine();
        output.WriteLine();
        Describe(model, timing, device, output);
    }

    private static void Describe(StoryModel model, StoryTiming timing, ILayerDevice? device, TextWriter output)
    {
        Line($"{timing.Tokens} tokens in {timing.Time.TotalSeconds:F2} s: {timing.TokensPerSecond:N0} tokens a second");
        Line($"{model.Layers.Sum(layer => layer.ByteLength):N0} bytes of weights in {model.Layers.Count()} layers of 4 bits");
        if (device is not null)
        {
            Line($"on {device}; everything else ran on the processor");
        }

        foreach (IGrouping<string, Linear4Bit> kernel in model.Layers.GroupBy(layer => device?.Kernel(layer) ?? layer.Kernel.ToString()))
        {
            Line($"{kernel.Count(),4} × {kernel.Key}");
        }

        void Line(FormattableString text) => output.WriteLine(text.ToString(CultureInfo.InvariantCulture));
    }
}
