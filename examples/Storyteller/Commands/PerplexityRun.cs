using System.Globalization;
using Storyteller.Decoding;
using Storyteller.Scoring;
using Storyteller.Text;

namespace Storyteller.Commands;

/// <summary>
/// Scores a text with the F16 weights and with 4-bit ones at each group, fused and unpacked, as a table. Fused and
/// unpacked compute the same sums, so they must agree but for rounding.
/// </summary>
internal static class PerplexityRun
{
    /// <summary>Largest relative difference between the fused and the unpacked score.</summary>
    private const double Tolerance = 1e-4;

    /// <returns>Whether fused and unpacked agree.</returns>
    public static bool Run(FileInfo file, TextWriter output)
    {
        if (!file.Exists)
        {
            throw new UsageException($"There is no file '{file.FullName}'; give --perplexity a text file.");
        }

        int[] stream = EmbeddedModel.CreateTokenizer().EncodeStories(File.ReadAllText(file.FullName));
        if (stream.Length < 2)
        {
            throw new UsageException($"The file '{file.FullName}' holds no text to score.");
        }

        var table = new ScoreTable(output);
        Score f16 = table.Add("F16", null, null, () => Measure(EmbeddedModel.LoadF16(), stream));
        bool agree = true;
        foreach (int group in (int[])[32, 64, 128])
        {
            using StoryModel model = EmbeddedModel.Load4Bit(group);
            Score unpacked = table.Add($"4-bit g{group}, unpacked", f16, null, () => Measure(model.ToDecoderWeights(layer => layer.ForwardUnpack), stream));
            Score fused = table.Add($"4-bit g{group}", f16, unpacked, () => Measure(model.ToDecoderWeights(layer => layer.Forward), stream));
            agree &= fused.RelativeDifference(unpacked) <= Tolerance;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{f16.Tokens:N0} tokens scored in windows of {StoryModel.Config.Context}."));
        if (!agree)
        {
            output.WriteLine("The kernels are wrong: fused and unpacked differ by more than 1e-4.");
        }

        return agree;
    }

    private static Score Measure(DecoderWeights weights, int[] stream) =>
        new Scorer(new Decoder(StoryModel.Config, weights)).ScoreStream(stream);
}
