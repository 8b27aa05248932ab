using System.Text.Json.Serialization;

namespace Storyteller.Text;

/// <summary>Reads the vocabulary without reflection, so that the program can be compiled ahead of time.</summary>
[JsonSerializable(typeof(Dictionary<string, int>))]
internal sealed partial class TokenizerJson : JsonSerializerContext;
