using System.CodeDom.Compiler;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Emit;
using Q4Gen.Kernels;

namespace Q4Gen.Testing;

/// <summary>
/// Keeps the kernels that are generated for a program in files beside a test, so that a change of them, by an edit of an
/// attribute or a new version of Q4Gen, is seen in review: one file a shape and instruction set, and a summary,
/// <c>Q4Gen.kernels.verified.txt</c>, of what was chosen for each. File conventions and acceptance are those of
/// <see cref="Snapshots"/>. Any test framework will do: a difference is an exception.
/// </summary>
/// <example>
/// <code>
/// [Test]
/// public void Kernels() => KernelSnapshots.Verify(typeof(MyModel).Assembly);
/// </code>
/// </example>
[SuppressMessage("ApiDesign", "RS0026", Justification = "What the compiler fills in must be optional, and nothing converts to the first parameters of two of the overloads.")]
public static class KernelSnapshots
{
    private const string GpuRuntime = "Q4Gen.Runtime.Ilgpu";
    private const string SummaryName = "Q4Gen.kernels.txt";
    private const string KernelPrefix = "Linear4Bit_";

    /// <summary>Compares the kernels of a compiled program with the accepted ones of the calling test.</summary>
    /// <param name="assembly">The program.</param>
    /// <param name="directory">Where snapshots lie, relative to the test's source file.</param>
    /// <param name="variant">Distinguishes several calls of one test method; none where null.</param>
    /// <param name="method">The test method; the compiler fills it in.</param>
    /// <param name="file">The test's source file, whose name is taken for the class's; the compiler fills it in.</param>
    /// <exception cref="SnapshotException">A file differs, is new, or is no longer generated.</exception>
    /// <exception cref="ArgumentException">The program has no kernels, or another version of Q4Gen wrote them.</exception>
    public static void Verify(
        Assembly assembly,
        string directory = "Snapshots",
        string? variant = null,
        [CallerMemberName] string method = "",
        [CallerFilePath] string file = "") =>
        Verify(Generate(assembly), directory, variant, method, file);

    /// <summary>Compares the kernels of a program given as source with the accepted ones of the calling test.</summary>
    /// <param name="source">The program: C# with annotated layers.</param>
    /// <param name="directory">Where snapshots lie, relative to the test's source file.</param>
    /// <param name="variant">Distinguishes several calls of one test method; none where null.</param>
    /// <param name="method">The test method; the compiler fills it in.</param>
    /// <param name="file">The test's source file, whose name is taken for the class's; the compiler fills it in.</param>
    /// <exception cref="SnapshotException">A file differs, is new, or is no longer generated.</exception>
    /// <exception cref="GeneratorCheckException">The program does not compile.</exception>
    public static void Verify(
        string source,
        string directory = "Snapshots",
        string? variant = null,
        [CallerMemberName] string method = "",
        [CallerFilePath] string file = "") =>
        Verify(GeneratorHarness.Run(source).EnsureCompiles(), directory, variant, method, file);

    /// <summary>Compares the kernels of a run of the generator with the accepted ones of the calling test.</summary>
    /// <param name="result">The run.</param>
    /// <param name="directory">Where snapshots lie, relative to the test's source file.</param>
    /// <param name="variant">Distinguishes several calls of one test method; none where null.</param>
    /// <param name="method">The test method; the compiler fills it in.</param>
    /// <param name="file">The test's source file, whose name is taken for the class's; the compiler fills it in.</param>
    /// <exception cref="SnapshotException">A file differs, is new, or is no longer generated.</exception>
    public static void Verify(
        HarnessResult result,
        string directory = "Snapshots",
        string? variant = null,
        [CallerMemberName] string method = "",
        [CallerFilePath] string file = "")
    {
        ArgumentNullException.ThrowIfNull(result);
        KeyValuePair<string, string>[] kernels =
            [.. result.Files.Where(static f => f.Key.StartsWith(KernelPrefix, StringComparison.Ordinal))];
        Snapshots.Verify([.. kernels, new(SummaryName, KernelSummary.Describe(kernels))], directory, variant, method, file);
    }

    /// <summary>
    /// Generates the kernels of a compiled program anew: for the shapes that it has kernels of, with this package's
    /// generator, which must be of the version that compiled it. <see cref="HarnessResult.Driver"/> of the result is what
    /// <c>Verifier.Verify</c> of Verify.SourceGenerators takes.
    /// </summary>
    /// <exception cref="ArgumentException">The program has no kernels, or another version of Q4Gen wrote them.</exception>
    public static HarnessResult Generate(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        Type[] families = [.. assembly.GetTypes().Where(static type => type.IsSubclassOf(typeof(KernelFamily)) && type.Name.StartsWith(KernelPrefix, StringComparison.Ordinal))];
        if (families.Length == 0)
        {
            throw new ArgumentException(
                $"{assembly.GetName().Name} has no kernels; annotate layers with [Linear4Bit], and reference Q4Gen with its analyzers.", nameof(assembly));
        }

        string? other = families.Select(static type => type.GetCustomAttribute<GeneratedCodeAttribute>()?.Version).FirstOrDefault(static version => version != GeneratorVersion.Text);
        if (other is not null)
        {
            throw new ArgumentException(
                $"The kernels of {assembly.GetName().Name} were written by Q4Gen {other}, and this is Q4Gen.Testing {GeneratorVersion.Text}; reference the same version of both.", nameof(assembly));
        }

        // Generated again, not read: a compiled program has no source.
        return GeneratorHarness.Run(Source(families), Options(assembly)).EnsureCompiles();
    }

    private static string Source(IEnumerable<Type> families)
    {
        var source = new StringBuilder("namespace KernelsOf.TheProgram;\n\n");
        int index = 0;
        foreach (KernelFamily family in families.OrderBy(static type => type.Name, StringComparer.Ordinal).Select(Instance))
        {
            Linear4BitShape shape = family.Shape;
            source.Append(CultureInfo.InvariantCulture, $"[Q4Gen.Linear4Bit(In = {shape.In}, Out = {shape.Out}, Group = {shape.Group}, ");
            source.Append(CultureInfo.InvariantCulture, $"Precision = Q4Gen.Linear4BitPrecision.{family.Precision})]\npublic partial class Layer{++index};\n");
        }

        return source.ToString();
    }

    internal static KernelFamily Instance(Type family) =>
        (KernelFamily)family.GetField("Instance", BindingFlags.Public | BindingFlags.Static)!.GetValue(null)!;

    /// <summary>A program that references the GPU runtime has GPU kernels, too.</summary>
    private static HarnessOptions Options(Assembly assembly)
    {
        AssemblyName? gpu = assembly.GetReferencedAssemblies().FirstOrDefault(static name => name.Name == GpuRuntime);
        if (gpu is null)
        {
            return HarnessOptions.Default;
        }

        Assembly runtime = Assembly.Load(gpu);
        IEnumerable<Assembly> references = runtime.GetReferencedAssemblies()
            .Where(static name => name.Name!.StartsWith("ILGPU", StringComparison.Ordinal)).Select(Assembly.Load).Prepend(runtime);
        return HarnessOptions.Default with { References = [.. references.Select(static reference => MetadataReference.CreateFromFile(reference.Location))] };
    }
}
