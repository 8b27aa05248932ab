using Q4Gen.Import.Conversion;
using Q4Gen.Import.Packed;
using Q4Gen.Loading;

namespace Q4Gen.Import.Onnx;

/// <summary>The weights of an ONNX model whose layers are <c>MatMulNBits</c> of 4 bits, ONNX Runtime's operator, as a weight source.</summary>
/// <remarks>
/// <para>
/// A layer has the name of its weights: U8 <c>[N, blocks, block/2]</c>, low nibble first, whose bytes are ours; scales
/// <c>[N, blocks]</c>; zero points U8 <c>[N, ceil(blocks/2)]</c>, low nibble first, or floats like scales, or none, which is 8:
/// <c>w = (q − zero) · scale</c>. Its bias becomes <c>{name}.bias</c>. Without zero points and with scales in F16 a layer is
/// lossless; scales in F32 are rounded to F16, and so are offsets, <c>(8 − zero) · scale</c>.
/// </para>
/// <para>
/// Other initialisers in F32, F16 and BF16 are as they are; constants of other types and whatever is inside the branches
/// of a graph are left out. Data may be in files beside the model. Source: ContribOperators.md of ONNX Runtime, onnx.proto.
/// </para>
/// </remarks>
public sealed class OnnxSource : ImportSource
{
    private const string FormatName = "MatMulNBits";
    private const int WeightInput = 1;
    private const int ScaleInput = 2;
    private const int ZeroInput = 3;
    private const int IndexInput = 4;
    private const int BiasInput = 5;
    private const int MaxFeatures = 1 << 25;
    private const int UInt8 = 2;

    private OnnxSource(OnnxFiles files, OnnxGraph graph, string description)
        : base(description, new Walk(files, graph, description).Run(), [], files)
    {
    }

    /// <summary>Maps a model and the files beside it; nothing is converted yet.</summary>
    /// <param name="path">The <c>.onnx</c> file.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is null or empty.</exception>
    /// <exception cref="IOException">A file is not there or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="WeightFormatException">It is no well-formed model, or has something that is not taken.</exception>
    public static OnnxSource Open(string path)
    {
        TensorStorage model = ImportFile.Open(path, "ONNX");
        return Over(new OnnxFiles(model, path, Path.GetDirectoryName(Path.GetFullPath(path))), model, path);
    }

    /// <summary>Reads a model's bytes in memory, in place; its data must all be in them.</summary>
    /// <param name="data">The whole file.</param>
    /// <param name="description">What error messages call it.</param>
    /// <exception cref="WeightFormatException">It is no well-formed model, or has something that is not taken.</exception>
    public static OnnxSource FromMemory(ReadOnlyMemory<byte> data, string description)
    {
        ArgumentNullException.ThrowIfNull(description);
        var model = new ManagedStorage(data, description);
        return Over(new OnnxFiles(model, description, folder: null), model, description);
    }

