namespace Q4Gen.Import.Packed;

/// <summary>What a GPTQ model's zero points are, which its tensors do not tell: <c>checkpoint_format</c> in its configuration.</summary>
public enum GptqFormat
{
    /// <summary>Zero points less one: <c>gptq</c>, and models that do not say.</summary>
    V1,

    /// <summary>Zero points as they are: <c>gptq_v2</c>.</summary>
    V2,
}
