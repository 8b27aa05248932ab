namespace Q4Gen.Benchmarks;

/// <summary>A block of a 7B Llama, to load.</summary>
internal sealed partial class LoadedBlock
{
    [Linear4Bit(In = 4096, Out = 4096)]
    public partial Linear4Bit QProj { get; }

    [Linear4Bit(In = 4096, Out = 4096)]
    public partial Linear4Bit KProj { get; }

    [Linear4Bit(In = 4096, Out = 4096)]
    public partial Linear4Bit VProj { get; }

    [Linear4Bit(In = 4096, Out = 4096)]
    public partial Linear4Bit OProj { get; }

    [Linear4Bit(In = 4096, Out = 11008)]
    public partial Linear4Bit GateProj { get; }

    [Linear4Bit(In = 4096, Out = 11008)]
    public partial Linear4Bit UpProj { get; }

    [Linear4Bit(In = 11008, Out = 4096)]
    public partial Linear4Bit DownProj { get; }
}

/// <summary>As many such blocks as the file has.</summary>
[Linear4BitModel]
internal sealed partial class LoadedModel
{
    public LoadedBlock[]? Layers { get; private set; }
}
