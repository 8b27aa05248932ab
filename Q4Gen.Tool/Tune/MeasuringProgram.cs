using System.Xml.Linq;
using Q4Gen.Generator.Model;
using Q4Gen.Tool.Console;

namespace Q4Gen.Tool.Tune;

/// <summary>
/// A folder to copy to a machine without .NET: this tool, the runtime and the layers to tune. What its program writes there is
/// brought back and merged.
/// </summary>
internal static class MeasuringProgram
{
    /// <summary>The program's name.</summary>
    public const string Name = "q4gen-tune";

    /// <summary>Publishes the program.</summary>
    /// <param name="folder">Where to; empty or not there.</param>
    /// <param name="rid">Operating system and architecture of the machine.</param>
    /// <param name="layers">The layers.</param>
    /// <param name="targets">Instruction sets that there are kernels for; empty for all.</param>
    /// <param name="ct">Stops publishing.</param>
    /// <exception cref="UsageException">The folder has something in it.</exception>
    /// <exception cref="WeightFormatException">It cannot be published: an unknown RID, or no way to fetch its runtime.</exception>
    public static void Publish(string folder, string rid, IReadOnlyList<LayerShape> layers, IReadOnlyList<string> targets, CancellationToken ct)
    {
        if (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
        {
            throw new UsageException($"{folder} has something in it; name an empty folder, or one that is not there, with --publish.");
        }

        string source = Directory.CreateTempSubdirectory("q4gen-tune").FullName;
        try
        {
            File.WriteAllText(Path.Combine(source, $"{Name}.csproj"), Project());
            File.WriteAllText(Path.Combine(source, "Program.cs"), Program(layers, targets));

            // What stands above the folder of temporary files has no say in it.
            File.WriteAllText(Path.Combine(source, "Directory.Build.props"), "<Project />");
            File.WriteAllText(Path.Combine(source, "Directory.Build.targets"), "<Project />");
            File.WriteAllText(Path.Combine(source, "Directory.Packages.props"), "<Project />");
            ProjectLayers.RunDotnet(
                ["publish", Path.Combine(source, $"{Name}.csproj"), "-c", "Release", "-r", rid, "--self-contained", "-o", Path.GetFullPath(folder), "-nologo", "-v:q", "-clp:ErrorsOnly"],
                $"The measuring program for {rid} cannot be published",
                ct);
        }
        finally
        {
            Directory.Delete(source, recursive: true);
        }
    }

    private static string Project()
    {
        // Everything that this tool itself runs on, beside .NET.
        string[] libraries = [.. Directory.GetFiles(AppContext.BaseDirectory, "*.dll").Where(IsManaged).Order(StringComparer.Ordinal)];
        return new XElement(
            "Project",
            new XAttribute("Sdk", "Microsoft.NET.Sdk"),
            new XElement(
                "PropertyGroup",
                new XElement("OutputType", "Exe"),
                new XElement("TargetFramework", "net10.0"),
                new XElement("Nullable", "enable"),
                new XElement("InvariantGlobalization", "true"),
                new XElement("SatelliteResourceLanguages", "en"),
                new XElement("UseAppHost", "true")),
            new XElement("ItemGroup", libraries.Select(static path => new XElement(
                "Reference", new XAttribute("Include", Path.GetFileNameWithoutExtension(path)), new XElement("HintPath", path))))).ToString();
    }

    private static bool IsManaged(string path)
    {
        using FileStream stream = File.OpenRead(path);
        using var image = new System.Reflection.PortableExecutable.PEReader(stream);
        return image.HasMetadata;
    }

    private static string Program(IReadOnlyList<LayerShape> layers, IReadOnlyList<string> targets) => $$"""
        string[] all = ["tune", "--layers", "{{string.Join(';', layers.Select(static layer => layer.LayerName))}}", "--targets", "{{string.Join(';', targets)}}", .. args];
        return (int)System.Reflection.Assembly.Load("q4gen").EntryPoint!.Invoke(null, [all])!;
        """;
}
