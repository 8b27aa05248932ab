using System.Collections.Generic;
using System.Linq;
using Q4Gen.Generator.Model;
using static Q4Gen.Generator.Emit.GeneratedText;

namespace Q4Gen.Generator.Emit;

/// <summary>Prints the generated part of a container: its layers' properties, and how a load walks through it.</summary>
internal static class ContainerEmitter
{
    public static SourceFile Emit(ContainerSpec spec)
    {
        var writer = new SourceWriter();
        Header(writer, [.. Story(spec)]);
        string bases = spec.LoadFrom is LoadFromKind.Override or LoadFromKind.None ? "" : "global::Q4Gen.ILinear4BitModel";
        string attributes = spec.NeedsLayoutAttribute && spec.Layers.Count > 0
            ? "[global::System.Runtime.InteropServices.StructLayout(global::System.Runtime.InteropServices.LayoutKind.Auto)]"
            : "";
        Inside(writer, spec.Shell, bases, attributes, () => WriteMembers(writer, spec));
        return new SourceFile(spec.Shell.HintName, writer.ToString());
    }

    private static IEnumerable<string> Story(ContainerSpec spec)
    {
        if (spec.LoadFrom == LoadFromKind.None)
        {
            yield return $"No layers can be generated for {spec.Shell.DisplayName}, as a diagnostic says.";
            yield break;
        }

        yield return $"How {spec.Shell.DisplayName} holds and loads its 4-bit layers, as its attributes say.";
        if (spec.LoadFrom is LoadFromKind.Override or LoadFromKind.New)
        {
            yield return "What its base type holds comes first.";
        }

        if (spec.Layers.Count > 0)
        {
            yield return "";
            yield return "Layers, with the tensor names under the prefix given to Load, and the kernels written for each shape:";
            foreach (LayerPropertySpec layer in spec.Layers)
            {
                yield return $"  {layer.Name}: {OneLine(layer.TensorName)}.*, {Describe(layer.Shape, layer.HasBias, layer.IsAffine)}, {layer.Shape.FamilyName}";
            }
        }

        if (spec.Children.Count > 0)
        {
            yield return "";
            yield return "Children that are loaded with it:";
            foreach (ChildSpec child in spec.Children)
            {
                string index = child.Collection == ChildCollection.None ? "" : ".{index}";
                yield return $"  {child.Name}: {OneLine(child.TensorName)}{index}.*, {OneLine(child.Type.Replace("global::", ""))}";
            }
        }
    }

    private static void WriteMembers(SourceWriter writer, ContainerSpec spec)
    {
        foreach (LayerPropertySpec layer in spec.Layers)
        {
            WriteProperty(writer, spec, layer);
            writer.Line();
        }

        foreach (RejectedPropertySpec property in spec.Rejected)
        {
            WriteRejected(writer, spec, property);
            if (spec.LoadFrom != LoadFromKind.None || !property.Equals(spec.Rejected[spec.Rejected.Count - 1]))
            {
                writer.Line();
            }
        }

        if (spec.LoadFrom == LoadFromKind.None)
        {
            return;
        }

        if (spec.EmitLoad)
        {
            WriteLoad(writer, spec);
            writer.Line();
        }

        WriteLoadFrom(writer, spec);
        writer.Line();
        writer.Line("/// <summary>");
        writer.Line("/// Implement it to read tensors that are no layers, such as norms and embeddings, with the same load: it runs while");
        writer.Line("/// everything is read and before anything is assigned.");
        writer.Line("/// </summary>");
        writer.Line("/// <param name=\"load\">The load in progress; see its Weights, ReadSingle and OnCommit.</param>");
        writer.Line("/// <param name=\"prefix\">Name of this model in the source; empty for the root.</param>");
        writer.Line("partial void OnLoad(global::Q4Gen.ModelLoad load, string prefix);");
    }

