using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using Q4Gen.Gpu;
using Q4Gen.Gpu.Kernels;

namespace Q4Gen.Benchmarks.Gpu;

/// <summary>Compares what every kernel of one layer computes with float64, and one run with the next, bit for bit.</summary>
internal sealed class GpuVerification
{
    /// <summary>
    /// What float32 sums may be off, as a share of Σ|w·x| + |b|. Products are exact; tensor cores cut where they add, so this
    /// is above what rounding to nearest explains. What comes out is printed.
    /// </summary>
    private const double SumError = 2e-6;

    /// <summary>
    /// And in the L2 norm, in which thousands of terms cancel. A lost low plane of x shows as 2·10⁻⁴ here, a wrong layout as 1.
    /// </summary>
    private const double NormError = 4e-6;

    /// <summary>Half a unit in the last place of float16's ten bits, as a share.</summary>
    private const double HalfUnit = 1.0 / 2048;

    /// <summary>The exponent of the smallest normal float16.</summary>
    private const int MinHalfExponent = -14;

    private const int Runs = 3;

    private readonly GpuContext _gpu;
    private readonly GpuStream _stream;
    private readonly GpuWorkload _work;
    private readonly Linear4Bit _layer;
    private readonly GpuWeights _weights;
    private readonly Dictionary<GpuElement, Float64Product> _truth = [];

    /// <summary>Verifies <paramref name="layer"/>, which was brought to the stream's GPU, against the weights and rows of <paramref name="work"/>.</summary>
    public GpuVerification(GpuStream stream, GpuWorkload work, Linear4Bit layer)
    {
        _gpu = stream.Context;
        _stream = stream;
        _work = work;
        _layer = layer;
        _weights = (GpuWeights)layer.Weights.Copies.Find(_gpu)!;
    }

    /// <summary>Verifies call after call; what fails does not end it, unless the device itself does.</summary>
    /// <exception cref="AcceleratorException">The device runs nothing more.</exception>
    public IEnumerable<GpuCheck> Run(GpuVerificationPlan plan)
    {
        foreach (GpuCase call in plan.Cases())
        {
            // A kernel alone does not add offsets or follow an order; and what is copied into place, x or y, is the same with them.
            bool isPlain = call.Path is GpuPath.Forward or GpuPath.Unpacked && !call.IsShifted;
            if (_work.Parts == GpuLayerParts.None ? call.Path != GpuPath.Simt || HasFamily : isPlain)
            {
                yield return Verify(call, Kernel(call));
            }
        }
    }

    private bool HasFamily => GpuKernelRegistry.Find(_work.Shape) is not null;

    /// <summary>The kernel that <c>Forward</c> takes for so many rows of aligned x, as its name begins.</summary>
    public static string KernelFor(GpuContext gpu, Linear4BitShape shape, int rows)
    {
        if (GpuKernelRegistry.Find(shape) is not { } family)
        {
            return "generic";
        }

        IReadOnlyList<TensorKernel> kernels = gpu.HasTensorCores ? family.TensorKernels : [];
        return kernels.Count == 0
            ? rows == 1 ? "Gemv" : "Rows4"
            : (kernels.FirstOrDefault(kernel => rows <= kernel.MaxRows) ?? kernels[^1]).Name.Split('_')[0];
    }

    private string Kernel(GpuCase call)
    {
        bool isTensor = call.Path == GpuPath.Forward && _gpu.HasTensorCores && _weights.Kernels.HasTensorKernels;
        string kernel = call.Path switch
        {
            GpuPath.Generic => "generic",
            GpuPath.Unpacked => "unpacked",
            GpuPath.Simt => call.Rows == 1 ? "Gemv" : "Rows4",
            _ when call.IsShifted && !isTensor => "generic",
            _ => KernelFor(_gpu, _work.Shape, isTensor && call.X == GpuElement.Float32 ? 2 * call.Rows : call.Rows),
        };
        return kernel + (isTensor && call.X == GpuElement.Float32 ? ", two planes" : "") + (call.IsShifted ? ", unaligned" : "") + _work.Parts switch
        {
            GpuLayerParts.None => "",
            GpuLayerParts.Offsets => ", offsets",
            GpuLayerParts.Order => ", order",
            _ => ", both",
        };
    }

