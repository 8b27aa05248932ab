namespace Q4Gen.Tool.Bench;

/// <summary>What a model's linear layers take on this machine when one token is decoded; medians.</summary>
/// <param name="File">The model.</param>
/// <param name="Processor">The processor's own name for itself.</param>
/// <param name="InstructionSets">Those of the kernels that it has.</param>
/// <param name="Threads">Threads that share a call.</param>
/// <param name="BandwidthGigabytesPerSecond">What as many threads read from memory, measured in the same rounds.</param>
/// <param name="Rounds">Rounds, in each of which everything was measured.</param>
/// <param name="IsCold">Whether weights came from memory, as in a model; those of very small layers may have stayed in a cache.</param>
/// <param name="Shapes">The different layers.</param>
/// <param name="Token">All layers together.</param>
internal sealed record BenchReport(
    string File,
    string Processor,
    IReadOnlyList<string> InstructionSets,
    int Threads,
    double BandwidthGigabytesPerSecond,
    int Rounds,
    bool IsCold,
    IReadOnlyList<BenchShape> Shapes,
    BenchToken Token);

/// <summary>Layers of one shape.</summary>
/// <param name="In">Input features.</param>
/// <param name="Out">Output features.</param>
/// <param name="Group">Columns that share a scale.</param>
/// <param name="Bias">Whether there is a bias.</param>
/// <param name="Affine">Whether groups have offsets.</param>
/// <param name="InputOrder">Whether columns are in another order than inputs (act-order).</param>
/// <param name="Layers">How many the model has.</param>
/// <param name="Bytes">What a call must read of one.</param>
/// <param name="Exact">With activations in float32.</param>
/// <param name="Int8">With activations rounded to 8 bits inside each call.</param>
internal sealed record BenchShape(
    int In, int Out, int Group, bool Bias, bool Affine, bool InputOrder, int Layers, long Bytes, BenchTime Exact, BenchTime Int8);

/// <summary>One call.</summary>
/// <param name="Kernel">What ran.</param>
/// <param name="Microseconds">How long.</param>
/// <param name="GigabytesPerSecond">At which it read the weights.</param>
/// <param name="ShareOfBandwidth">Of what the machine's memory gives; 1 is all.</param>
internal sealed record BenchTime(string Kernel, double Microseconds, double GigabytesPerSecond, double ShareOfBandwidth);

/// <summary>Every layer once.</summary>
/// <param name="Layers">How many.</param>
/// <param name="Bytes">What they must read.</param>
/// <param name="LeastMicroseconds">What that takes at the machine's bandwidth.</param>
/// <param name="LimitPerSecond">Tokens a second that are possible at that.</param>
/// <param name="Exact">With activations in float32.</param>
/// <param name="Int8">With activations rounded to 8 bits.</param>
/// <param name="HasExperts">Whether names tell of experts, of which a token passes only some.</param>
internal sealed record BenchToken(
    int Layers, long Bytes, double LeastMicroseconds, double LimitPerSecond, BenchTotal Exact, BenchTotal Int8, bool HasExperts);

/// <summary>A token's linear layers.</summary>
/// <param name="Microseconds">How long they take.</param>
/// <param name="TokensPerSecond">As many as if there were nothing else to do.</param>
/// <param name="ShareOfBandwidth">Of what the machine's memory gives; 1 is all.</param>
internal sealed record BenchTotal(double Microseconds, double TokensPerSecond, double ShareOfBandwidth);
