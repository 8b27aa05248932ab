using System.IO.Compression;
using System.Xml.Linq;

namespace Q4Gen.Tests.Packaging;

/// <summary>What a package has inside.</summary>
internal sealed class PackageFile : IDisposable
{
    private readonly ZipArchive _archive;

    public PackageFile(string path)
    {
        _archive = ZipFile.OpenRead(path);
        Files =
        [
            .. _archive.Entries.Select(static entry => entry.FullName)
                .Where(static name => name != "[Content_Types].xml" && !name.StartsWith("_rels/", StringComparison.Ordinal) && !name.StartsWith("package/", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];
        using Stream nuspec = _archive.Entries.Single(static entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        Metadata = XDocument.Load(nuspec).Root!.Elements().Single();
    }

    /// <summary>Paths of its files, without those that are only the container's.</summary>
    public string[] Files { get; }

    /// <summary>The <c>metadata</c> of the nuspec.</summary>
    public XElement Metadata { get; }

    public string? Text(string element) => (string?)Metadata.Element(Metadata.Name.Namespace + element);

    public string? Attribute(string element, string attribute) => (string?)Metadata.Element(Metadata.Name.Namespace + element)?.Attribute(attribute);

    public byte[] Read(string name)
    {
        using Stream content = _archive.GetEntry(name)!.Open();
        var bytes = new MemoryStream();
        content.CopyTo(bytes);
        return bytes.ToArray();
    }

    public void Dispose() => _archive.Dispose();
}
