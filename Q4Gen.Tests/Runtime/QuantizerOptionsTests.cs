using static Q4Gen.Tests.Runtime.QuantizerSamples;

namespace Q4Gen.Tests.Runtime;

/// <summary>Options of the quantiser: groups, offsets in files, importances and the table of errors.</summary>
[Trait(Kernels.Emulated.Trait, Kernels.Emulated.Never)] // The search takes minutes there, and nothing of it depends on the processor.
public sealed class QuantizerOptionsTests
{
    private static readonly Func<string, bool> s_isLinear = name => name.EndsWith("_proj", StringComparison.Ordinal);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void DefaultsAreTheSimpleMethod()
    {
        var shape = new Linear4BitShape(172, 37, 128);
        float[] w = Linear4BitSample.Input(37 * 172);
        WeightTensor tensor = WeightTensor.FromSingle(w, 37, 172);
        QuantizedMatrix old = Linear4BitQuantizer.Quantize(tensor, 128, ct: Cancelled);
        QuantizedMatrix matrix = Linear4BitQuantizer.Quantize(tensor, new QuantizationOptions(), Cancelled);
        Assert.Equal(shape, matrix.Shape);
        Assert.Null(matrix.Offsets4Bit);
        Assert.True(matrix.WeightSpan.SequenceEqual(old.WeightSpan));
        Assert.True(matrix.ScaleSpan.SequenceEqual(old.ScaleSpan));
        Assert.Equal(matrix.RelativeRmsError, matrix.WeightedRmsError);
    }

    [Fact]
    public void ErrorFiguresAreThoseOfTheResult()
    {
        var shape = new Linear4BitShape(172, 9, 64);
        float[] w = Matrix(shape, "all negative", 5);
        float[] u = [.. Linear4BitSample.Input(172).Select(x => x * x)];
        foreach (bool affine in new[] { false, true })
        {
            QuantizedMatrix matrix = Quantize(shape, w, QuantizationMethod.Search, affine, u);
            double[] errors = [.. Dequantize(matrix).Zip(w, (back, original) => original - back)];
            Assert.Equal(Math.Sqrt(errors.Sum(e => e * e) / w.Sum(v => (double)v * v)), matrix.RelativeRmsError, tolerance: 1e-9);
            Assert.Equal(errors.Max(Math.Abs), matrix.MaxAbsoluteError, tolerance: 1e-9);
            double weighted = errors.Select((e, i) => u[i % 172] * e * e).Sum() / w.Select((v, i) => (double)u[i % 172] * v * v).Sum();
            Assert.Equal(Math.Sqrt(weighted), matrix.WeightedRmsError, tolerance: 1e-9);
        }
    }

