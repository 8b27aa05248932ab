using System.Collections;
using System.Reflection;
using Q4Gen.Generator.Parsing;
using Q4Gen.Import;
using Q4Gen.Testing;
using Q4Gen.Tests.Runtime;
using Q4Gen.Tool.Scaffold;

namespace Q4Gen.Tests.Tool;

/// <summary>Layers as a file would have them, the classes that are written for them, and what those load.</summary>
internal static class ScaffoldedModel
{
    public const string Space = "Scaffolded";
    public const string File = "model.safetensors";

    public static LinearLayer Layer(string name, int inFeatures, int outFeatures, int group = 32, bool bias = false, bool affine = false) =>
        new(name, new Linear4BitShape(inFeatures, outFeatures, group), bias, affine, "4-bit");

    /// <summary>The classes of some layers; <paramref name="others"/> are names of tensors that are none.</summary>
    public static string Write(IReadOnlyList<LinearLayer> layers, string name = "Model", params string[] others) =>
        ModelScaffold.Write(layers, new ScaffoldOptions(Space, name, File, others));

    /// <summary>
    /// Compiles the classes with the generator under hostile options, without any diagnostic, and loads the layers with
    /// random weights by them, from a file where there is a path. Every layer must be in the model under its own name.
    /// </summary>
    public static async Task<string> CheckAsync(
        IReadOnlyList<LinearLayer> layers, CancellationToken cancellation, string? path = null, params string[] others)
    {
        string text = Write(layers, "Model", others);
        using LoadedProgram program = await CompileAsync([text], cancellation);
        Dictionary<string, WeightTensor> tensors = Tensors(layers);
        foreach (string other in others)
        {
            tensors.Add(other, WeightTensor.FromSingle(new float[1], 1));
        }

        Check(layers, tensors, program.Type($"{Space}.Model"), path);
        return text;
    }

    /// <summary>The same for several models, compiled as one program.</summary>
    public static async Task CheckAllAsync(IReadOnlyList<IReadOnlyList<LinearLayer>> models, CancellationToken cancellation)
    {
        using LoadedProgram program = await CompileAsync(
            [.. models.Select(static (layers, i) => ModelScaffold.Write(layers, new ScaffoldOptions($"{Space}{i}", "Model", File, [])))], cancellation);
        for (int i = 0; i < models.Count; i++)
        {
            Check(models[i], Tensors(models[i]), program.Type($"{Space}{i}.Model"), path: null);
        }
    }

    private static async Task<LoadedProgram> CompileAsync(string[] texts, CancellationToken cancellation)
    {
        HarnessResult result = GeneratorHarness.Run(texts, HarnessOptions.Hostile);
        string problems = string.Join("\n", result.CompilerDiagnostics.Concat(await result.AnalyzeAsync(cancellation)));
        Assert.True(problems.Length == 0, $"{problems}\n\n{string.Join("\n", texts.Take(3))}");
        Assert.All(texts, static text => Assert.DoesNotContain('\r', text));
        return result.Load();
    }

    private static void Check(IReadOnlyList<LinearLayer> layers, Dictionary<string, WeightTensor> tensors, Type type, string? path)
    {
        dynamic model = Activator.CreateInstance(type)!;
        if (path is null)
        {
            model.Load(new TensorDictionary(tensors), "");
        }
        else
        {
            SafetensorsWriter.Write(path, tensors);
            using SafetensorsModel file = SafetensorsModel.Open(path);
            model.Load(file, "");
        }

        Dictionary<string, Linear4Bit> loaded = [];
        Collect((object)model, "", loaded);
        Assert.Equal(layers.Select(static layer => layer.Name).Order(StringComparer.Ordinal), loaded.Keys.Order(StringComparer.Ordinal));
        foreach (LinearLayer layer in layers)
        {
            AssertRight(layer, loaded[layer.Name]);
        }
    }

    private static Dictionary<string, WeightTensor> Tensors(IReadOnlyList<LinearLayer> layers)
    {
        var tensors = new Dictionary<string, WeightTensor>();
        foreach (LinearLayer layer in layers)
        {
            Linear4BitShape shape = layer.Shape;
            Linear4BitSample sample = Sample(layer);
            tensors.Add(ModelLoad.Join(layer.Name, "weight_4bit"), WeightTensor.FromByte(sample.Weight, shape.Out, shape.In / 2));
            tensors.Add(ModelLoad.Join(layer.Name, "scales_4bit"), WeightTensor.FromHalf(sample.Scales, shape.Out, shape.Groups));
            if (layer.IsAffine)
            {
                tensors.Add(ModelLoad.Join(layer.Name, "offsets_4bit"), WeightTensor.FromHalf(Offsets(layer), shape.Out, shape.Groups));
            }

            if (layer.HasBias)
            {
                tensors.Add(ModelLoad.Join(layer.Name, "bias"), WeightTensor.FromSingle(sample.Bias, shape.Out));
            }
        }

        return tensors;
    }

    /// <summary>Weights of the layer's own, by its name.</summary>
    private static Linear4BitSample Sample(LinearLayer layer)
    {
        int seed = layer.Name.Aggregate(17, static (hash, c) => unchecked(hash * 31 + c));
        return Linear4BitSample.Create(layer.Shape, seed, layer.HasBias);
    }

    private static Half[] Offsets(LinearLayer layer) => [.. Sample(layer).Scales.Select(static scale => (Half)((float)scale / 2))];

    private static void AssertRight(LinearLayer expected, Linear4Bit layer)
    {
        Assert.Equal((expected.Shape.In, expected.Shape.Out, expected.HasBias, expected.IsAffine), (layer.In, layer.Out, layer.HasBias, layer.IsAffine));
        Assert.True(layer.Kernel.IsGenerated);
        Linear4BitSample sample = Sample(expected);
        float[] x = Linear4BitSample.Input(expected.Shape.In);
        var y = new float[expected.Shape.Out];
        layer.Forward(x, y);
        double[] truth = Linear4BitReference.Forward(
            expected.Shape, sample.Weight, sample.Scales, sample.Bias, x, expected.IsAffine ? Offsets(expected) : []);
        for (int i = 0; i < y.Length; i++)
        {
            Assert.True(Math.Abs(y[i] - truth[i]) <= 1e-5, $"{expected.Name}: output {i} is {y[i]:R} where float64 gives {truth[i]:R}.");
        }
    }

    /// <summary>Layers of an object and of what it holds, by the names that their attributes give them.</summary>
    private static void Collect(object owner, string prefix, Dictionary<string, Linear4Bit> found)
    {
        foreach (PropertyInfo property in owner.GetType().GetProperties(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly))
        {
            string? given = property.GetCustomAttribute<Linear4BitAttribute>()?.Name ?? property.GetCustomAttribute<WeightNameAttribute>()?.Name;
            string name = ModelLoad.Join(prefix, given ?? SnakeCase.From(property.Name));
            if (property.GetValue(owner) is IEnumerable elements)
            {
                int index = 0;
                foreach (object element in elements)
                {
                    Add(element, ModelLoad.Join(name, FormattableString.Invariant($"{index++}")));
                }
            }
            else
            {
                Add(property.GetValue(owner)!, name);
            }
        }

        void Add(object item, string name)
        {
            if (item is Linear4Bit layer)
            {
                found.Add(name, layer);
            }
            else
            {
                Collect(item, name, found);
            }
        }
    }
}
