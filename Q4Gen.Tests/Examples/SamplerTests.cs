using Storyteller.Text;

namespace Q4Gen.Tests.Examples;

/// <summary>How the next token is drawn.</summary>
public sealed class SamplerTests
{
    // Probabilities 0.5, 0.3, 0.15, 0.05, not in order.
    private static readonly float[] s_logits = [.. new[] { 0.15, 0.5, 0.05, 0.3 }.Select(p => (float)Math.Log(p) + 7)];

    [Fact]
    public void Temperature_0_takes_the_likeliest() => Assert.Equal([1], Draw(new Sampler(4, 0, 1, 1)).Keys);

    [Fact]
    public void Tokens_are_drawn_as_often_as_they_are_likely()
    {
        Dictionary<int, double> shares = Draw(new Sampler(4, 1, 1, 1));

        Assert.Equal(0.15, shares[0], 0.02);
        Assert.Equal(0.5, shares[1], 0.02);
        Assert.Equal(0.05, shares[2], 0.02);
        Assert.Equal(0.3, shares[3], 0.02);
    }

    [Fact]
    public void Temperature_divides_the_logits()
    {
        // p² / Σp² at temperature 0.5.
        Assert.Equal(0.25 / 0.365, Draw(new Sampler(4, 0.5f, 1, 1))[1], 0.02);
    }

    [Theory]
    [InlineData(0.01f, new[] { 1 })]
    [InlineData(0.49f, new[] { 1 })]
    [InlineData(0.51f, new[] { 1, 3 })]
    [InlineData(0.79f, new[] { 1, 3 })]
    [InlineData(0.94f, new[] { 0, 1, 3 })]
    [InlineData(0.96f, new[] { 0, 1, 2, 3 })]
    public void Top_p_leaves_the_likeliest_that_reach_it(float topP, int[] expected) =>
        Assert.Equal(expected, Draw(new Sampler(4, 1, topP, 1)).Keys.Order());

    [Theory]
    [InlineData(-0.1f, 1f)]
    [InlineData(float.NaN, 1f)]
    [InlineData(float.PositiveInfinity, 1f)]
    [InlineData(1f, 0f)]
    [InlineData(1f, 1.1f)]
    [InlineData(1f, float.NaN)]
    public void Wrong_settings_are_refused(float temperature, float topP) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Sampler(4, temperature, topP, 1));

    private static Dictionary<int, double> Draw(Sampler sampler)
    {
        const int Draws = 10_000;
        return Enumerable.Range(0, Draws).GroupBy(_ => sampler.Next(s_logits)).ToDictionary(group => group.Key, group => group.Count() / (double)Draws);
    }
}