    private GpuCheck Verify(GpuCase call, string kernel)
    {
        try
        {
            return call.IsNonFinite ? PassOnNonFinite(call, kernel) : Compare(call, kernel);
        }
        catch (Exception exception) when (exception is AcceleratorException or InternalCompilerException)
        {
            // A kernel that the driver does not take leaves the device as it was; one that broke it throws here again.
            _stream.Synchronize();
            return Failed(call, kernel, $"it does not run: {(exception.InnerException ?? exception).Message}");
        }
    }

    private GpuCheck Compare(GpuCase call, string kernel)
    {
        using GuardedTensor x = Input(call), y = Output(call);
        byte[]? first = null;
        for (int run = 0; run < Runs; run++)
        {
            byte[] result = RunOnce(call, x, y);
            if (y.DescribeDamage(result) is { } damage)
            {
                return Failed(call, kernel, damage);
            }

            first ??= result;
            if (!first.AsSpan().SequenceEqual(result))
            {
                return Failed(call, kernel, "two runs do not give the same bits");
            }
        }

        return CompareWithTruth(call, kernel, y.MatrixOf(first!));
    }

    private GpuCheck CompareWithTruth(GpuCase call, string kernel, ReadOnlySpan<byte> y)
    {
        Float64Product truth = Truth(call.X);
        int[] outputs = _work.Outputs;
        double worst = 0, error = 0, norm = 0;
        string? failure = null;
        for (int row = 0; row < call.Rows; row++)
        {
            for (int i = 0; i < outputs.Length; i++)
            {
                int at = row * outputs.Length + i;
                double value = Value(y, call.Y, (long)row * _work.Shape.Out + outputs[i]), expected = truth.Y[at];
                double difference = Math.Abs(value - expected);
                double allowed = SumError * truth.Magnitude[at] + (call.Y == GpuElement.Float16 ? HalfRounding(expected) : 0);

                // Written so that NaN fails.
                if (!(difference <= allowed))
                {
                    failure ??= FormattableString.Invariant(
                        $"y[{row}, {outputs[i]}] is {value:g7}, but float64 gives {expected:g7}: off by {difference / truth.Magnitude[at]:e1} of Σ|w·x| + |b|, and {allowed / truth.Magnitude[at]:e1} is the most that rounding explains");
                }

                worst = double.IsNaN(difference) ? double.NaN : Math.Max(worst, difference / truth.Magnitude[at]);
                error += difference * difference;
                norm += expected * expected;
            }
        }

        double relative = Math.Sqrt(error / norm), most = NormError + (call.Y == GpuElement.Float16 ? HalfUnit * RoundingUnits : 0);
        if (failure is null && !(relative <= most))
        {
            failure = FormattableString.Invariant($"its relative error is {relative:e1}, and {most:e1} is the most that rounding explains");
        }

        return new GpuCheck(_work.Shape, kernel, call, worst, relative, failure);
    }

