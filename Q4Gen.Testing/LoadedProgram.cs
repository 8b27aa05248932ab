using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Q4Gen.Testing;

/// <summary>
/// A program that the harness compiled, loaded beside the running one and sharing its Q4Gen. Disposing lets the
/// runtime unload it, which it does once nothing refers to it; kernels that the program registered stay in use.
/// </summary>
public sealed class LoadedProgram : IDisposable
{
    private readonly AssemblyLoadContext _context;

    private LoadedProgram(AssemblyLoadContext context, Assembly assembly)
    {
        _context = context;
        Assembly = assembly;
    }

    /// <summary>The program.</summary>
    public Assembly Assembly { get; }

    /// <summary>Finds a type by its full name.</summary>
    /// <exception cref="GeneratorCheckException">The program has no such type.</exception>
    public Type Type(string fullName) =>
        Assembly.GetType(fullName)
        ?? throw new GeneratorCheckException(
            $"The program has no type '{fullName}'; it has: {string.Join(", ", Assembly.GetTypes().Select(static t => t.FullName))}");

    /// <summary>Calls a static method and returns what it returns; its exceptions come through as they are.</summary>
    /// <exception cref="GeneratorCheckException">The program has no such type, or the type no such method.</exception>
    public object? Call(string typeName, string methodName, params object?[] arguments)
    {
        MethodInfo method = Type(typeName).GetMethod(methodName, BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
            ?? throw new GeneratorCheckException($"'{typeName}' has no static method '{methodName}'.");
        return method.Invoke(null, BindingFlags.DoNotWrapExceptions, binder: null, arguments, culture: null);
    }

    /// <summary>Lets the program be unloaded.</summary>
    public void Dispose() => _context.Unload();

    internal static LoadedProgram Emit(CSharpCompilation compilation)
    {
        using var image = new MemoryStream();
        Microsoft.CodeAnalysis.Emit.EmitResult result = compilation.Emit(image);
        if (!result.Success)
        {
            throw new GeneratorCheckException(HarnessResult.Describe(
                [.. result.Diagnostics.Where(static d => d.Severity == DiagnosticSeverity.Error)]));
        }

        image.Position = 0;
        var context = new AssemblyLoadContext(compilation.AssemblyName, isCollectible: true);
        return new LoadedProgram(context, context.LoadFromStream(image));
    }
}
