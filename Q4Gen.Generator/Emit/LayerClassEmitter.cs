using Q4Gen.Generator.Model;
using static Q4Gen.Generator.Emit.GeneratedText;

namespace Q4Gen.Generator.Emit;

/// <summary>Prints the generated part of an annotated class.</summary>
internal static class LayerClassEmitter
{
    public static SourceFile Emit(LayerClassSpec spec)
    {
        var writer = new SourceWriter();
        LayerShape shape = spec.Shape;
        Header(
            writer,
            $"{spec.Shell.DisplayName} is a 4-bit linear layer, {Describe(shape, spec.HasBias, spec.IsAffine)}, as its [Linear4Bit] says.",
            $"Kernels written for exactly this shape run it: {shape.FamilyName}.");
        Inside(writer, spec.Shell, "global::Q4Gen.Linear4Bit", "", () => WriteMembers(writer, spec));
        return new SourceFile(spec.Shell.HintName, writer.ToString());
    }

    private static void WriteMembers(SourceWriter writer, LayerClassSpec spec)
    {
        LayerShape shape = spec.Shape;
        string name = spec.Shell.Name;
        string identifier = Parsing.SymbolExtensions.ToIdentifier(name);
        string layerShape = SourceWriter.Text($"new global::Q4Gen.Linear4BitShape({shape.In}, {shape.Out}, {shape.Group})");
        string hasBias = spec.HasBias ? "true" : "false";
        string isAffine = spec.IsAffine ? "true" : "false";

        writer.Line($"/// <summary>Packs a layer from memory: {Describe(shape, spec.HasBias, spec.IsAffine)}.</summary>");
        writer.Line("/// <param name=\"weight4Bit\">Packed weights <c>[out, in/2]</c>: byte i of a row holds column 2i in its low nibble, 2i+1 in its high one.</param>");
        writer.Line("/// <param name=\"scales4Bit\">Scales <c>[out, ceil(in/group)]</c>; finite.</param>");
        if (spec.IsAffine)
        {
            writer.Line("/// <param name=\"offsets4Bit\">Offsets <c>[out, ceil(in/group)]</c>; finite.</param>");
        }

        if (spec.HasBias)
        {
            writer.Line("/// <param name=\"bias\">Bias <c>[out]</c>; finite.</param>");
        }

        writer.Line("/// <param name=\"order4Bit\">The input feature that each column multiplies, <c>[in]</c>, each once; empty where columns are in order.</param>");
        writer.Line("/// <exception cref=\"global::System.ArgumentException\">A span has the wrong length, a value is not finite, or the order lacks an input feature.</exception>");
        writer.Line(GeneratedCode);
        writer.Line($"public {identifier}(");
        using (writer.Indent())
        {
            writer.Line("global::System.ReadOnlySpan<byte> weight4Bit,");
            writer.Line("global::System.ReadOnlySpan<global::System.Half> scales4Bit,");
            if (spec.IsAffine)
            {
                writer.Line("global::System.ReadOnlySpan<global::System.Half> offsets4Bit,");
            }

            if (spec.HasBias)
            {
                writer.Line("global::System.ReadOnlySpan<float> bias,");
            }

            writer.Line("global::System.ReadOnlySpan<int> order4Bit = default)");
            string bias = spec.HasBias ? "bias" : "default";
            writer.Line($": this(global::Q4Gen.Loading.GeneratedLayer.Pack({layerShape}, hasBias: {hasBias}, isAffine: {isAffine}, weight4Bit, scales4Bit, {(spec.IsAffine ? "offsets4Bit" : "default")}, {bias}, order4Bit))");
        }

        writer.Line("{");
        writer.Line("}");
        writer.Line();
        writer.Line(GeneratedCode);
        writer.Line($"private {identifier}(global::Q4Gen.Kernels.PackedWeights weights)");
        using (writer.Indent())
        {
            writer.Line($": base({Kernels(shape)}, weights)");
        }

        writer.Line("{");
        writer.Line("}");
        writer.Line();
        writer.Line("/// <summary>Loads the layer named <paramref name=\"prefix\"/> and checks it against the declared shape.</summary>");
        writer.Line("/// <param name=\"weights\">Where the tensors are.</param>");
        writer.Line("/// <param name=\"prefix\">Name of the layer in the source, without the last dot.</param>");
        WriteTensors(writer, "{prefix}.", shape, spec.HasBias, spec.IsAffine);
        writer.Line("/// <exception cref=\"global::Q4Gen.WeightFormatException\">A tensor is missing, or has the wrong type, shape or values.</exception>");
        writer.Line(GeneratedCode);
        writer.Line($"public static {identifier} Load(global::Q4Gen.IWeightSource weights, string prefix) =>");
        using (writer.Indent())
        {
            writer.Line($"new(global::Q4Gen.Loading.GeneratedLayer.Load(weights, prefix, {layerShape}, hasBias: {hasBias}, isAffine: {isAffine}));");
        }

        writer.Line();
        writer.Line("/// <summary>Loads the layer named <paramref name=\"prefix\"/> from tensors in memory.</summary>");
        writer.Line("/// <inheritdoc cref=\"Load(global::Q4Gen.IWeightSource, string)\"/>");
        writer.Line(GeneratedCode);
        writer.Line($"public static {identifier} LoadDirect(");
        using (writer.Indent())
        {
            writer.Line("global::System.Collections.Generic.IReadOnlyDictionary<string, global::Q4Gen.WeightTensor> tensors,");
            writer.Line("string prefix) =>");
            writer.Line("Load(new global::Q4Gen.TensorDictionary(tensors), prefix);");
        }

        writer.Line();
        writer.Line("/// <summary>A second layer on the same weights, which live until both are disposed.</summary>");
        writer.Line(GeneratedCode);
        writer.Line($"public new {identifier} Clone() => new(SharedWeights);");
    }
}
