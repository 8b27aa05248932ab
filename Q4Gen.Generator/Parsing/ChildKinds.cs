using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Q4Gen.Generator.Model;

namespace Q4Gen.Generator.Parsing;

/// <summary>Tells which types a load visits. The generator does not see its own output, so it asks what it will generate.</summary>
internal sealed class ChildKinds(Compilation compilation)
{
    /// <summary>A member's type as elements and what holds them.</summary>
    public static (ITypeSymbol Element, ChildCollection Collection) Split(ITypeSymbol type) => type switch
    {
        IArrayTypeSymbol { IsSZArray: true } array => (array.ElementType, ChildCollection.Array),
        INamedTypeSymbol { Arity: 1 } named when IsGeneric(named, "List") => (named.TypeArguments[0], ChildCollection.List),
        INamedTypeSymbol { Arity: 1 } named when IsGeneric(named, "IReadOnlyList") => (named.TypeArguments[0], ChildCollection.ReadOnlyList),
        _ => (type, ChildCollection.None),
    };

    /// <summary>Whether the type is an annotated class that becomes, or in its own assembly became, a layer.</summary>
    public bool IsLayerClass(ITypeSymbol type) =>
        type is INamedTypeSymbol { TypeKind: TypeKind.Class } named
        && named.OriginalDefinition.IsLayer()
        && (IsHere(named) ? LayerClassParser.Parse(named.OriginalDefinition, compilation, null) is not null : named.BaseType.Is(KnownNames.Layer));

    /// <summary>Whether the type is, or becomes, an ILinear4BitModel.</summary>
    public bool HoldsLayers(ITypeSymbol type)
    {
        if (type.Is(KnownNames.Model) || type.AllInterfaces.Any(item => item.Is(KnownNames.Model)))
        {
            return true;
        }

        if (type is ITypeParameterSymbol parameter)
        {
            return parameter.ConstraintTypes.Any(constraint => constraint is not ITypeParameterSymbol && HoldsLayers(constraint));
        }

        for (INamedTypeSymbol? level = type as INamedTypeSymbol; level is not null; level = level.BaseType)
        {
            if (IsHere(level) && level.OriginalDefinition.IsContainer() && ContainerParser.CanGenerate(level.OriginalDefinition, compilation, null))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The element type of a collection that a load cannot fill but whose elements it would visit.</summary>
    public ITypeSymbol? FindElements(ITypeSymbol type)
    {
        if (type is IArrayTypeSymbol array)
        {
            return IsVisited(array.ElementType) ? array.ElementType : FindElements(array.ElementType);
        }

        IEnumerable<INamedTypeSymbol> interfaces = type is INamedTypeSymbol { TypeKind: TypeKind.Interface } self ? type.AllInterfaces.Prepend(self) : type.AllInterfaces;
        return interfaces
            .Where(item => item.OriginalDefinition.SpecialType == SpecialType.System_Collections_Generic_IEnumerable_T)
            .Select(item => item.TypeArguments[0])
            .FirstOrDefault(IsVisited);
    }

    /// <summary>Whether some path of members leads from a type to a container.</summary>
    /// <param name="from">The type to start at.</param>
    /// <param name="to">The container.</param>
    /// <param name="throughNamed">Whether members with [WeightName] count.</param>
    public bool LeadsTo(ITypeSymbol from, INamedTypeSymbol to, bool throughNamed)
    {
        var seen = new HashSet<ITypeSymbol>(SymbolEqualityComparer.Default);
        var open = new Stack<ITypeSymbol>([from]);
        while (open.Count > 0)
        {
            ITypeSymbol type = open.Pop().OriginalDefinition;
            if (SymbolEqualityComparer.Default.Equals(type, to.OriginalDefinition))
            {
                return true;
            }

            // Types of other assemblies cannot refer to this one's.
            if (!seen.Add(type) || !IsHere(type))
            {
                continue;
            }

            foreach (ISymbol member in type.GetMembers())
            {
                bool isNamed = member.FindAttribute(KnownNames.WeightNameAttribute) is not null;
                if ((!isNamed || throughNamed) && Storage.Of(member, isNamed) is { } storage)
                {
                    ITypeSymbol element = Split(storage.Type).Element;
                    if (HoldsLayers(element))
                    {
                        open.Push(element);
                    }
                }
            }
        }

        return false;
    }

    private static bool IsGeneric(INamedTypeSymbol type, string name) =>
        type.Name == name && type.ContainingNamespace.ToDisplayString() == "System.Collections.Generic" && type.ContainingType is null;

    private bool IsVisited(ITypeSymbol type) => IsLayerClass(type) || HoldsLayers(type);

    private bool IsHere(ITypeSymbol type) => SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, compilation.Assembly);
}