    [Fact]
    public void OffsetsAreInFileFormat()
    {
        QuantizedMatrix matrix = Quantize(new Linear4BitShape(172, 37, 64), Linear4BitSample.Input(37 * 172), QuantizationMethod.Search, affine: true);
        Assert.Equal("F16 [37, 3]", matrix.Offsets4Bit?.ToString());
        Assert.StartsWith("172→37 g64 affine, relative RMS error 0.", matrix.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AWholeRowIsOneGroup()
    {
        WeightTensor tensor = WeightTensor.FromSingle(Linear4BitSample.Input(37 * 172), 37, 172);
        QuantizedMatrix matrix = Linear4BitQuantizer.Quantize(tensor, new QuantizationOptions { Group = QuantizationOptions.WholeRow }, Cancelled);
        Assert.Equal(new Linear4BitShape(172, 37, 172), matrix.Shape);
        Assert.Equal("F16 [37, 1]", matrix.Scales4Bit.ToString());
    }

    [Fact]
    public void WholeRowsOfAModelShareTheWidestGroup()
    {
        using var folder = new TemporaryFolder();
        TensorDictionary quantized = Linear4BitQuantizer.QuantizeModel(
            Model(), new QuantizationOptions { Group = QuantizationOptions.WholeRow, Method = QuantizationMethod.Search }, s_isLinear, Cancelled);
        Assert.Equal("172", quantized.Metadata["group_size"]);
        SafetensorsWriter.Write(folder["model.safetensors"], quantized);
        using SafetensorsFile file = SafetensorsFile.Open(folder["model.safetensors"]);
        using Linear4Bit narrow = Linear4Bit.Load(file, "a.q_proj");
        using Linear4Bit wide = Linear4Bit.Load(file, "b.k_proj");
        Assert.Equal(1, narrow.Shape.Groups);
        Assert.Equal(1, wide.Shape.Groups);
    }

    [Fact]
    public void AffineModelsHaveOffsets()
    {
        var table = new QuantizationErrorTable();
        var asked = new List<string>();
        var shares = new List<double>();
        var options = new QuantizationOptions
        {
            Group = 64,
            Affine = true,
            Method = QuantizationMethod.Search,
            OnMatrix = table.Add,
            Progress = new Collect(shares.Add),
            Importance = name =>
            {
                asked.Add(name);
                return name == "a.q_proj" ? [.. Enumerable.Range(1, 128).Select(i => (float)i)] : null;
            },
        };
        TensorDictionary quantized = Linear4BitQuantizer.QuantizeModel(
            Model(), options, s_isLinear, Cancelled);
        Assert.Equal(
            ["a.q_proj.weight_4bit", "a.q_proj.scales_4bit", "a.q_proj.offsets_4bit", "b.k_proj.weight_4bit", "b.k_proj.scales_4bit", "b.k_proj.offsets_4bit"],
            quantized.Names);
        Assert.Equal(["a.q_proj", "b.k_proj"], asked);
        Assert.Equal(1, shares[^1]);
        Assert.True(quantized.TryGet("b.k_proj.offsets_4bit", out WeightTensor? offsets));
        Assert.Equal("F16 [32, 3]", offsets.ToString());

        string[] lines = table.ToString().Split('\n');
        Assert.Equal(4, lines.Length);
        Assert.Matches("^tensor +shape +relative RMS +weighted +max abs$", lines[0]);
        Assert.Matches("^a.q_proj +128→6 g64 +0\\.0\\d{3} +0\\.0\\d{3} +0\\.0\\d+$", lines[1]);
        Assert.Matches("^b.k_proj +172→32 g64 ", lines[2]);
        Assert.Equal(lines[0].Length, lines[1].Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void OffsetsThatAreThereAlreadyAreRefused(bool affine)
    {
        TensorDictionary model = Model(("a.q_proj.offsets_4bit", WeightTensor.FromHalf([default], 1, 1)));
        string message = Assert.Throws<WeightFormatException>(
            () => Linear4BitQuantizer.QuantizeModel(model, new QuantizationOptions { Group = 64, Affine = affine }, s_isLinear, Cancelled)).Message;
        Assert.Contains("'a.q_proj.offsets_4bit'", message, StringComparison.Ordinal);
        Assert.Contains("remove one of the two", message, StringComparison.Ordinal);
    }

    [Fact]
    public void OptionsAreChecked()
    {
        WeightTensor matrix = WeightTensor.FromSingle([1, 2], 1, 2);
        Assert.Throws<ArgumentNullException>("options", () => Linear4BitQuantizer.Quantize(matrix, null!, Cancelled));
        Assert.Throws<ArgumentNullException>("options", () => Linear4BitQuantizer.QuantizeModel(Model(), null!, s_isLinear, Cancelled));
        ArgumentOutOfRangeException group = Assert.Throws<ArgumentOutOfRangeException>("Group", () => Linear4BitQuantizer.Quantize(matrix, new QuantizationOptions { Group = -1 }, Cancelled));
        Assert.Contains("QuantizationOptions.WholeRow", group.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>("Method", () => Linear4BitQuantizer.Quantize(matrix, new QuantizationOptions { Method = (QuantizationMethod)7 }, Cancelled));
    }

    [Fact]
    public void ImportancesThatMakeNoSenseAreRefused()
    {
        AssertRefused([1, 2, 3], "has 3 elements", "In = 4");
        AssertRefused([1, -1, 1, 1], "column 1 has -1", "not negative");
        AssertRefused([1, 1, float.NaN, 1], "column 2 has NaN", "finite");
        AssertRefused([1, 1, 1, float.PositiveInfinity], "column 3 has Infinity", "finite");
        AssertRefused([0, 0, 0, -0f], "all of it is zero", "leave the importance out");

        string message = Assert.Throws<ArgumentException>(() => Linear4BitQuantizer.QuantizeModel(
            Model(), new QuantizationOptions { Importance = _ => [1] }, s_isLinear, Cancelled)).Message;
        Assert.Contains("'a.q_proj.weight'", message, StringComparison.Ordinal);

        static void AssertRefused(float[] importance, string found, string expected)
        {
            foreach (QuantizationMethod method in Enum.GetValues<QuantizationMethod>())
            {
                string message = Assert.Throws<ArgumentException>(() => Quantize(new Linear4BitShape(4, 1, 2), [1, 2, 3, 4], method, false, importance)).Message;
                Assert.Contains(found, message, StringComparison.Ordinal);
                Assert.Contains(expected, message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void ColumnsWithoutImportanceDoNotMatter()
    {
        // Each eighth column is a hundred times the others and unimportant.
        var shape = new Linear4BitShape(64, 20, 32);
        float[] w = [.. Matrix(shape, "normal", 9).Select((value, i) => i % 8 == 0 ? 100 * value : value)];
        float[] u = [.. Enumerable.Range(0, 64).Select(i => i % 8 == 0 ? 0f : 1f)];
        Assert.True(Quantize(shape, w, QuantizationMethod.SignedMax, false, u).WeightedRmsError > 0.5);
        Assert.InRange(Quantize(shape, w, QuantizationMethod.Search, false, u).WeightedRmsError, 0, 0.09);
        Assert.InRange(Quantize(shape, w, QuantizationMethod.Search, true, u).WeightedRmsError, 0, 0.09);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void OnlyTheRatiosOfImportancesMatter(bool affine)
    {
        var shape = new Linear4BitShape(64, 20, 32);
        float[] w = Matrix(shape, "normal", 10);
        float[] u = [.. Linear4BitSample.Input(64).Select(Math.Abs)];
        QuantizedMatrix matrix = Quantize(shape, w, QuantizationMethod.Search, affine, u);
        QuantizedMatrix same = Quantize(shape, w, QuantizationMethod.Search, affine, [.. u.Select(value => value * MathF.Pow(2, 90))]);
        Assert.True(matrix.WeightSpan.SequenceEqual(same.WeightSpan));
        Assert.Equal(matrix.WeightedRmsError, same.WeightedRmsError, tolerance: 1e-12);

        // What does not differ is no importance.
        QuantizedMatrix even = Quantize(shape, w, QuantizationMethod.Search, affine, [.. Enumerable.Repeat(0.3f, 64)]);
        Assert.True(Quantize(shape, w, QuantizationMethod.Search, affine).WeightSpan.SequenceEqual(even.WeightSpan));
    }

    [Fact]
    public void TheSimpleMethodOnlyReportsTheImportance()
    {
        var shape = new Linear4BitShape(64, 20, 32);
        float[] w = Matrix(shape, "normal", 10);
        float[] u = [.. Linear4BitSample.Input(64).Select(Math.Abs)];
        QuantizedMatrix matrix = Quantize(shape, w, QuantizationMethod.SignedMax, false, u);
        Assert.True(matrix.WeightSpan.SequenceEqual(Quantize(shape, w, QuantizationMethod.SignedMax).WeightSpan));
        Assert.NotEqual(matrix.RelativeRmsError, matrix.WeightedRmsError);
        Assert.True(Quantize(shape, w, QuantizationMethod.Search, false, u).WeightedRmsError < matrix.WeightedRmsError);
    }

    [Fact]
    public void ColumnImportanceIsTheMeanSquare()
    {
        var importance = new ColumnImportance(2);
        Assert.Throws<InvalidOperationException>(importance.ToArray);
        importance.Add([1, 2, 3, -4]);
        importance.Add([5, 0]);
        Assert.Equal(3, importance.Rows);
        Assert.Equal([35f / 3, 20f / 3], importance.ToArray());
        Assert.Throws<ArgumentException>("x", () => importance.Add([1, 2, 3]));
        Assert.Contains("[1, 0] is NaN", Assert.Throws<ArgumentException>("x", () => importance.Add([1, 2, float.NaN, 3])).Message, StringComparison.Ordinal);
        Assert.Equal(3, importance.Rows);
        Assert.Throws<ArgumentOutOfRangeException>("inFeatures", () => new ColumnImportance(0));
        importance.Add([float.MaxValue, 0]);
        Assert.Equal(float.MaxValue, importance.ToArray()[0]);
    }

    private static TensorDictionary Model(params (string Name, WeightTensor Tensor)[] more)
    {
        var tensors = new Dictionary<string, WeightTensor>
        {
            ["a.q_proj.weight"] = WeightTensor.FromSingle(Linear4BitSample.Input(6 * 128), 6, 128),
            ["b.k_proj.weight"] = WeightTensor.FromSingle(Linear4BitSample.Input(32 * 172), 32, 172),
        };
        foreach ((string name, WeightTensor tensor) in more)
        {
            tensors.Add(name, tensor);
        }

        return new TensorDictionary(tensors, "a test model");
    }

    private sealed class Collect(Action<double> report) : IProgress<double>
    {
        public void Report(double value) => report(value);
    }
}
