namespace Q4Gen.Tests.Deployment;

/// <summary>The program that <see cref="NativeProbe"/> compiles.</summary>
internal static class ProbeSources
{
    /// <summary>The shape of its generated layers, as names carry it: whole steps and panels, four groups.</summary>
    public const string Shape = "256x96_g64";

    /// <summary>
    /// A generated layer of either precision, and one of a shape that nobody annotated, with offsets and an input order. For
    /// each a line: its kernel and a hash of its outputs for numbers of rows that take every way through a kernel.
    /// </summary>
    public const string Program = """
        using System.Globalization;
        using Q4Gen;

        var random = new Random(11);
        using var exact = new Exact(Weights(96, 256), Scales(96, 4));
        using var int8 = new Int8(Weights(96, 256), Scales(96, 4));
        var order = new int[72];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i * 5 % order.Length;
        }

        using Linear4Bit affine = Linear4Bit.Load(new TensorDictionary(new Dictionary<string, WeightTensor>
        {
            ["layer.weight_4bit"] = WeightTensor.FromByte(Weights(40, 72), 40, 36),
            ["layer.scales_4bit"] = WeightTensor.FromHalf(Scales(40, 3), 40, 3),
            ["layer.offsets_4bit"] = WeightTensor.FromHalf(Scales(40, 3), 40, 3),
            ["layer.order_4bit"] = WeightTensor.FromInt32(order, 72),
        }), "layer", group: 24);
        Print("exact", exact);
        Print("int8", int8);
        Print("affine", affine);

        byte[] Weights(int rows, int columns)
        {
            var weights = new byte[rows * columns / 2];
            random.NextBytes(weights);
            return weights;
        }

        Half[] Scales(int rows, int groups)
        {
            var scales = new Half[rows * groups];
            for (int i = 0; i < scales.Length; i++)
            {
                scales[i] = (Half)(random.NextSingle() * 0.1f - 0.02f);
            }

            return scales;
        }

        void Print(string name, Linear4Bit layer)
        {
            uint hash = 2166136261;
            foreach (int rows in new[] { 1, 2, 4, 7, 40 })
            {
                var x = new float[rows * layer.In];
                for (int i = 0; i < x.Length; i++)
                {
                    x[i] = random.NextSingle() * 2 - 1;
                }

                // One that sticks out takes a way of its own.
                x[3] = 1000;
                var y = new float[rows * layer.Out];
                layer.Forward(x, y);
                foreach (float value in y)
                {
                    hash = unchecked((hash ^ BitConverter.SingleToUInt32Bits(value)) * 16777619);
                }
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name} {layer.Kernel.Isa} {hash:x8}"));
        }

        [Linear4Bit(In = 256, Out = 96, Group = 64)]
        public partial class Exact;

        [Linear4Bit(In = 256, Out = 96, Group = 64, Precision = Linear4BitPrecision.Int8Activations)]
        public partial class Int8;
        """;

    /// <summary>
    /// Its project. References are those that a package would bring, from what was built with the tests.
    /// </summary>
    /// <param name="root">The checkout.</param>
    /// <param name="binaries">The folder of the runtime and the generator.</param>
    /// <param name="tensors">The version of System.Numerics.Tensors.</param>
    public static string Project(string root, string binaries, string tensors) => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <Import Project="{root}/Q4Gen.Generator/buildTransitive/Q4Gen.props" />
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
            <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
            <InvariantGlobalization>true</InvariantGlobalization>
            <AllowedReferenceRelatedFileExtensions>none</AllowedReferenceRelatedFileExtensions>
            <NuGetAudit>false</NuGetAudit>
            <PublishAot>true</PublishAot>
            <StripSymbols>false</StripSymbols>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="System.Numerics.Tensors" Version="{tensors}" />
            <Reference Include="{binaries}/Q4Gen.Runtime.dll" />
            <Analyzer Include="{binaries}/Q4Gen.Generator.dll" />
          </ItemGroup>
        </Project>
        """;

    /// <summary>Where the targets of a package are imported.</summary>
    /// <param name="root">The checkout.</param>
    public static string Targets(string root) => $"""
        <Project>
          <Import Project="{root}/Q4Gen.Generator/buildTransitive/Q4Gen.targets" />
        </Project>
        """;
}
