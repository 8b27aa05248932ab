namespace Q4Gen;

/// <summary>A load of a whole model in progress.</summary>
public sealed class ModelLoad
{
}