    /// <summary>A NaN makes its row of y all NaN, infinity makes its row of y nothing finite, and other rows stay as they were.</summary>
    private GpuCheck PassOnNonFinite(GpuCase call, string kernel)
    {
        using GuardedTensor x = Input(call), y = Output(call);
        byte[] plain = RunOnce(call, x, y);
        int row = call.Rows / 2, columns = _work.Shape.In;
        foreach ((float value, int column) in ((float, int)[])[(float.NaN, columns - 1), (float.PositiveInfinity, 0)])
        {
            using GuardedTensor spoilt = Input(call);
            Put(spoilt.Matrix, row * columns + column, value);
            byte[] result = RunOnce(call, spoilt, y);
            if (y.DescribeDamage(result) is { } damage)
            {
                return Failed(call, kernel, damage);
            }

            int rowBytes = _work.Shape.Out * GpuTensor.SizeOf(call.Y);
            ReadOnlySpan<byte> now = y.MatrixOf(result), before = y.MatrixOf(plain);
            if (!now[..(row * rowBytes)].SequenceEqual(before[..(row * rowBytes)])
                || !now[((row + 1) * rowBytes)..].SequenceEqual(before[((row + 1) * rowBytes)..]))
            {
                return Failed(call, kernel, FormattableString.Invariant($"{value} in row {row} of x changes other rows of y"));
            }

            for (int output = 0; output < _work.Shape.Out; output++)
            {
                double found = Value(now, call.Y, (long)row * _work.Shape.Out + output);
                if (double.IsNaN(value) ? !double.IsNaN(found) : double.IsFinite(found))
                {
                    return Failed(call, kernel, FormattableString.Invariant(
                        $"x[{row}, {column}] is {value}, but y[{row}, {output}] is {found:g7}"));
                }
            }
        }

        return new GpuCheck(_work.Shape, kernel, call, null, null, null);
    }

    private GpuCheck Failed(GpuCase call, string kernel, string failure) =>
        new(_work.Shape, kernel, call, null, null, failure);

    private Float64Product Truth(GpuElement x)
    {
        if (!_truth.TryGetValue(x, out Float64Product? product))
        {
            _truth[x] = product = _work.Multiply(x, [.. Enumerable.Range(0, _work.Rows)]);
        }

        return product;
    }

    private byte[] RunOnce(GpuCase call, GuardedTensor x, GuardedTensor y)
    {
        y.Clear();
        if (call.Path == GpuPath.Forward)
        {
            _layer.Forward(x.Matrix, y.Matrix);
        }
        else if (call.Path == GpuPath.Unpacked)
        {
            _layer.ForwardUnpack(x.Matrix, y.Matrix);
        }
        else
        {
            // The generic kernel is what a layer takes whose memory is not aligned.
            _weights.Kernels.RunSimt(_stream.Queue, _weights, GpuMatrix.Of(x.Matrix), GpuMatrix.Of(y.Matrix), call.Rows, isAligned: call.Path == GpuPath.Simt);
        }

        return y.Download();
    }

    private GuardedTensor Input(GpuCase call)
    {
        var x = new GuardedTensor(_stream, call.X, call.Rows, _work.Shape.In, call.XShift, GuardedTensor.NoNumber);
        _work.UploadX(x.Matrix);
        return x;
    }

    private GuardedTensor Output(GpuCase call) =>
        new(_stream, call.Y, call.Rows, _work.Shape.Out, call.YShift, GuardedTensor.Unwritten);

    private static void Put(GpuTensor matrix, int index, float value)
    {
        using GpuTensor flat = matrix.Reshape(checked((int)matrix.Length));
        using GpuTensor element = flat.Slice(index, 1);
        if (matrix.Element == GpuElement.Float16)
        {
            element.Upload([(System.Half)value]);
        }
        else
        {
            element.Upload([value]);
        }
    }

    private static double Value(ReadOnlySpan<byte> y, GpuElement element, long index) => element == GpuElement.Float16
        ? (double)MemoryMarshal.Read<System.Half>(y[(int)(index * sizeof(ushort))..])
        : MemoryMarshal.Read<float>(y[(int)(index * sizeof(float))..]);

    /// <summary>The emulated GPU cuts to float16 where a GPU rounds.</summary>
    private int RoundingUnits => _gpu.IsEmulated ? 2 : 1;

    /// <summary>What rounding to float16 may be off.</summary>
    private double HalfRounding(double value)
    {
        int exponent = value == 0 ? MinHalfExponent : Math.Max(Math.ILogB(value), MinHalfExponent);
        return Math.ScaleB(HalfUnit * RoundingUnits, exponent);
    }
}
