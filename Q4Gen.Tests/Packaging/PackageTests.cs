using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Q4Gen.Tests.Kernels;

namespace Q4Gen.Tests.Packaging;

/// <summary>What packages hold and what they say of themselves.</summary>
[Collection(nameof(PackagesCollection))]
[Trait(Emulated.Trait, Emulated.Never)] // Builds take minutes there, and nothing here depends on the processor.
public class PackageTests(PackagesFixture packages)
{
    private const string Repository = "https://github.com/q4gen/q4gen";

    /// <summary>Of the record of a PDB that says where sources are.</summary>
    private static readonly Guid s_sourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A");

    /// <summary>All files of each package; every one beside the symbols' has a README and an icon.</summary>
    private static readonly Dictionary<string, string[]> s_files = new()
    {
        ["Q4Gen"] =
        [
            "Q4Gen.nuspec", "README.md", "analyzers/dotnet/cs/Q4Gen.CodeFixes.dll", "analyzers/dotnet/cs/Q4Gen.Generator.dll",
            "build/net10.0/Q4Gen.props", "build/net10.0/Q4Gen.targets", "buildTransitive/net10.0/Q4Gen.props", "buildTransitive/net10.0/Q4Gen.targets",
            "icon.png", "lib/net10.0/Q4Gen.Runtime.dll", "lib/net10.0/Q4Gen.Runtime.xml",
        ],
        ["Q4Gen.Import"] = ["Q4Gen.Import.nuspec", "README.md", "icon.png", "lib/net10.0/Q4Gen.Import.dll", "lib/net10.0/Q4Gen.Import.xml"],
        ["Q4Gen.Runtime.Ilgpu"] =
        [
            "Q4Gen.Runtime.Ilgpu.nuspec", "README.md", "icon.png", "lib/net10.0/Q4Gen.Runtime.Ilgpu.dll", "lib/net10.0/Q4Gen.Runtime.Ilgpu.xml",
        ],
        ["Q4Gen.Testing"] =
        [
            "Q4Gen.Testing.nuspec", "README.md", "icon.png", "lib/net10.0/Q4Gen.Generator.dll", "lib/net10.0/Q4Gen.Generator.xml",
            "lib/net10.0/Q4Gen.Testing.dll", "lib/net10.0/Q4Gen.Testing.xml",
        ],
    };

    /// <summary>What each depends on: packages that share internals on exactly this version, others on it or later.</summary>
    private static readonly Dictionary<string, string[]> s_dependencies = new()
    {
        ["Q4Gen"] = ["System.Numerics.Tensors"],
        ["Q4Gen.Import"] = ["Q4Gen"],
        ["Q4Gen.Runtime.Ilgpu"] = ["ILGPU", "Q4Gen"],
        ["Q4Gen.Testing"] = ["Basic.Reference.Assemblies.Net100", "DiffPlex", "Microsoft.CodeAnalysis.CSharp", "Q4Gen"],
    };

    public static TheoryData<string> Ids => [.. s_files.Keys];

