using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using Q4Gen;

// Weights as a file would hold them: two 4-bit columns a byte, and one scale for 128 columns of a row. Random here.
const int In = 4096, Out = 11008, Group = 128;
var random = new Random(42);
var weights = new byte[Out * In / 2];
random.NextBytes(weights);
Half[] scales = [.. Enumerable.Range(0, Out * In / Group).Select(_ => (Half)(0.02f * random.NextSingle()))];

var tensors = new Dictionary<string, WeightTensor>
{
    ["gate_proj.weight_4bit"] = WeightTensor.FromByte(weights, Out, In / 2),
    ["gate_proj.scales_4bit"] = WeightTensor.FromHalf(scales, Out, In / Group),
};

// Loading checks every shape against the attribute below, then packs the weights for the kernels.
using GateProj layer = GateProj.LoadDirect(tensors, "gate_proj");

float[] x = [.. Enumerable.Range(0, In).Select(_ => random.NextSingle() * 2 - 1)];
var y = new float[Out];
var expected = new float[Out];
layer.Forward(x, y);
layer.ForwardUnpack(x, expected);
float error = TensorPrimitives.Distance<float>(y, expected) / TensorPrimitives.Norm<float>(expected);

Line($"{layer.Shape}, {layer.ByteLength / 1e6:F1} MB");
Line($"kernel         {layer.Kernel}");
Line($"error          {error:0.0e-0} relative to ForwardUnpack");
double fused = Measure("Forward", 101, () => layer.Forward(x, y));
double unpacked = Measure("ForwardUnpack", 5, () => layer.ForwardUnpack(x, expected));
Line($"fused is {unpacked / fused:F0} times as fast as dequantising first");
return error < 1e-5f ? 0 : 1;

double Measure(string name, int runs, Action run)
{
    var times = new double[runs];
    for (int i = 0; i < runs; i++)
    {
        long start = Stopwatch.GetTimestamp();
        run();
        times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
    }

    Array.Sort(times);
    double median = times[runs / 2];
    Line($"{name,-14} {median,8:N0} µs {layer.ByteLength / median / 1e3,6:F1} GB/s");
    return median;
}

void Line(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

/// <summary>A layer; the compiler writes its kernels for exactly this shape.</summary>
[Linear4Bit(In = 4096, Out = 11008, Group = 128)]
internal sealed partial class GateProj;