    private static void WriteProperty(SourceWriter writer, ContainerSpec spec, LayerPropertySpec layer)
    {
        string owner = $"{spec.Shell.Name}.{layer.Name}";
        writer.Line("[global::System.Diagnostics.DebuggerBrowsable(global::System.Diagnostics.DebuggerBrowsableState.Never)]");
        writer.Line($"private global::Q4Gen.Linear4Bit? {layer.Field};");
        writer.Line();
        if (!layer.IsDocumented)
        {
            writer.Line($"/// <summary>Layer <c>{Xml(layer.TensorName)}</c>: {Describe(layer.Shape, layer.HasBias, layer.IsAffine)}, run by <c>{layer.Shape.FamilyName}</c>.</summary>");
            WriteTensors(writer, layer.TensorName.Length == 0 ? "" : layer.TensorName + ".", layer.Shape, layer.HasBias, layer.IsAffine);
            if (!layer.IsNullable)
            {
                writer.Line("/// <exception cref=\"global::System.InvalidOperationException\">It is read before it is loaded.</exception>");
            }

            if (layer.Setter.Length > 0)
            {
                writer.Line("/// <exception cref=\"global::System.ArgumentException\">A layer with other features is assigned.</exception>");
            }
        }

        writer.Line(GeneratedCode);
        using (writer.Block($"{layer.Modifiers} global::Q4Gen.Linear4Bit{(layer.IsNullable ? "?" : "")} {layer.Identifier}"))
        {
            string missing = layer.IsNullable ? "" : $" ?? throw global::Q4Gen.Loading.GeneratedLayer.NotLoaded({Literal(owner)})";
            writer.Line($"{layer.Getter} => this.{layer.Field}{missing};");
            if (layer.Setter.Length > 0)
            {
                string check = $"global::Q4Gen.Loading.GeneratedLayer.Check(value, {Number(layer.Shape.In)}, {Number(layer.Shape.Out)}, {Literal(owner)})";
                writer.Line($"{layer.Setter} => this.{layer.Field} = {(layer.IsNullable ? "value is null ? null : " : "")}{check};");
            }
        }
    }

    private static void WriteRejected(SourceWriter writer, ContainerSpec spec, RejectedPropertySpec property)
    {
        writer.Line("// Without a body the compiler would stop at this property, before the diagnostic that says what is wrong with it.");
        if (!property.IsDocumented)
        {
            writer.Line("/// <summary>No layer: its declaration is in error.</summary>");
        }

        writer.Line(GeneratedCode);
        using (writer.Block(property.Declaration))
        {
            string error = $"throw new global::System.InvalidOperationException({Literal($"The declaration of {spec.Shell.Name}.{property.Name} is in error.")});";
            foreach (string accessor in new[] { property.Getter, property.Setter }.Where(accessor => accessor.Length > 0))
            {
                writer.Line($"{accessor} => {error}");
            }
        }
    }

    private static void WriteLoad(SourceWriter writer, ContainerSpec spec)
    {
        writer.Line("/// <summary>Fills every layer, and every child's, or, where anything is missing or wrong, none.</summary>");
        writer.Line("/// <param name=\"weights\">Where the tensors are.</param>");
        writer.Line("/// <param name=\"prefix\">Name of this model in the source, without the last dot; empty for the root.</param>");
        writer.Line("/// <remarks>Layers that are replaced are disposed once all are assigned.</remarks>");
        writer.Line("/// <exception cref=\"global::Q4Gen.WeightFormatException\">A tensor is missing, or has the wrong type, shape or values.</exception>");
        writer.Line("/// <exception cref=\"global::System.InvalidOperationException\">A child is null and cannot be created.</exception>");
        writer.Line(GeneratedCode);
        using (writer.Block("public void Load(global::Q4Gen.IWeightSource weights, string prefix = \"\")"))
        {
            if (spec.IsValueType)
            {
                writer.Line("global::Q4Gen.ModelLoad.Load(ref this, weights, prefix);");
            }
            else
            {
                writer.Line("var model = this;");
                writer.Line("global::Q4Gen.ModelLoad.Load(ref model, weights, prefix);");
            }
        }
    }

