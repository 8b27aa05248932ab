using System.Globalization;
using System.Text;
using Q4Gen.Import;

namespace Q4Gen.Tool.Scaffold;

/// <summary>What scaffolded classes are called and come from.</summary>
/// <param name="Namespace">Of the classes.</param>
/// <param name="ClassName">Of the class of the whole model.</param>
/// <param name="FileName">Of the model file, as comments and errors name it.</param>
/// <param name="TensorNames">All names in the file, of tensors that are no layers, too.</param>
internal sealed record ScaffoldOptions(string Namespace, string ClassName, string FileName, IReadOnlyList<string> TensorNames);

/// <summary>Writes annotated classes for the linear layers of a file.</summary>
internal static class ModelScaffold
{
    /// <summary>One C# file; for the same layers always the same, whatever their order.</summary>
    /// <exception cref="WeightFormatException">There are no layers, or some that no class can hold.</exception>
    /// <exception cref="Console.UsageException">A name is none in C#.</exception>
    public static string Write(IReadOnlyList<LinearLayer> layers, ScaffoldOptions options)
    {
        string space = Identifiers.CheckNamespace(options.Namespace);
        string model = Identifiers.CheckClass(options.ClassName);
        if (layers.Count == 0)
        {
            throw new WeightFormatException(
                $"{options.FileName}: there are no linear layers in it, so there is nothing to write a class for; 'q4gen inspect' shows what it holds.");
        }

        foreach (LinearLayer layer in layers)
        {
            Check(layer, options.FileName);
        }

        var names = new List<string>(options.TensorNames);
        names.AddRange(layers.Select(static layer => $"{layer.Name}.weight_4bit"));
        NameNode root = NameNode.Parse(layers, options.FileName);
        IReadOnlyList<PlannedClass> classes = PlanNames.Assign(new ClassPlanner(names).Plan(root, model));
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"// Written by 'q4gen scaffold' for {LayerText.Xml(options.FileName)}, and yours to change.\n\n");
        text.Append(CultureInfo.InvariantCulture, $"using Q4Gen;\n\nnamespace {space};\n");
        foreach (PlannedClass planned in classes)
        {
            text.Append('\n');
            ClassWriter.Write(text, planned, planned == classes[0] ? options.FileName : null, layers.Count);
        }

        return text.ToString();
    }

    private static void Check(LinearLayer layer, string file)
    {
        Linear4BitShape shape = layer.Shape;
        if (shape.In <= 0 || shape.Out <= 0 || shape.Group <= 0 || shape.In % 2 != 0)
        {
            throw new WeightFormatException(
                $"{file}: layer '{layer.Name}' is {shape}, but input features must be positive and even, output features and group positive; no 4-bit layer can have this shape.");
        }

        if (Math.Max(shape.PackedWeightBytes, shape.PackedScaleBytes) > int.MaxValue)
        {
            throw new WeightFormatException(
                $"{file}: layer '{layer.Name}' is {shape} and takes {Math.Max(shape.PackedWeightBytes, shape.PackedScaleBytes)} bytes, but a layer can have {int.MaxValue}; split it into layers of fewer output features.");
        }
    }
}
