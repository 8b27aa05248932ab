using System.ComponentModel;
using Q4Gen.Kernels;
using Q4Gen.Loading;

namespace Q4Gen;

/// <summary>
/// A load of a whole model in progress. It walks the model twice: the first walk reads and checks every layer and
/// creates what is missing, the second, which starts only if the first went through, assigns them. So a load that
/// fails leaves the model's layers as they were.
/// </summary>
/// <remarks>Not thread-safe; one load, one thread. Reading a layer may itself use all processors.</remarks>
public sealed partial class ModelLoad
{
    // Far deeper than any model nests; a model that holds itself is found out here instead of by a stack overflow.
    private const int MaxDepth = 64;

    private readonly Queue<object> _read = new();
    private readonly List<Linear4Bit> _replaced = [];
    private readonly List<Action> _commits = [];
    private int _depth;

    private ModelLoad(IWeightSource weights) => Weights = weights;

    /// <summary>Where the tensors come from, for a model's <c>OnLoad</c> to read others than layers.</summary>
    public IWeightSource Weights { get; }

    /// <summary>Whether this is the walk that assigns what the first one read.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public bool IsAssigning { get; private set; }

    /// <summary>
    /// Fills every layer of <paramref name="model"/> and of its children, or, where anything is missing or wrong, none.
    /// Layers that are replaced are disposed once all are assigned.
    /// </summary>
    /// <param name="model">The model; by reference, so that structs are filled in place.</param>
    /// <param name="weights">Where the tensors are.</param>
    /// <param name="prefix">Name of the model in the source, without the last dot; empty for the root.</param>
    /// <exception cref="WeightFormatException">A tensor is missing, or has the wrong type, shape or values.</exception>
    /// <exception cref="InvalidOperationException">A child is null and cannot be created, or a model holds itself.</exception>
    public static void Load<T>(ref T model, IWeightSource weights, string prefix)
        where T : ILinear4BitModel
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(prefix);
        var load = new ModelLoad(weights);
        try
        {
            load.Walk(ref model, prefix);
            load.IsAssigning = true;
            load.Walk(ref model, prefix);
        }
        catch
        {
            foreach (object item in load._read)
            {
                (item as Linear4Bit)?.Dispose();
            }

            throw;
        }

        foreach (Action commit in load._commits)
        {
            commit();
        }

