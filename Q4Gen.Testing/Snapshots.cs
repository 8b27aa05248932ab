using System.Runtime.CompilerServices;
using System.Text;

namespace Q4Gen.Testing;

/// <summary>
/// Compares generated files with accepted ones, by the file conventions of Verify: <c>Class.Method#Hint.verified.cs</c>
/// starts with <c>//HintName: Hint.cs</c>, is UTF-8 with a byte order mark and has LF line ends; a difference leaves
/// <c>.received.cs</c> beside it.
/// </summary>
/// <remarks>
/// To accept what is generated now, run the tests once with the environment variable <c>Q4GEN_ACCEPT=1</c>; build
/// servers (<c>CI=true</c>) refuse it. A byte order mark and the kind of line ends make no difference.
/// </remarks>
public static class Snapshots
{
    /// <summary>The environment variable that accepts snapshots.</summary>
    public const string AcceptVariable = "Q4GEN_ACCEPT";

    private const string Verified = ".verified";
    private const string Received = ".received";

    private static readonly UTF8Encoding s_encoding = new(encoderShouldEmitUTF8Identifier: true);

    /// <summary>Compares the generated files of <paramref name="result"/> with the accepted ones of the calling test.</summary>
    /// <param name="result">A run of the generator.</param>
    /// <param name="directory">Where snapshots lie, relative to the test's source file.</param>
    /// <param name="include">Which files, by hint name; all where null.</param>
    /// <param name="variant">Distinguishes several calls of one test method; none where null.</param>
    /// <param name="method">The test method; the compiler fills it in.</param>
    /// <param name="file">The test's source file, whose name is taken for the class's; the compiler fills it in.</param>
    /// <exception cref="SnapshotException">A file differs, is new, or is no longer generated.</exception>
    public static void Verify(
        HarnessResult result,
        string directory = "Snapshots",
        Func<string, bool>? include = null,
        string? variant = null,
        [CallerMemberName] string method = "",
        [CallerFilePath] string file = "")
    {
        ArgumentNullException.ThrowIfNull(result);
        Verify(result.Files.Where(f => include is null || include(f.Key)), directory, variant, method, file);
    }

    /// <summary>Compares texts, by hint name, with the accepted ones of a test.</summary>
    internal static void Verify(
        IEnumerable<KeyValuePair<string, string>> files, string directory, string? variant, string method, string file)
    {
        string folder = Path.GetFullPath(Path.Combine(SourceLocator.FolderOf(file), directory));
        string test = $"{SourceLocator.ClassOf(file)}.{method}{(variant is null ? "" : "_" + variant)}";
        Verify(
            files,
            folder,
            test,
            accept: Environment.GetEnvironmentVariable(AcceptVariable) == "1",
            isBuildServer: string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase));
    }

    internal static void Verify(
        IEnumerable<KeyValuePair<string, string>> files, string folder, string test, bool accept, bool isBuildServer)
    {
        if (accept && isBuildServer)
        {
            throw new SnapshotException(
                $"{AcceptVariable}=1 is set together with CI=true. Snapshots are accepted by a person: run the test without CI, look at the changes, commit them.");
        }

        Directory.CreateDirectory(folder);
        var stale = Directory.EnumerateFiles(folder, $"{test}#*{Verified}.*").ToHashSet(StringComparer.Ordinal);
        var failures = new List<string>();
        foreach ((string hintName, string text) in files)
        {
            string verifiedPath = Path.Combine(folder, FileName(test, hintName, Verified));
            string receivedPath = Path.Combine(folder, FileName(test, hintName, Received));
            stale.Remove(verifiedPath);
            string received = Normalize($"//HintName: {hintName}\n{text}");
            string? verified = File.Exists(verifiedPath) ? Normalize(File.ReadAllText(verifiedPath)) : null;
            File.Delete(receivedPath);
            if (verified == received)
            {
                continue;
            }

            if (accept)
            {
                File.WriteAllText(verifiedPath, received, s_encoding);
                continue;
            }

            File.WriteAllText(receivedPath, received, s_encoding);
            failures.Add(
                (verified is null ? "New: " : "Changed: ")
                + $"{verifiedPath}\n{TextDiff.Unified(verified ?? "", received, "verified", "received")}");
        }

        foreach (string path in stale.Order(StringComparer.Ordinal))
        {
            if (accept)
            {
                File.Delete(path);
            }
            else
            {
                failures.Add($"No longer generated: {path}\n");
            }
        }

        if (failures.Count != 0)
        {
            throw new SnapshotException(
                $"Generated code differs from {failures.Count} snapshots of {test}.\n\n{string.Join("\n", failures)}\n"
                + $"If that is what you want, accept it: {AcceptVariable}=1 dotnet test -c Release --filter FullyQualifiedName~{test[..test.IndexOf('.', StringComparison.Ordinal)]}");
        }
    }

    /// <summary><c>Class.Method#Some.Hint.g.verified.cs</c>.</summary>
    private static string FileName(string test, string hintName, string kind)
    {
        string extension = Path.GetExtension(hintName);
        string stem = string.Join('_', Path.GetFileNameWithoutExtension(hintName.Replace('/', '_')).Split(Path.GetInvalidFileNameChars()));
        return $"{test}#{stem}{kind}{extension}";
    }

    private static string Normalize(string text) => text.ReplaceLineEndings("\n");
}
