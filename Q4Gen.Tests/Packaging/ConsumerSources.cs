namespace Q4Gen.Tests.Packaging;

/// <summary>Programs that use the packages.</summary>
internal static class ConsumerSources
{
    /// <summary>A model of three layers, one of a shape that divides nothing.</summary>
    public const string Model = """
        using Q4Gen;

        namespace Demo;

        public partial class Block
        {
            [Linear4Bit(In = 64, Out = 96, Group = 32)]
            public partial Linear4Bit UpProj { get; }

            [Linear4Bit(In = 96, Out = 64, Group = 32)]
            public partial Linear4Bit DownProj { get; }

            [Linear4Bit(In = 50, Out = 33, Group = 24)]
            public partial Linear4Bit Head { get; }
        }
        """;

    /// <summary>Loads the model with random weights and compares each layer with a plain loop over those.</summary>
    public const string Program = """
        using System.Globalization;
        using Demo;
        using Q4Gen;

        var random = new Random(7);
        var tensors = new Dictionary<string, WeightTensor>();
        var loops = new Dictionary<string, Func<float[], double[]>>();
        Add("block.up_proj", 64, 96, 32);
        Add("block.down_proj", 96, 64, 32);
        Add("block.head", 50, 33, 24);
        var block = new Block();
        block.Load(new TensorDictionary(tensors), "block");
        Compare("block.up_proj", block.UpProj);
        Compare("block.down_proj", block.DownProj);
        Compare("block.head", block.Head);

        void Add(string name, int columns, int rows, int group)
        {
            int groups = (columns + group - 1) / group;
            var bytes = new byte[rows * columns / 2];
            random.NextBytes(bytes);
            Half[] scales = [.. Enumerable.Range(0, rows * groups).Select(_ => (Half)(random.NextSingle() * 0.1f))];
            tensors[name + ".weight_4bit"] = WeightTensor.FromByte(bytes, rows, columns / 2);
            tensors[name + ".scales_4bit"] = WeightTensor.FromHalf(scales, rows, groups);
            loops[name] = x =>
            {
                var y = new double[rows];
                for (int o = 0; o < rows; o++)
                {
                    for (int k = 0; k < columns; k++)
                    {
                        int nibble = (bytes[(o * columns + k) / 2] >> (4 * (k % 2))) & 15;
                        y[o] += (nibble - 8) * (double)scales[o * groups + k / group] * x[k];
                    }
                }

                return y;
            };
        }

        void Compare(string name, Linear4Bit layer)
        {
            float[] x = [.. Enumerable.Range(0, layer.Shape.In).Select(_ => random.NextSingle() * 2 - 1)];
            var y = new float[layer.Shape.Out];
            layer.Forward(x, y);
            double[] expected = loops[name](x);
            double error = Math.Sqrt(y.Zip(expected, (a, b) => (a - b) * (a - b)).Sum() / expected.Sum(b => b * b));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {layer.Kernel}: {(error < 1e-6 ? "right" : $"off by {error}")}"));
        }
        """;

    /// <summary>A layer beside those of a referenced library.</summary>
    public const string Tail = """
        namespace Demo;

        [Q4Gen.Linear4Bit(In = 32, Out = 16, Group = 32)]
        public partial class Tail;
        """;

    /// <summary>Uses a layer of its own and one of a library.</summary>
    public const string PairProgram = """
        using Demo;
        using Q4Gen;

        using var tail = new Tail(new byte[16 * 32 / 2], new Half[16]);
        Console.WriteLine(tail.Kernel);
        Console.WriteLine(KernelSources.Head());
        """;

    /// <summary>What the library says of its layers.</summary>
    public const string LibrarySource = """
        using Q4Gen;

        namespace Demo;

        public static class KernelSources
        {
            public static string Head()
            {
                var tensors = new Dictionary<string, WeightTensor>();
                foreach ((string name, int rows, int columns, int groups) in new[] { ("up_proj", 96, 64, 2), ("down_proj", 64, 96, 3), ("head", 33, 50, 3) })
                {
                    tensors[name + ".weight_4bit"] = WeightTensor.FromByte(new byte[rows * columns / 2], rows, columns / 2);
                    tensors[name + ".scales_4bit"] = WeightTensor.FromHalf(new Half[rows * groups], rows, groups);
                }

                var block = new Block();
                block.Load(new TensorDictionary(tensors));
                return block.Head.Kernel.ToString();
            }
        }
        """;

    /// <summary>A test of kernels, without a framework.</summary>
    public const string Testing = """
        using Demo;
        using Q4Gen.Testing;

        return Tests.Run();

        internal static class Tests
        {
            public static int Run()
            {
                try
                {
                    KernelSnapshots.Verify(typeof(Tail).Assembly);
                    Console.WriteLine($"{KernelOracle.Check<Tail>().Checks.Count} checks");
                    return 0;
                }
                catch (SnapshotException exception)
                {
                    Console.WriteLine(exception.Message);
                    return 2;
                }
            }
        }
        """;

    /// <summary>A layer on an emulated GPU.</summary>
    public const string Gpu = """
        using Demo;
        using Q4Gen.Gpu;

        using GpuContext gpu = GpuContext.CreateEmulated();
        using var tail = new Tail(new byte[16 * 32 / 2], new Half[16]);
        Console.WriteLine(tail.Kernel);
        Console.WriteLine(tail.To(gpu).GpuKernel(gpu));
        """;

    /// <summary>A project file.</summary>
    /// <param name="references">Its references.</param>
    /// <param name="properties">Its properties.</param>
    public static string Project(string references, string properties = "<OutputType>Exe</OutputType>") => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            {properties}
          </PropertyGroup>
          <ItemGroup>
            {references}
          </ItemGroup>
        </Project>
        """;

    /// <summary>A reference to a package of the version under test.</summary>
    public static string Package(string id) => $"""<PackageReference Include="{id}" Version="$(Q4GenVersion)" />""";
}
