namespace Q4Gen.Import;

/// <summary>What a model's file or folder is, by its content.</summary>
public enum ModelFormat
{
    /// <summary>Safetensors with layers of this library's own layout, <c>weight_4bit</c> and <c>scales_4bit</c>.</summary>
    Q4Gen,

    /// <summary>Safetensors of floats.</summary>
    Safetensors,

    /// <summary>Safetensors of compressed-tensors, pack-quantized.</summary>
    CompressedTensors,

    /// <summary>Safetensors of GPTQ.</summary>
    Gptq,

    /// <summary>Safetensors of AWQ.</summary>
    Awq,

    /// <summary>Safetensors of MLX's affine quantisation.</summary>
    Mlx,

    /// <summary>GGUF.</summary>
    Gguf,

    /// <summary>ONNX with MatMulNBits.</summary>
    Onnx,

    /// <summary>A checkpoint of llama2.c.</summary>
    Llama2c,

    /// <summary>Safetensors with layers of this library in panels, as <see cref="PackedFile"/> writes them.</summary>
    Q4GenPacked,
}