    private static void WriteLoadFrom(SourceWriter writer, ContainerSpec spec)
    {
        string modifiers = spec.LoadFrom switch
        {
            LoadFromKind.Virtual => "virtual ",
            LoadFromKind.Override => "override ",
            LoadFromKind.New => "new virtual ",
            _ => "",
        };
        writer.Line("/// <inheritdoc cref=\"global::Q4Gen.ILinear4BitModel.LoadFrom\"/>");
        writer.Line(GeneratedCode);
        writer.Line(Hidden);
        using (writer.Block($"public {modifiers}void LoadFrom(global::Q4Gen.ModelLoad load, string prefix)"))
        {
            if (spec.LoadFrom is LoadFromKind.Override or LoadFromKind.New)
            {
                writer.Line("base.LoadFrom(load, prefix);");
            }

            foreach (LayerPropertySpec layer in spec.Layers)
            {
                writer.Line($"load.Layer(prefix, {Literal(layer.TensorName)}, {Kernels(layer.Shape)}, hasBias: {(layer.HasBias ? "true" : "false")}, isAffine: {(layer.IsAffine ? "true" : "false")}, ref this.{layer.Field});");
            }

            foreach (ChildSpec child in spec.Children)
            {
                WriteChild(writer, child);
            }

            if (spec.Layers.Count + spec.Children.Count > 0)
            {
                writer.Line();
            }

            using (writer.Block("if (!load.IsAssigning)"))
            {
                writer.Line("this.OnLoad(load, prefix);");
            }
        }
    }

    private static void WriteChild(SourceWriter writer, ChildSpec child)
    {
        if (child.IsField)
        {
            writer.Line(Visit(child, $"this.{child.Identifier}!"));
            return;
        }

        bool isInPlaceStruct = child is { IsValueType: true, Collection: ChildCollection.None };
        writer.Line();
        writer.Line($"// {OneLine(child.Name)} cannot be passed by reference{(child.CanAssign ? "" : " or assigned")}, so it goes through a local.");
        using (writer.Block())
        {
            string type = child.Collection switch
            {
                ChildCollection.Array => child.Type + "[]?",
                ChildCollection.List => $"global::System.Collections.Generic.List<{child.Type}>?",
                ChildCollection.ReadOnlyList => $"global::System.Collections.Generic.IReadOnlyList<{child.Type}>?",
                _ => child.Type + (isInPlaceStruct ? "" : "?"),
            };
            writer.Line($"{type} child = this.{child.Identifier}{(child.Collection == ChildCollection.None ? "" : "!")};");
            writer.Line(Visit(child, "child"));
            if (child.CanAssign && isInPlaceStruct)
            {
                writer.Line($"this.{child.Identifier} = child;");
            }
            else if (child.CanAssign)
            {
                using (writer.Block("if (load.IsAssigning)"))
                {
                    writer.Line($"this.{child.Identifier} = child!;");
                }
            }
        }
    }

    private static string Visit(ChildSpec child, string place)
    {
        string target = $"prefix, {Literal(child.TensorName)}";
        string canAssign = $"canAssign: {(child.CanAssign ? "true" : "false")}";
        string create = child.CanCreate ? $"static () => new {child.Type}()" : "create: null";
        string read = $"{child.Type}.Load";
        return (child.IsLayer, child.Collection) switch
        {
            (true, ChildCollection.None) => $"load.Layer<{child.Type}>({target}, {read}, ref {place}, {canAssign});",
            (true, _) => $"load.Layers<{child.Type}>({target}, {read}, ref {place}, {canAssign});",
            (false, ChildCollection.None) => $"load.Child<{child.Type}>({target}, ref {place}, {(child.CanAssign ? create : "create: null")});",
            (false, _) => $"load.Children<{child.Type}>({target}, ref {place}, {create}, {canAssign});",
        };
    }
}
