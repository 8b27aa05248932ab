namespace Q4Gen.Import.Onnx;

/// <summary>An initialiser: a tensor's type, shape and where its bytes are, in the model or in a file beside it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DataType">ONNX's number of its type.</param>
/// <param name="Shape">Sizes, outermost first.</param>
/// <param name="Start">The first byte of its data.</param>
/// <param name="Length">Bytes of its data; null where it has none that are raw.</param>
/// <param name="Location">The file that they are in; null for the model itself.</param>
internal sealed record OnnxInitializer(string Name, int DataType, long[] Shape, long Start, long? Length, string? Location);

/// <summary>A node <c>MatMulNBits</c>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Inputs">Names of its inputs: A, B, scales, and optionally zero_points, g_idx, bias; empty where one is left out.</param>
/// <param name="Integers">Its attributes that are integers.</param>
internal sealed record OnnxNode(string Name, IReadOnlyList<string> Inputs, IReadOnlyDictionary<string, long> Integers);

/// <summary>What matters of a model's graph.</summary>
internal sealed class OnnxGraph
{
    private const int LongestName = 1 << 16;
    private const int MaxEntries = 1 << 20;
    private const int MaxRank = 64;
    private const int MaxInputs = 64;
    private const string Layer = "MatMulNBits";

    private readonly Dictionary<string, OnnxInitializer> _initializers = [];
    private readonly List<OnnxNode> _nodes = [];

    /// <summary>By name, in the file's order.</summary>
    public IReadOnlyDictionary<string, OnnxInitializer> Initializers => _initializers;

    /// <summary>The layers.</summary>
    public IReadOnlyList<OnnxNode> Nodes => _nodes;

    /// <summary>Walks a model once; nothing of its weights is read.</summary>
    /// <exception cref="WeightFormatException">It is no model.</exception>
    /// <remarks>Source of the numbers of fields: onnx.proto.</remarks>
    public static OnnxGraph Read(TensorStorage file, string description)
    {
        var model = new ProtoCursor(file, description, 0, file.Length, new byte[ProtoCursor.BufferBytes]);
        OnnxGraph? graph = null;
        while (model.Next())
        {
            if (model.Field != 7)
            {
                model.Skip();
                continue;
            }

            if (graph is not null)
            {
                throw model.Broken("has two graphs, but a model has one");
            }

            graph = new OnnxGraph();
            graph.ReadGraph(model.ReadMessage());
        }

        return graph ?? throw model.Broken("has no graph");
    }

    private void ReadGraph(ProtoCursor graph)
    {
        while (graph.Next())
        {
            switch (graph.Field)
            {
                case 1:
                    ReadNode(graph.ReadMessage());
                    break;
                case 5:
                    OnnxInitializer initializer = ReadInitializer(graph.ReadMessage());
                    if (!_initializers.TryAdd(initializer.Name, initializer))
                    {
                        throw graph.Broken($"has initialiser {ProtoCursor.Quote(initializer.Name)} twice, but names are unique");
                    }

                    break;
                default:
                    graph.Skip();
                    break;
            }

            if (_initializers.Count > MaxEntries || _nodes.Count > MaxEntries)
            {
                throw graph.Broken($"has more than {MaxEntries} initialisers or layers");
            }
        }
    }

    private void ReadNode(ProtoCursor node)
    {
        string name = "", type = "";
        var inputs = new List<string>();
        var integers = new Dictionary<string, long>();
        while (node.Next())
        {
            switch (node.Field)
            {
                case 1:
                    // The type comes behind the inputs, so those of every node are read, but not more than a layer can have.
                    if (inputs.Count < MaxInputs)
                    {
                        inputs.Add(node.ReadText(LongestName));
                    }
                    else
                    {
                        node.Skip();
                    }

                    break;
                case 3:
                    name = node.ReadText(LongestName);
                    break;
                case 4:
                    type = node.ReadText(LongestName);
                    break;
                case 5:
                    ReadAttribute(node.ReadMessage(), integers);
                    break;
                default:
                    node.Skip();
                    break;
            }
        }

        if (type == Layer)
        {
            _nodes.Add(new OnnxNode(name, inputs, integers));
        }
    }

    private static void ReadAttribute(ProtoCursor attribute, Dictionary<string, long> integers)
    {
        string name = "";
        long? value = null;
        while (attribute.Next())
        {
            switch (attribute.Field)
            {
                case 1:
                    name = attribute.ReadText(LongestName);
                    break;
                case 3:
                    value = attribute.ReadVarint();
                    break;
                default:
                    attribute.Skip();
                    break;
            }
        }

        if (value is { } integer)
        {
            integers[name] = integer;
        }
    }

    private static OnnxInitializer ReadInitializer(ProtoCursor tensor)
    {
        string name = "";
        var shape = new List<long>();
        long type = 0, start = 0, place = 0;
        long? length = null;
        var external = new Dictionary<string, string>();
        while (tensor.Next())
        {
            switch (tensor.Field)
            {
                case 1:
                    tensor.ReadVarints(shape, MaxRank);
                    break;
                case 2:
                    type = tensor.ReadVarint();
                    break;
                case 8:
                    name = tensor.ReadText(LongestName);
                    break;
                case 9:
                    (start, length) = tensor.ReadRange();
                    break;
                case 13:
                    ReadEntry(tensor.ReadMessage(), external);
                    break;
                case 14:
                    place = tensor.ReadVarint();
                    break;
                default:
                    tensor.Skip();
                    break;
            }
        }

        int number = type is > 0 and <= int.MaxValue ? (int)type : 0;
        return place == 0
            ? new OnnxInitializer(name, number, [.. shape], start, length, null)
            : new OnnxInitializer(
                name, number, [.. shape], Number("offset") ?? 0, Number("length") ?? -1,
                external.GetValueOrDefault("location") ?? throw tensor.Broken($"initialiser {ProtoCursor.Quote(name)} is in another file but does not say in which"));

        long? Number(string key) => !external.TryGetValue(key, out string? text) ? null
            : long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long value) ? value
            : throw tensor.Broken($"initialiser {ProtoCursor.Quote(name)} says {key} {ProtoCursor.Quote(text)} of its data, but a number is expected");
    }

    private static void ReadEntry(ProtoCursor entry, Dictionary<string, string> entries)
    {
        string key = "", value = "";
        while (entry.Next())
        {
            switch (entry.Field)
            {
                case 1:
                    key = entry.ReadText(LongestName);
                    break;
                case 2:
                    value = entry.ReadText(LongestName);
                    break;
                default:
                    entry.Skip();
                    break;
            }
        }

        entries[key] = value;
    }
}