    [Fact]
    public void TheSolutionMakesThesePackagesAndNoOthers() =>
        Assert.Equal(
            s_files.Keys.Append(ToolPackageTests.Id).SelectMany(id => (string[])[$"{id}.{packages.Version}.nupkg", $"{id}.{packages.Version}.snupkg"]).Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(packages.Feed).Select(static file => Path.GetFileName(file)).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Ids))]
    public void HoldsExactlyTheseFiles(string id)
    {
        using PackageFile package = Open(id);
        Assert.Equal(s_files[id], package.Files);
        using PackageFile symbols = Open(id, "snupkg");
        Assert.Equal(
            [$"{id}.nuspec", id == "Q4Gen" ? "lib/net10.0/Q4Gen.Runtime.pdb" : $"lib/net10.0/{id}.pdb"], symbols.Files.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void SaysWhatAFeedShows(string id)
    {
        using PackageFile package = Open(id);
        Assert.Equal(id, package.Text("id"));
        Assert.Equal("MIT", package.Text("license"));
        Assert.Equal("expression", package.Attribute("license", "type"));
        Assert.Equal("icon.png", package.Text("icon"));
        Assert.Equal("README.md", package.Text("readme"));
        Assert.Equal(Repository, package.Text("projectUrl"));
        Assert.Equal($"{Repository}/blob/main/CHANGELOG.md", package.Text("releaseNotes"));
        Assert.Equal(("git", Repository), (package.Attribute("repository", "type"), package.Attribute("repository", "url")));
        Assert.Contains("4-bit", package.Text("tags"), StringComparison.Ordinal);
        Assert.InRange(package.Text("description")!.Length, 60, 300);
        if (IsUnderGit)
        {
            Assert.Matches("^[0-9a-f]{40}$", package.Attribute("repository", "commit"));
        }
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void DependsOnExactlyThese(string id)
    {
        using PackageFile package = Open(id);
        XElement group = Assert.Single(package.Metadata.Element(package.Metadata.Name.Namespace + "dependencies")!.Elements());
        Assert.Equal("net10.0", (string?)group.Attribute("targetFramework"));

        // The generator comes with a package that depends on Q4Gen; of the others only what is for running.
        Assert.Equal(
            s_dependencies[id].Select(name => name == "Q4Gen"
                ? $"Q4Gen [{packages.Version}] include All"
                : $"{name} {PackagesFixture.Pinned(name)} exclude Build,Analyzers"),
            group.Elements().Select(static dependency =>
                $"{(string?)dependency.Attribute("id")} {(string?)dependency.Attribute("version")} {Assets(dependency)}").Order(StringComparer.Ordinal));

        static string Assets(XElement dependency) =>
            dependency.Attribute("include") is { } include ? $"include {include.Value}" : $"exclude {(string?)dependency.Attribute("exclude")}";
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void LinksOfTheReadmeWorkOnAPackagePage(string id)
    {
        using PackageFile package = Open(id);
        string readme = Encoding.UTF8.GetString(package.Read("README.md"));
        string[] links = [.. Regex.Matches(readme, @"\]\(([^)]*)\)").Select(static match => match.Groups[1].Value)];
        Assert.NotEmpty(links);
        Assert.All(links, static link => Assert.StartsWith("https://", link, StringComparison.Ordinal));
        foreach (string page in links.Where(static link => link.StartsWith($"{Repository}/blob/main/", StringComparison.Ordinal)))
        {
            Assert.True(Path.Exists(Path.Combine(PackagesFixture.Root, page[$"{Repository}/blob/main/".Length..].Split('#')[0])), $"{page} is not in the repository.");
        }

        // Nothing else changes on the way into the package.
        string folder = id == "Q4Gen" ? "" : id;
        string source = File.ReadAllText(Path.Combine(PackagesFixture.Root, folder, "README.md"));
        Assert.Equal(folder.Length > 0 ? source.Trim() : Regex.Replace(source, @"\]\((?!https:)", $"]({Repository}/blob/main/").Trim(), readme.ReplaceLineEndings("\n").Trim());
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void TheIconIsOfTheSizeThatFeedsShow(string id)
    {
        using PackageFile package = Open(id);
        byte[] icon = package.Read("icon.png");
        Assert.Equal((128, 128), (BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(icon.AsSpan(20))));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void AssembliesAreReproducibleAndSayWhereTheirSourcesAre(string id)
    {
        using PackageFile package = Open(id);
        using PackageFile symbols = Open(id, "snupkg");
        foreach (string name in package.Files.Where(static file => file.EndsWith(".dll", StringComparison.Ordinal)))
        {
            using var assembly = new PEReader(ImmutableCollectionsMarshal.AsImmutableArray(package.Read(name)));
            ImmutableArray<DebugDirectoryEntry> entries = assembly.ReadDebugDirectory();
            Assert.Contains(entries, static entry => entry.Type == DebugDirectoryEntryType.Reproducible);

            // Analyzers carry their symbols, which symbol packages do not take.
            DebugDirectoryEntry embedded = entries.FirstOrDefault(static entry => entry.Type == DebugDirectoryEntryType.EmbeddedPortablePdb);
            using MetadataReaderProvider provider = embedded.DataSize > 0
                ? assembly.ReadEmbeddedPortablePdbDebugDirectoryData(embedded)
                : MetadataReaderProvider.FromPortablePdbImage(ImmutableCollectionsMarshal.AsImmutableArray(symbols.Read(Path.ChangeExtension(name, ".pdb"))));
            MetadataReader reader = provider.GetMetadataReader();
            CodeViewDebugDirectoryData codeView = assembly.ReadCodeViewDebugDirectoryData(
                entries.Single(static entry => entry.Type == DebugDirectoryEntryType.CodeView));
            Assert.Equal(codeView.Guid, new BlobContentId(reader.DebugMetadataHeader!.Id).Guid);
            if (IsUnderGit)
            {
                Assert.Matches("https://raw.githubusercontent.com/q4gen/q4gen/[0-9a-f]{40}/", SourceLink(reader));
            }
        }
    }

    private static bool IsUnderGit => Path.Exists(Path.Combine(PackagesFixture.Root, ".git"));

    private static string SourceLink(MetadataReader reader) =>
        reader.CustomDebugInformation.Select(reader.GetCustomDebugInformation)
            .Where(information => reader.GetGuid(information.Kind) == s_sourceLink)
            .Select(information => Encoding.UTF8.GetString(reader.GetBlobBytes(information.Value)))
            .Single();

    private PackageFile Open(string id, string extension = "nupkg") => new(Path.Combine(packages.Feed, $"{id}.{packages.Version}.{extension}"));
}
