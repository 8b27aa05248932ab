using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using Q4Gen;
using Q4Gen.Gpu;

const int In = 4096, Out = 11008, Group = 128, Rows = 4;
const int Calls = 200;
const int NoDevice = 2;

try
{
    using GpuContext gpu = GpuContext.Create();
    return Run(gpu);
}
catch (GpuUnavailableException exception)
{
    // A GPU that was asked for and is not there is an error; the message says why, and what to do.
    Console.Error.WriteLine(exception.Message);
    return NoDevice;
}

static int Run(GpuContext gpu)
{
    // Weights as a file would hold them; random here.
    var random = new Random(42);
    var weights = new byte[Out * In / 2];
    random.NextBytes(weights);
    Half[] scales = [.. Enumerable.Range(0, Out * In / Group).Select(_ => (Half)(0.02f * random.NextSingle()))];
    Half[] x = [.. Enumerable.Range(0, Rows * In).Select(_ => (Half)(random.NextSingle() * 2 - 1))];

    // The weights stay in host memory, and the GPU gets a copy: the layer then runs where its input lives.
    using var layer = new GateProj(weights, scales);
    layer.To(gpu);
    using GpuTensor xs = GpuTensor.From(gpu, x, Rows, In);
    using GpuTensor ys = GpuTensor.Allocate(gpu, GpuElement.Float16, Rows, Out);
    layer.Forward(xs, ys);
    var y = new Half[Rows * Out];
    ys.Download(y);

    // The same layer, and the same x, on the processor.
    var expected = new float[Rows * Out];
    layer.Forward(x.Select(static value => (float)value).ToArray(), expected);
    float[] actual = [.. y.Select(static value => (float)value)];
    float error = TensorPrimitives.Distance<float>(actual, expected) / TensorPrimitives.Norm<float>(expected);

    Line($"device         {gpu}");
    Line($"kernel         {layer.GpuKernel(gpu)}");
    Line($"error          {error:0.0e-0} relative to the processor, of which float16 results make 2e-4");
    Line($"time           {Measure(gpu, () => layer.Forward(xs, ys)):F1} µs for {Rows} rows, of {Calls} calls in a row");
    return error < 1e-3f ? 0 : 1;
}

// A call returns when its work is queued, so the clock runs until the GPU is done with all of them. The first calls
// compiled the kernel. The same weights in every call may stay in the GPU's cache: a model's layers do not.
static double Measure(GpuContext gpu, Action run)
{
    gpu.DefaultStream.Synchronize();
    long start = Stopwatch.GetTimestamp();
    for (int i = 0; i < Calls; i++)
    {
        run();
    }

    gpu.DefaultStream.Synchronize();
    return Stopwatch.GetElapsedTime(start).TotalMicroseconds / Calls;
}

static void Line(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));

/// <summary>A layer; the compiler writes its kernels for exactly this shape, for the processor and for GPUs.</summary>
[Linear4Bit(In = 4096, Out = 11008, Group = 128)]
internal sealed partial class GateProj;
