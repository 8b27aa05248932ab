namespace Q4Gen.Tests.Runtime;

/// <summary>Bad input gets one error that names what was found and what was expected.</summary>
public sealed class Linear4BitValidationTests
{
    private static readonly Linear4BitSample s_sample = Linear4BitSample.Create(new Linear4BitShape(64, 37, 32), bias: true);

    public delegate void Call(Linear4Bit layer, ReadOnlySpan<float> x, Span<float> y);

    public static TheoryData<string, Call> Calls => new()
    {
        { "Forward", (layer, x, y) => layer.Forward(x, y) },
        { "ForwardUnpack", (layer, x, y) => layer.ForwardUnpack(x, y) },
    };

    [Theory]
    [MemberData(nameof(Calls), DisableDiscoveryEnumeration = true)]
    public void InputThatIsNoWholeNumberOfRows(string name, Call call)
    {
        using Linear4Bit layer = s_sample.Layer();
        foreach (int length in new[] { 1, 63, 65, 127 })
        {
            string message = Assert.Throws<ArgumentException>("x", () => call(layer, new float[length], new float[1000])).Message;
            Assert.True(message.Contains($"{length} elements") && message.Contains("In = 64"), $"{name}: {message}");
        }
    }

    [Theory]
    [MemberData(nameof(Calls), DisableDiscoveryEnumeration = true)]
    public void OutputThatIsTooShort(string name, Call call)
    {
        using Linear4Bit layer = s_sample.Layer();
        var y = new float[73];
        string message = Assert.Throws<ArgumentException>("y", () => call(layer, new float[128], y)).Message;
        Assert.True(message.Contains("73 elements") && message.Contains("take 74"), $"{name}: {message}");
        Assert.False(y.AsSpan().ContainsAnyExcept(0f), "Something was written before the error.");
    }

    [Theory]
    [MemberData(nameof(Calls), DisableDiscoveryEnumeration = true)]
    public void OverlapOfInputAndOutput(string name, Call call)
    {
        using Linear4Bit layer = s_sample.Layer();
        var memory = new float[200];
        string message = Assert.Throws<ArgumentException>("y", () => call(layer, memory.AsSpan(0, 64), memory.AsSpan(63))).Message;
        Assert.True(message.Contains("overlap"), $"{name}: {message}");

        // Input that lies behind the outputs of a longer span is no overlap.
        call(layer, memory.AsSpan(37, 64), memory);
    }

    [Theory]
    [MemberData(nameof(Calls), DisableDiscoveryEnumeration = true)]
    public void DisposedLayer(string name, Call call)
    {
        Linear4Bit layer = s_sample.Layer();
        layer.Dispose();
        string message = Assert.Throws<ObjectDisposedException>(() => call(layer, new float[64], new float[37])).Message;
        Assert.True(message.Contains("Q4Gen.Linear4Bit") && message.Contains("64→37 g32"), $"{name}: {message}");
        Assert.Throws<ObjectDisposedException>(() => call(layer, default, default));
    }

    [Fact]
    public void DisposedLayerHasNoContents()
    {
        Linear4Bit layer = s_sample.Layer();
        layer.Dispose();
        Assert.Throws<ObjectDisposedException>(layer.Clone);
        Assert.Throws<ObjectDisposedException>(() => layer.CloneFor(KernelIsa.Scalar));
        Assert.Throws<ObjectDisposedException>(() => layer.CopyWeight4Bit(new byte[37 * 32]));
        Assert.Throws<ObjectDisposedException>(() => layer.CopyScales4Bit(new Half[37 * 2]));
        Assert.Throws<ObjectDisposedException>(() => layer.CopyBias(new float[37]));
        Assert.Throws<ObjectDisposedException>(() => layer.ToTensors("a"));
    }

    [Fact]
    public void FeaturesAndGroupThatNoLayerHas()
    {
        Assert.Throws<ArgumentOutOfRangeException>("In", () => new Linear4Bit(63, 4, 32, default, default));
        Assert.Throws<ArgumentOutOfRangeException>("In", () => new Linear4Bit(0, 4, 32, default, default));
        Assert.Throws<ArgumentOutOfRangeException>("Out", () => new Linear4Bit(64, 0, 32, default, default));
        Assert.Throws<ArgumentOutOfRangeException>("Group", () => new Linear4Bit(64, 4, 0, default, default));
    }

    [Fact]
    public void SpansOfTheWrongLength()
    {
        AssertRefused("weight4Bit", "1183 bytes", "takes 1184", weight: new byte[37 * 32 - 1]);
        AssertRefused("scales4Bit", "75 scales", "takes 74", scales: new Half[37 * 2 + 1]);
        AssertRefused("bias", "36 elements", "takes 37", bias: new float[36]);
    }

    [Theory]
    [InlineData(float.NaN, "NaN")]
    [InlineData(float.PositiveInfinity, "Infinity")]
    [InlineData(float.NegativeInfinity, "-Infinity")]
    public void ScalesAndBiasesThatAreNotFinite(float bad, string text)
    {
        var scales = (Half[])s_sample.Scales.Clone();
        scales[2 * 36 + 1] = (Half)bad;
        AssertRefused("scales4Bit", "scales4Bit[36, 1]", $"is {text}", scales: scales);
        var bias = (float[])s_sample.Bias.Clone();
        bias[5] = bad;
        AssertRefused("bias", "bias[5]", $"is {text}", bias: bias);
    }

    [Fact]
    public void DestinationsOfTheWrongLength()
    {
        using Linear4Bit layer = s_sample.Layer();
        Assert.Throws<ArgumentException>("weight4Bit", () => layer.CopyWeight4Bit(new byte[37 * 32 + 1]));
        Assert.Throws<ArgumentException>("scales4Bit", () => layer.CopyScales4Bit(new Half[37 * 2 - 1]));
        Assert.Throws<ArgumentException>("destination", () => layer.CopyBias(new float[38]));
        Assert.Throws<ArgumentNullException>("prefix", () => layer.ToTensors(null!));
    }

    [Fact]
    public void ReferenceChecksItsInputToo()
    {
        (Linear4BitShape shape, byte[] weight, Half[] scales, float[] bias) = s_sample;
        Assert.Throws<ArgumentException>("weight4Bit", () => Linear4BitReference.Forward(shape, weight.AsSpan(1), scales, bias, default));
        Assert.Throws<ArgumentException>("scales4Bit", () => Linear4BitReference.Forward(shape, weight, scales.AsSpan(1), bias, default));
        Assert.Throws<ArgumentException>("bias", () => Linear4BitReference.Forward(shape, weight, scales, bias.AsSpan(1), default));
        Assert.Throws<ArgumentException>("x", () => Linear4BitReference.Forward(shape, weight, scales, bias, new float[65]));
        Assert.Empty(Linear4BitReference.Forward(shape, weight, scales, bias, default));
    }

    private static void AssertRefused(
        string parameter, string found, string expected, byte[]? weight = null, Half[]? scales = null, float[]? bias = null)
    {
        string message = Assert.Throws<ArgumentException>(
            parameter, () => new Linear4Bit(64, 37, 32, weight ?? s_sample.Weight, scales ?? s_sample.Scales, bias ?? s_sample.Bias)).Message;
        Assert.Contains(found, message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }
}
