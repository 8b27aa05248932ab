using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>Reads a type that holds layers, or children that do.</summary>
internal static class ContainerParser
{
    /// <summary>
    /// The spec of a container with all its layers and children. Where no <c>Load</c> can be generated, one that only keeps
    /// the compiler going until the analyzer has said why, or null where the compiler says it itself.
    /// </summary>
    public static ContainerSpec? Parse(INamedTypeSymbol type, Compilation compilation, Report? report)
    {
        bool canGenerate = CanGenerate(type, compilation, report);

        // Each property is checked even so, to report everything at once.
        var takenNames = new HashSet<string>(type.GetMembers().Select(member => member.Name)) { type.Name };
        List<LayerPropertySpec> layers = [];
        List<RejectedPropertySpec> rejected = [];
        var names = new TensorNames(type, report);
        foreach (IPropertySymbol property in type.LayerProperties())
        {
            if (LayerPropertyParser.Parse(property, takenNames, report) is { } layer
                && names.TryAdd(layer.TensorName, property, isLayer: true) && canGenerate)
            {
                layers.Add(layer);
            }
            else if (LayerPropertyParser.Reject(property) is { } rejection)
            {
                rejected.Add(rejection);
            }
        }

        List<ChildSpec> children = [];
        foreach (ISymbol member in type.GetMembers().Where(member => member is IFieldSymbol or IPropertySymbol).InDeclarationOrder())
        {
            if (ChildParser.Parse(member, type, compilation, report) is { } child
                && names.TryAdd(child.TensorName, member, child.IsLayer || child.Collection != ChildCollection.None))
            {
                children.Add(child);
            }
        }

        if (!canGenerate)
        {
            return rejected.Count > 0 && type.IsPartial() && TypeShellParser.IsReachable(type, compilation)
                ? ContainerSpec.Reject(TypeShellParser.Parse(type, compilation), rejected.ToEquatableArray())
                : null;
        }

        return new ContainerSpec(
            TypeShellParser.Parse(type, compilation),
            type.IsValueType,
            type.IsValueType && type.FindAttribute("System.Runtime.InteropServices.StructLayoutAttribute") is null,
            !HasLoad(type, compilation),
            LoadFrom(type, compilation),
            layers.ToEquatableArray(),
            children.ToEquatableArray(),
            rejected.ToEquatableArray());
    }

    /// <summary>Whether a container gets a generated part; its members may be at fault even so.</summary>
    public static bool CanGenerate(INamedTypeSymbol type, Compilation compilation, Report? report)
    {
        bool isPartial = type.IsPartial();
        if (!isPartial)
        {
            report?.Invoke(
                Descriptors.ContainingTypeNotPartial, type.FirstLocation(), type.Name,
                type.LayerProperties().FirstOrDefault()?.Name ?? "Load", TypeShellParser.Keyword(type));
        }

        return TypeShellParser.CheckLanguage(type, compilation, report)
            & TypeShellParser.CheckNesting(type, report)
            & CheckKind(type, compilation, report)
            & isPartial;
    }

    private static bool CheckKind(INamedTypeSymbol type, Compilation compilation, Report? report)
    {
        (string Problem, string Fix)? reason = null;
        if (type.TypeKind == TypeKind.Interface)
        {
            reason = ("is an interface, which has no fields", "move the properties to a class");
        }
        else if (type.IsStatic)
        {
            reason = ("is static", "remove 'static'");
        }
        else if (type.IsRefLikeType)
        {
            reason = ("is a ref struct, which a load cannot visit", "remove 'ref'");
        }
        else if (type is { IsValueType: true, IsReadOnly: true })
        {
            reason = ("is a readonly struct, so that a load cannot assign them", "remove 'readonly'");
        }
        else if (type.IsLayer())
        {
            reason = ("is itself a layer, whose Load makes a new one", "hold them in a class of their own");
        }
        else if (FindModelBase(type) is { } other && !IsGenerated(other, compilation) && FindLoadFrom(other) is null)
        {
            reason = ($"its base '{other.ToText()}' implements ILinear4BitModel explicitly, so that a derived type cannot call it",
                "write 'public virtual void LoadFrom(ModelLoad load, string prefix)' there");
        }

        if (reason is null)
        {
            return true;
        }

        report?.Invoke(Descriptors.UnusableContainer, type.FirstLocation(), type.Name, reason.Value.Problem, reason.Value.Fix);
        return false;
    }

    /// <summary>Whether this compilation generates the type's <c>LoadFrom</c>.</summary>
    private static bool IsGenerated(INamedTypeSymbol type, Compilation compilation) =>
        SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, compilation.Assembly)
        && type.OriginalDefinition.IsContainer()
        && CanGenerate(type.OriginalDefinition, compilation, null);

    private static LoadFromKind LoadFrom(INamedTypeSymbol type, Compilation compilation)
    {
        if (FindModelBase(type) is not { } other)
        {
            return type.IsValueType || type.IsSealed ? LoadFromKind.Final : LoadFromKind.Virtual;
        }

        return IsGenerated(other, compilation) || FindLoadFrom(other) is { IsSealed: false } and ({ IsVirtual: true } or { IsAbstract: true } or { IsOverride: true })
            ? LoadFromKind.Override
            : LoadFromKind.New;
    }

    /// <summary>The nearest base type that is a model.</summary>
    private static INamedTypeSymbol? FindModelBase(INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? other = type.BaseType; other is not null; other = other.BaseType)
        {
            if (other.OriginalDefinition.IsContainer() || other.Interfaces.Any(item => item.Is(KnownNames.Model)))
            {
                return other;
            }
        }

        return null;
    }

    private static IMethodSymbol? FindLoadFrom(INamedTypeSymbol type) =>
        type.GetMembers("LoadFrom").OfType<IMethodSymbol>().FirstOrDefault(method =>
            method is { DeclaredAccessibility: Accessibility.Public, Parameters.Length: 2 });

    /// <summary>Whether the type has a <c>Load(IWeightSource, string)</c> of its own or from a base.</summary>
    private static bool HasLoad(INamedTypeSymbol type, Compilation compilation)
    {
        for (INamedTypeSymbol? other = type; other is not null; other = other.BaseType)
        {
            if (!SymbolEqualityComparer.Default.Equals(other, type) && other.OriginalDefinition.IsContainer() && IsGenerated(other, compilation))
            {
                return true;
            }

            if (other.GetMembers("Load").OfType<IMethodSymbol>().Any(method =>
                method.Parameters.Length == 2
                && method.Parameters[0].Type.Is(KnownNames.WeightSource)
                && method.Parameters[1].Type.SpecialType == SpecialType.System_String))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The tensor names of one container, each with the member that took it.</summary>
    private sealed class TensorNames(INamedTypeSymbol type, Report? report)
    {
        private readonly Dictionary<string, string> _owners = new(StringComparer.Ordinal);

        public bool TryAdd(string name, ISymbol member, bool isLayer)
        {
            // Several children may stand directly under the container's prefix.
            if (name.Length == 0 && !isLayer)
            {
                return true;
            }

            if (_owners.TryGetValue(name, out string? other))
            {
                report?.Invoke(
                    Descriptors.DuplicateTensorName, member.FirstLocation(), other, member.Name, type.Name, name,
                    member.FindAttribute(KnownNames.LayerAttribute) is null ? "[WeightName(\"…\")]" : "'Name = \"…\"' in its attribute");
                return false;
            }

            _owners.Add(name, member.Name);
            return true;
        }
    }
}
