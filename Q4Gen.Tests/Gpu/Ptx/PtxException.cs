namespace Q4Gen.Tests.Gpu.Ptx;

/// <summary>What is wrong with a PTX program: the text, or what an instruction did, with the line, the instruction and the thread.</summary>
internal sealed class PtxException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// What an instruction did wrong, as the end of a sentence that begins with the instruction ("reads 16 bytes at ..."). The warp
/// that executes the instruction completes the sentence and throws a <see cref="PtxException"/>.
/// </summary>
internal sealed class PtxFault(string message) : Exception(message);
