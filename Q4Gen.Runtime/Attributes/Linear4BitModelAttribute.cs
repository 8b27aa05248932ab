namespace Q4Gen;

/// <summary>
/// Asks for a generated <c>Load</c> on a partial type that has no layer of its own but members that do, such as the
/// class of a whole transformer that holds an array of blocks. Types with a <see cref="Linear4BitAttribute"/>
/// property get theirs without it.
/// </summary>
/// <remarks>
/// <para>Children of a model are the fields and automatic properties, of any accessibility, whose type holds layers or
/// is a layer class, and arrays, <see cref="List{T}"/> and <see cref="IReadOnlyList{T}"/> of such. A child loads under
/// its name in snake_case or under its <see cref="WeightNameAttribute"/>; elements under that and their index,
/// <c>layers.0</c>. Properties whose accessors are written by hand are children only with
/// [WeightName], and so are members of the model's own type, which are taken for references such as <c>Parent</c>;
/// static members never are.</para>
/// <para>A child that is null is created with its parameterless constructor, and a collection that is null with as many
/// elements as the source has consecutive indices, where the member can be assigned. What a base class holds is loaded
/// too if the base class is itself annotated.</para>
/// <para>Tensors that are no layers, such as norms and embeddings, are read by implementing
/// <c>partial void OnLoad(ModelLoad load, string prefix)</c>; see <see cref="ModelLoad.ReadSingle"/> and
/// <see cref="ModelLoad.OnCommit"/>.</para>
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Struct, Inherited = false)]
public sealed class Linear4BitModelAttribute : Attribute;
