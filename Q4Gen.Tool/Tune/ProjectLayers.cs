using System.Diagnostics;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.Json;
using Q4Gen.Generator.Model;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Tune;

/// <summary>What a project asks Q4Gen for: read from what its build made, so that it is what the compiler saw.</summary>
/// <param name="Layers">The shapes that kernels were generated for.</param>
/// <param name="Targets">Instruction sets that the project wants kernels for; empty for all.</param>
/// <param name="TuningFile">Where the build looks for the tuning file.</param>
internal sealed record ProjectLayers(IReadOnlyList<LayerShape> Layers, IReadOnlyList<string> Targets, string TuningFile)
{
    private const string KernelsNamespace = "Q4Gen.Generated", FamilyPrefix = "Linear4Bit_";

    /// <summary>Builds a project in Release, without tuning, and reads what layers it has.</summary>
    /// <param name="path">A project file, or a folder with one.</param>
    /// <param name="ct">Stops the build.</param>
    /// <exception cref="UsageException">There is no project, or not exactly one.</exception>
    /// <exception cref="WeightFormatException">It does not build, or has no layers.</exception>
    public static ProjectLayers Read(string path, CancellationToken ct)
    {
        string project = FindProject(path);

        // A file that is missing or stale must not keep a project from being built, for here it is about to be written.
        Run("build", project, "-c", "Release", "-p:Q4GenTuning=Off", "-nologo", "-v:q", "-clp:ErrorsOnly");
        string properties = Run("msbuild", project, "-p:Configuration=Release", "-p:Q4GenTuning=Off", "-getProperty:TargetPath", "-getProperty:Q4GenTargets", "-getProperty:Q4GenTuningFile");
        using var document = JsonDocument.Parse(properties);
        JsonElement values = document.RootElement.GetProperty("Properties");
        string target = Property("TargetPath"), file = Property("Q4GenTuningFile");
        if (!File.Exists(target))
        {
            throw new WeightFormatException($"{project}: its build has no single output ('{target}' is not there); a project for several frameworks is tuned as one for each.");
        }

        LayerShape[] layers = [.. LayersOf(target)];
        return layers.Length == 0
            ? throw new WeightFormatException($"{project}: has no layers that kernels are generated for; annotate a class or property with [Linear4Bit], and tune the project whose source has them.")
            : new ProjectLayers(
                layers,
                Property("Q4GenTargets").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
                Path.Combine(Path.GetDirectoryName(project)!, file.Length == 0 ? Generator.Parsing.Tuning.TuningFile.FileName : file));

        string Property(string name) => values.GetProperty(name).GetString()!;

        string Run(params string[] arguments) => RunDotnet(arguments, $"{project}: does not build", ct);
    }

    /// <summary>The shapes that an assembly has generated kernels for, from the names of its types.</summary>
    public static IEnumerable<LayerShape> LayersOf(string assembly)
    {
        using FileStream stream = File.OpenRead(assembly);
        using var image = new PEReader(stream);
        MetadataReader metadata = image.GetMetadataReader();
        return
        [
            .. metadata.TypeDefinitions.Select(metadata.GetTypeDefinition)
                .Where(type => metadata.StringComparer.Equals(type.Namespace, KernelsNamespace) && metadata.StringComparer.StartsWith(type.Name, FamilyPrefix))
                .Select(type => LayerShape.Find(metadata.GetString(type.Name)[FamilyPrefix.Length..]))
                .OfType<LayerShape>()
                .OrderBy(static shape => shape.In).ThenBy(static shape => shape.Out).ThenBy(static shape => shape.Group).ThenBy(static shape => shape.Precision),
        ];
    }

    /// <summary>Runs the dotnet command; its standard output.</summary>
    /// <exception cref="WeightFormatException">It fails; the message begins as told and ends with what it wrote.</exception>
    internal static string RunDotnet(IEnumerable<string> arguments, string failure, CancellationToken ct)
    {
        string host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var start = new ProcessStartInfo(host, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = StartProcess(start);
        using CancellationTokenRegistration stop = ct.Register(() => process.Kill(entireProcessTree: true));
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        ct.ThrowIfCancellationRequested();
        return process.ExitCode == 0
            ? output
            : throw new WeightFormatException($"{failure}: 'dotnet {string.Join(' ', start.ArgumentList)}' ended with {process.ExitCode}: {$"{output}\n{error.Result}".Trim()}");
    }

    private static Process StartProcess(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new UsageException($"The command '{start.FileName}' cannot be started ({e.Message}), and a project is built with it; install the .NET 10 SDK.");
        }
    }

    private static string FindProject(string path)
    {
        if (File.Exists(path))
        {
            return Path.GetFullPath(path);
        }

        string[] projects = Directory.Exists(path) ? Directory.GetFiles(path, "*.csproj") : throw new FileNotFoundException($"{path}: is not there; name a project file, or a folder that has one.");
        return projects.Length == 1
            ? Path.GetFullPath(projects[0])
            : throw new UsageException($"{path}: has {projects.Length} project files, but one is needed; name it with --project.");
    }
}
