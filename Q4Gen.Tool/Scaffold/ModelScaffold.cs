using System.Globalization;
using System.Text;
using Q4Gen.Import;
using Q4Gen.Tool.Commands;

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
        LayerShapes.Check(layers, options.FileName);
        var names = new List<string>(options.TensorNames);
        names.AddRange(layers.Select(static layer => $"{layer.Name}.weight_4bit"));
        NameNode root = NameNode.Parse(layers, options.FileName);
        IReadOnlyList<PlannedClass> classes = PlanNames.Assign(new ClassPlanner(names).Plan(root, model));
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"// Written by 'q4gen scaffold' for {LayerText.Xml(options.FileName)}, and yours to change.\n");
        if (layers.Count(static layer => !layer.IsQuantized) is > 0 and int floats)
        {
            text.Append(CultureInfo.InvariantCulture, $"// {floats} of its layers are floats: 'q4gen quantize' writes the file with 4-bit layers that these classes load.\n");
        }

        text.Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"using Q4Gen;\n\nnamespace {space};\n");
        foreach (PlannedClass planned in classes)
        {
            text.Append('\n');
            ClassWriter.Write(text, planned, planned == classes[0] ? options.FileName : null, layers.Count);
        }

        return text.ToString();
    }
}
