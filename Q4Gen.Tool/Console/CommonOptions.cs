using System.CommandLine;

namespace Q4Gen.Tool.Console;

/// <summary>Arguments and options that several commands have, in the same words.</summary>
internal static class CommonOptions
{
    /// <summary>A model to read.</summary>
    public static Argument<string> Input(string name = "FILE") => new(name)
    {
        Description = "A safetensors file, index or folder, a GGUF, an ONNX model, or a llama2.c checkpoint.",
    };

    /// <summary>The result as JSON.</summary>
    public static Option<bool> Json() => new("--json") { Description = "Prints one JSON document instead of tables." };

    /// <summary>Replaces what is there.</summary>
    public static Option<bool> Force() => new("--force") { Description = "Replaces the output file where it is there." };

    /// <summary>GGUF's tensors under Hugging Face's names.</summary>
    public static Option<bool> HuggingFaceNames() => new("--hf-names")
    {
        Description = "GGUF: gives tensors the names that Hugging Face's Llama, Mistral and Qwen have.",
    };
}