    private static OnnxSource Over(OnnxFiles files, TensorStorage model, string description)
    {
        try
        {
            return new OnnxSource(files, OnnxGraph.Read(model, description), description);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>ONNX's numbers of the types that are floats here.</summary>
    private static TensorType? Float(int dataType) => dataType switch
    {
        1 => TensorType.F32,
        10 => TensorType.F16,
        16 => TensorType.BF16,
        _ => null,
    };

    private sealed class Walk(OnnxFiles files, OnnxGraph graph, string description)
    {
        private readonly ImportedTensors _tensors = new(description);
        private readonly HashSet<string> _taken = [];
        private readonly HashSet<string> _layers = [];

        public ImportedTensors Run()
        {
            if (graph.Nodes.Count == 0)
            {
                throw new WeightFormatException(
                    $"{description}: has no layer of 4 bits: none of its nodes is MatMulNBits; quantise the model with ONNX Runtime's matmul_nbits_quantizer first, or import its floats from where it was exported.");
            }

            foreach (OnnxNode node in graph.Nodes)
            {
                AddLayer(node);
            }

            foreach (OnnxInitializer initializer in graph.Initializers.Values)
            {
                if (!_taken.Contains(initializer.Name) && Float(initializer.DataType) is { } type && initializer.Length is not null)
                {
                    _tensors.Add(initializer.Name, files.Open(initializer, type, initializer.Shape));
                }
            }

            return _tensors;
        }

        private void AddLayer(OnnxNode node)
        {
            OnnxInitializer weight = Input(node, WeightInput, "B");
            OnnxInitializer scale = Input(node, ScaleInput, "scales");

            // A layer that is used twice is one.
            if (!_layers.Add(weight.Name))
            {
                return;
            }

            long inFeatures = Integer(node, "K"), outFeatures = Integer(node, "N"), block = Integer(node, "block_size");
            long bits = node.Integers.GetValueOrDefault("bits", 4);
            if (inFeatures is <= 0 or > MaxFeatures || outFeatures is <= 0 or > MaxFeatures || block is < 16 or > MaxFeatures || block % 2 != 0 || inFeatures % 2 != 0 || bits != 4)
            {
                throw Broken(node, $"has {bits} bits, K = {inFeatures}, N = {outFeatures} and block_size = {block}, but 4 bits, 1 to {MaxFeatures} features, an even K and an even block_size of 16 or more are expected");
            }

            if (node.Inputs.Count > IndexInput && node.Inputs[IndexInput].Length != 0)
            {
                throw Broken(node, "has a g_idx, by which columns belong to other groups than their neighbours', which is not supported");
            }

            var shape = new Linear4BitShape((int)inFeatures, (int)outFeatures, (int)block);
            TensorType scaleType = Float(scale.DataType) ?? throw files.Broken(scale, $"has type {scale.DataType}, but scales are FLOAT, FLOAT16 or BFLOAT16");
            WeightTensor weights = files.Open(Expect(weight), TensorType.U8, outFeatures, shape.Groups, block / 2);
            WeightTensor scales = files.Open(scale, scaleType, outFeatures, shape.Groups);
            WeightTensor? zeros = null;
            if (Find(node, ZeroInput) is { } zero)
            {
                zeros = Float(zero.DataType) is { } floats
                    ? files.Open(zero, floats, outFeatures, shape.Groups)
                    : files.Open(Expect(zero), TensorType.U8, outFeatures, (shape.Groups + 1) / 2);
            }

            new Layer(shape, weights, scales, zeros, $"{description}: layer {ProtoCursor.Quote(weight.Name)}").AddTo(_tensors, weight.Name, FormatName);
            if (Find(node, BiasInput) is { } bias)
            {
                TensorType type = Float(bias.DataType) ?? throw files.Broken(bias, $"has type {bias.DataType}, but a bias is FLOAT, FLOAT16 or BFLOAT16");
                _tensors.Add(LayerTensors.Join(weight.Name, LayerTensors.BiasSuffix), files.Open(bias, type, outFeatures));
            }
        }

        private OnnxInitializer Expect(OnnxInitializer initializer) => initializer.DataType == UInt8
            ? initializer
            : throw files.Broken(initializer, $"has type {initializer.DataType}, but UINT8 is expected");

        private OnnxInitializer? Find(OnnxNode node, int input)
        {
            if (node.Inputs.Count <= input || node.Inputs[input].Length == 0)
            {
                return null;
            }

            _taken.Add(node.Inputs[input]);
            return graph.Initializers.TryGetValue(node.Inputs[input], out OnnxInitializer? initializer)
                ? initializer
                : throw Broken(node, $"takes {ProtoCursor.Quote(node.Inputs[input])}, which is no initialiser but computed");
        }

        private OnnxInitializer Input(OnnxNode node, int input, string what) => Find(node, input) ?? throw Broken(node, $"has no input {what}");

        private WeightFormatException Broken(OnnxNode node, string rule) =>
            new($"{description}: node {ProtoCursor.Quote(node.Name)}, MatMulNBits, {rule}; quantise the model again.");

        private long Integer(OnnxNode node, string name) =>
            node.Integers.TryGetValue(name, out long value) ? value : throw Broken(node, $"has no attribute {name}");
    }

    private sealed class Layer(Linear4BitShape shape, WeightTensor weight, WeightTensor scale, WeightTensor? zero, string what)
        : PackedLayer(shape, scale, zero is null ? [weight] : [weight, zero], what)
    {
        protected override void FillNibbles(LayerBuilder layer) => CopyRows(weight, layer);

        protected override bool IsAffine() => zero is { Type: not TensorType.U8 } || base.IsAffine();

        /// <summary>Two groups a byte, low nibble first.</summary>
        protected override byte[]? ReadZeros()
        {
            if (zero is not { Type: TensorType.U8 })
            {
                return null;
            }

            int groups = Shape.Groups;
            byte[] packed = zero.Read(0, new byte[zero.ByteLength]).ToArray();
            byte[] zeros = new byte[Shape.ScaleCount];
            for (int i = 0; i < zeros.Length; i++)
            {
                (int row, int group) = Math.DivRem(i, groups);
                zeros[i] = Nibble(packed.AsSpan(row * ((groups + 1) / 2)), group);
            }

            return zeros;
        }

        protected override float[]? ReadFloatZeros() => zero is null or { Type: TensorType.U8 } ? null : zero.ToSingleArray();
    }
}
