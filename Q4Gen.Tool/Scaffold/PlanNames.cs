using Q4Gen.Generator.Parsing;

namespace Q4Gen.Tool.Scaffold;

/// <summary>Gives the classes and properties of a plan their names.</summary>
internal static class PlanNames
{
    /// <summary>Names everything; classes that can be one become one.</summary>
    /// <returns>The classes, each after the one that first holds it; the model's first.</returns>
    public static IReadOnlyList<PlannedClass> Assign(PlannedClass model)
    {
        List<(PlannedClass Class, PlannedClass? Owner)> classes = Collect(model);
        Dictionary<string, int> uses = classes.Skip(1).GroupBy(static item => item.Class.Suggestion).ToDictionary(static group => group.Key, static group => group.Count());

        // No member may have the name of its class, and those that the generator adds have theirs.
        var taken = new HashSet<string>([.. Identifiers.UsedTypes, .. Identifiers.TakenMembers, model.Suggestion], StringComparer.OrdinalIgnoreCase);
        model.Name = model.Suggestion;
        foreach ((PlannedClass planned, PlannedClass? owner) in classes.Skip(1))
        {
            string suggestion = planned.Suggestion;
            bool isFree = uses[suggestion] == 1 && !taken.Contains(suggestion);
            planned.Name = Identifiers.Take(
                isFree ? suggestion : planned.ElementNumber is { } number ? suggestion + number : owner!.Name + suggestion, taken);
        }

        foreach ((PlannedClass planned, _) in classes)
        {
            NameMembers(planned);
        }

        return [.. classes.Select(static item => item.Class)];
    }

    /// <summary>Whether a member's name in the file is what the generator makes of the property's by itself.</summary>
    public static bool IsDefault(PlannedMember member) => SnakeCase.From(member.Name) == member.WeightName;

    /// <summary>Every class once, level by level, and the paths of each.</summary>
    private static List<(PlannedClass Class, PlannedClass? Owner)> Collect(PlannedClass model)
    {
        var found = new List<(PlannedClass, PlannedClass?)> { (model, null) };
        var bySignature = new Dictionary<string, PlannedClass>();
        var open = new Queue<(PlannedClass Class, PlannedClass Original, string Path)>([(model, model, "")]);
        while (open.TryDequeue(out (PlannedClass Class, PlannedClass Original, string Path) item))
        {
            foreach (PlannedMember member in item.Class.Members.Where(static member => member.Class is not null))
            {
                string path = ModelLoad.Join(item.Path, member.WeightName);
                path = member.Kind == MemberKind.Array ? ModelLoad.Join(path, "*") : path;
                PlannedClass planned = member.Class!;
                if (!bySignature.TryGetValue(planned.Signature, out PlannedClass? original))
                {
                    original = planned;
                    bySignature.Add(planned.Signature, planned);
                    found.Add((planned, item.Original));
                }

                original.Paths.Add(path);
                member.Class = original;
                open.Enqueue((planned, original, path));
            }
        }

        return found;
    }

    private static void NameMembers(PlannedClass planned)
    {
        var taken = new HashSet<string>(Identifiers.TakenMembers, StringComparer.Ordinal) { planned.Name };
        foreach (PlannedMember member in planned.Members)
        {
            string name = NameOf(member);
            if (name == planned.Name)
            {
                name += WordOf(member.Kind);
            }

            member.Name = Identifiers.Take(name, taken);
        }
    }

    /// <summary><c>q_proj</c> → <c>QProj</c>, <c>model.layers</c> → <c>Layers</c>, <c>layers.0.mlp</c> → <c>Layer0Mlp</c>.</summary>
    private static string NameOf(PlannedMember member)
    {
        string[] parts = member.WeightName.Split('.');
        int first = 0;
        while (first < parts.Length - 1 && ModelWords.IsWrapper(parts[first]) && !NameNode.IsIndex(parts[first + 1]))
        {
            first++;
        }

        string name = "";
        for (int i = first; i < parts.Length; i++)
        {
            bool isNumbered = i + 1 < parts.Length && NameNode.IsIndex(parts[i + 1]);
            bool isArray = i == parts.Length - 1 && member.Kind == MemberKind.Array;
            string word = Identifiers.Pascal(isNumbered ? ModelWords.Singular(parts[i]) : isArray ? ModelWords.Plural(parts[i]) : parts[i]);
            name += name.Length > 0 && word.Length > 0 && char.IsDigit(name[^1]) && char.IsDigit(word[0]) ? "_" + word : word;
        }

        return Identifiers.StartWithLetter(name.Length > Identifiers.MaxLength ? name[..Identifiers.MaxLength] : name, WordOf(member.Kind));
    }

    private static string WordOf(MemberKind kind) => kind switch
    {
        MemberKind.Layer => "Layer",
        MemberKind.Array => "Elements",
        _ => "Part",
    };
}