        foreach (Linear4Bit layer in load._replaced)
        {
            layer.Dispose();
        }
    }

    /// <summary>Joins two parts of a tensor name with a dot; an empty part leaves none.</summary>
    public static string Join(string prefix, string name) =>
        prefix.Length == 0 ? name : name.Length == 0 ? prefix : $"{prefix}.{name}";

    /// <summary>Visits a layer of a generated property.</summary>
    /// <param name="prefix">Name of the model that has it.</param>
    /// <param name="name">Its name in the model.</param>
    /// <param name="family">The kernels of the declared shape.</param>
    /// <param name="hasBias">Whether it declares a bias.</param>
    /// <param name="isAffine">Whether it declares affine weights.</param>
    /// <param name="layer">Where it goes.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Layer(string prefix, string name, KernelFamily family, bool hasBias, bool isAffine, ref Linear4Bit? layer)
    {
        if (IsAssigning)
        {
            Replace(ref layer);
        }
        else
        {
            _read.Enqueue(new Linear4Bit(family.Best, LayerLoader.Load(Weights, Join(prefix, name), family.Shape, hasBias, isAffine)));
        }
    }

    /// <summary>Visits a layer whose class is annotated.</summary>
    /// <param name="prefix">Name of the model that has it.</param>
    /// <param name="name">Its name in the model.</param>
    /// <param name="read">The layer class's own <c>Load</c>.</param>
    /// <param name="layer">Where it goes.</param>
    /// <param name="canAssign">Whether what <paramref name="layer"/> gets reaches the model.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Layer<T>(string prefix, string name, Func<IWeightSource, string, T> read, ref T? layer, bool canAssign)
        where T : Linear4Bit
    {
        string path = Join(prefix, name);
        if (!canAssign)
        {
            throw new InvalidOperationException(
                $"'{path}' ({typeof(T).Name}) cannot be assigned: loading makes a new layer; give the member a setter.");
        }

        VisitLayer(path, read, ref layer);
    }

    /// <summary>Visits a child model.</summary>
    /// <param name="prefix">Name of the model that has it.</param>
    /// <param name="name">Its name in the model.</param>
    /// <param name="child">The child; where it is null, a new one is made and assigned.</param>
    /// <param name="create">Makes a child; null where the member cannot be assigned or the type has no parameterless constructor.</param>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Child<T>(string prefix, string name, ref T? child, Func<T>? create)
        where T : ILinear4BitModel => VisitChild(Join(prefix, name), create, ref child);

    /// <summary>Reads a tensor that is no layer, such as a norm or an embedding, as float32.</summary>
    /// <param name="name">Its full name; see <see cref="Join"/>.</param>
    /// <param name="shape">The sizes that it must have, outermost first; a size of −1 takes any.</param>
    /// <exception cref="WeightFormatException">The tensor is missing, or has another shape or a type other than F32, F16 and BF16.</exception>
    public float[] ReadSingle(string name, params ReadOnlySpan<long> shape)
    {
        ArgumentNullException.ThrowIfNull(name);
        string expected = WeightTensor.DescribeShape(shape).Replace("-1", "any", StringComparison.Ordinal);
        if (!Weights.TryGet(name, out WeightTensor? tensor))
        {
            int dot = Math.Max(name.LastIndexOf('.'), 0);
            throw new WeightFormatException(
                $"{MissingTensor.Describe(Weights, name[..dot], name[dot..].TrimStart('.'))} Expected float values of shape {expected}.");
        }

        if (tensor.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
        {
            throw new WeightFormatException(
                $"{Weights.Description}: tensor '{name}' is {tensor}; expected F32, F16 or BF16 values of shape {expected}.");
        }

        bool fits = tensor.Shape.Count == shape.Length && tensor.ElementCount <= Array.MaxLength;
        for (int i = 0; fits && i < shape.Length; i++)
        {
            fits = shape[i] == -1 || shape[i] == tensor.Shape[i];
        }

        return fits
            ? tensor.ToSingleArray()
            : throw new WeightFormatException(
                $"{Weights.Description}: tensor '{name}' is {tensor}; expected shape {expected}. Check the model's sizes against the file's.");
    }

    /// <summary>
    /// Has <paramref name="assign"/> run once everything is read and assigned, so that what a model's <c>OnLoad</c> read
    /// also reaches the model only if the whole load succeeds.
    /// </summary>
    public void OnCommit(Action assign)
    {
        ArgumentNullException.ThrowIfNull(assign);
        _commits.Add(assign);
    }

    private void VisitLayer<T>(string path, Func<IWeightSource, string, T> read, ref T? layer)
        where T : Linear4Bit
    {
        if (IsAssigning)
        {
            Replace(ref layer);
        }
        else
        {
            _read.Enqueue(read(Weights, path));
        }
    }

    private void VisitChild<T>(string path, Func<T>? create, ref T? child)
        where T : ILinear4BitModel
    {
        if (child is not null)
        {
            Walk(ref child, path);
            return;
        }

        if (create is null)
        {
            throw new InvalidOperationException(
                $"'{path}' ({typeof(T).Name}) is null, and the load cannot create it: assign it before Load, or give the "
                + $"member a setter and {typeof(T).Name} an accessible parameterless constructor.");
        }

        T made = Next(create);
        Walk(ref made, path);
        if (IsAssigning)
        {
            child = made;
        }
    }

    private void Walk<T>(ref T model, string path)
        where T : ILinear4BitModel
    {
        if (++_depth > MaxDepth)
        {
            throw new InvalidOperationException(
                $"Models nest more than {MaxDepth} deep at '{path}' ({typeof(T).Name}); a model holds itself. "
                + "Remove [WeightName] from the member that refers back.");
        }

        model.LoadFrom(this, path);
        _depth--;
    }

    /// <summary>Puts the layer that was read here in its place.</summary>
    private void Replace<T>(ref T? layer)
        where T : Linear4Bit
    {
        T? previous = layer;
        layer = Next<T>(null);
        if (previous is not null)
        {
            _replaced.Add(previous);
        }
    }

    /// <summary>Makes an object in the first walk and hands the same one out in the second.</summary>
    private T Next<T>(Func<T>? create)
    {
        if (!IsAssigning)
        {
            T made = create!();
            _read.Enqueue(made!);
            return made;
        }

        return _read.TryPeek(out object? item) && item is T
            ? (T)_read.Dequeue()
            : throw new InvalidOperationException(
                $"A model visited a {typeof(T).Name} in the second walk of a load that it did not visit in the first; "
                + "LoadFrom must visit the same members in the same order each time.");
    }
}
