using Q4Gen;
using Storyteller.Decoding;

namespace Storyteller.Commands;

/// <summary>What computes the 4-bit layers in the processor's stead; its text is its name.</summary>
internal interface ILayerDevice : IDisposable
{
    /// <summary>A layer as the decoder computes with it on the device.</summary>
    LinearOp Bring(Linear4Bit layer);

    /// <summary>What computes a layer on the device.</summary>
    string Kernel(Linear4Bit layer);
}
