using Microsoft.ML.OnnxRuntime;

namespace Q4Gen.Benchmarks.Compare;

/// <summary>
/// <c>MatMulNBits</c> of ONNX Runtime: one session a copy of the weights, inputs and outputs bound in advance, so that a
/// call copies and allocates nothing on our side.
/// </summary>
internal sealed class OnnxRuntimeEngine : IEngine
{
    private readonly Workload _work;
    private readonly InferenceSession[] _sessions;
    private readonly OrtIoBinding[] _bindings;
    private readonly RunOptions _runOptions = new();
    private readonly float[] _y;
    private OrtValue? _xValue;
    private OrtValue? _yValue;

    /// <summary>Creates the sessions, which pack the weights for themselves; an <see cref="OnnxRuntimePool"/> must exist.</summary>
    public OnnxRuntimeEngine(Workload work, int threads, int accuracyLevel)
    {
        _work = work;
        Description = $"ONNX Runtime {OrtEnv.Instance().GetVersionString()} MatMulNBits, accuracy_level {accuracyLevel}";
        _y = new float[work.MaxRows * work.Shape.Out];
        byte[] model = OnnxModel.Create(work.Shape, work.Weights, work.Scales, accuracyLevel);
        using SessionOptions options = OnnxRuntimePool.CreateSessionOptions(threads);
        _sessions = [.. Enumerable.Range(0, work.Copies).Select(_ => new InferenceSession(model, options))];
        _bindings = [.. _sessions.Select(static session => session.CreateIoBinding())];
    }

    /// <inheritdoc/>
    public string Description { get; }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Y => _y;

    /// <inheritdoc/>
    public void Prepare(int rows)
    {
        ReleaseValues();
        Linear4BitShape shape = _work.Shape;
        _xValue = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _work.X.AsMemory(0, rows * shape.In), [rows, shape.In]);
        _yValue = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, _y.AsMemory(0, rows * shape.Out), [rows, shape.Out]);
        foreach (OrtIoBinding binding in _bindings)
        {
            binding.BindInput(OnnxModel.Input, _xValue);
            binding.BindOutput(OnnxModel.Output, _yValue);
        }
    }

    /// <inheritdoc/>
    public void Run(int copy) => _sessions[copy].RunWithBinding(_runOptions, _bindings[copy]);

    /// <inheritdoc/>
    public void Dispose()
    {
        Array.ForEach(_bindings, static binding => binding.Dispose());
        Array.ForEach(_sessions, static session => session.Dispose());
        _runOptions.Dispose();
        ReleaseValues();
    }

    private void ReleaseValues()
    {
        _xValue?.Dispose();
        _yValue?.Dispose();
    }
}
