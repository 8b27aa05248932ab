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

/// <summary>A layer of a tiny model, where a call itself is what costs.</summary>
[Linear4Bit(In = 128, Out = 384, Group = 128)]
internal sealed partial class Small128x384;

/// <summary>The same with more scales.</summary>
[Linear4Bit(In = 128, Out = 384, Group = 32)]
internal sealed partial class Small128x384Group32;

/// <summary>The same as <see cref="Gate4096x11008"/> with 8-bit activations.</summary>
[Linear4Bit(In = 4096, Out = 11008, Group = 128, Precision = Linear4BitPrecision.Int8Activations)]
internal sealed partial class Gate4096x11008Int8;

/// <summary>The same as <see cref="Down11008x4096"/> with 8-bit activations.</summary>
[Linear4Bit(In = 11008, Out = 4096, Group = 128, Precision = Linear4BitPrecision.Int8Activations)]
internal sealed partial class Down11008x4096Int8;

/// <summary>The same as <see cref="Square4096"/> with 8-bit activations.</summary>
[Linear4Bit(In = 4096, Out = 4096, Group = 64, Precision = Linear4BitPrecision.Int8Activations)]
internal sealed partial class Square4096Int8;

/// <summary>The same as <see cref="Gate2048x5632"/> with 8-bit activations.</summary>
[Linear4Bit(In = 2048, Out = 5632, Group = 32, Precision = Linear4BitPrecision.Int8Activations)]
internal sealed partial class Gate2048x5632Int8;

/// <summary>The same as <see cref="Small128x384"/> with 8-bit activations.</summary>
[Linear4Bit(In = 128, Out = 384, Group = 128, Precision = Linear4BitPrecision.Int8Activations)]
internal sealed partial class Small128x384Int8;
