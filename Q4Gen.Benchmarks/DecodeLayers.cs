namespace Q4Gen.Benchmarks;

/// <summary>The gate of a 7B Llama.</summary>
[Linear4Bit(In = 4096, Out = 11008, Group = 128)]
internal sealed partial class Gate4096x11008;

/// <summary>Its way back.</summary>
[Linear4Bit(In = 11008, Out = 4096, Group = 128)]
internal sealed partial class Down11008x4096;

/// <summary>A square projection.</summary>
[Linear4Bit(In = 4096, Out = 4096, Group = 64)]
internal sealed partial class Square4096;

/// <summary>A layer of a small model.</summary>
[Linear4Bit(In = 2048, Out = 5632, Group = 32)]
internal sealed partial class Gate2048x5632;
