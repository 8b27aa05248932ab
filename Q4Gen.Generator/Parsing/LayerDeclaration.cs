using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Microsoft.CodeAnalysis;
using Q4Gen.Format;
using Q4Gen.Generator.Diagnostics;
using Q4Gen.Generator.Model;
using Q4Gen.Generator.Planning;

namespace Q4Gen.Generator.Parsing;

/// <summary>What a [Linear4Bit] says.</summary>
/// <param name="Shape">The shape; valid.</param>
/// <param name="HasBias">Whether there is a bias.</param>
/// <param name="IsAffine">Whether groups have offsets.</param>
/// <param name="Name">The name in weight files, or null where none is given.</param>
internal sealed record LayerDeclaration(LayerShape Shape, bool HasBias, bool IsAffine, string? Name)
{
    /// <summary>
    /// Bytes of packed weights, and of packed scales, that one layer may take. The longest span of bytes that .NET has:
    /// a layer made from spans can have no more, and below it every offset in a kernel fits 32 bits.
    /// </summary>
    public const long MaxBytes = int.MaxValue;

    private const int DefaultGroup = 128;

    /// <summary>Reads and checks an attribute; null where its shape is unusable.</summary>
    public static LayerDeclaration? Read(AttributeData attribute, string owner, Report? report)
    {
        int inFeatures = 0, outFeatures = 0, group = DefaultGroup;
        bool hasBias = false, isAffine = false;
        LayerPrecision precision = LayerPrecision.Unstated;
        string? name = null;
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            switch (argument.Key, argument.Value.Value)
            {
                case ("In", int value):
                    inFeatures = value;
                    break;
                case ("Out", int value):
                    outFeatures = value;
                    break;
                case ("Group", int value):
                    group = value;
                    break;
                case ("Bias", bool value):
                    hasBias = value;
                    break;
                case ("Affine", bool value):
                    isAffine = value;
                    break;
                case ("Precision", int value):
                    precision = (LayerPrecision)value;
                    break;
                case ("Name", string value):
                    name = value;
                    break;
            }
        }

        var shape = new LayerShape(inFeatures, outFeatures, group, precision);
        return IsUsable(shape, attribute, owner, report) ? new LayerDeclaration(shape, hasBias, isAffine, name) : null;
    }

    private static bool IsUsable(LayerShape shape, AttributeData attribute, string owner, Report? report)
    {
        bool isPositive = CheckPositive("In", shape.In, "number of input features", "4096")
            & CheckPositive("Out", shape.Out, "number of output features", "4096")
            & CheckPositive("Group", shape.Group, "number of columns that share one scale", "128");
        if (!isPositive)
        {
            return false;
        }

        if (shape.In % 2 != 0)
        {
            report?.Invoke(Descriptors.OddIn, attribute.LocationOf("In"), owner, Text(shape.In), Text(shape.In + 1L));
            return false;
        }

        if (shape.Precision is not (LayerPrecision.Exact or LayerPrecision.Int8Activations)
            && attribute.NamedArguments.Any(argument => argument.Key == "Precision"))
        {
            report?.Invoke(Descriptors.UnknownPrecision, attribute.LocationOf("Precision"), owner, Text((int)shape.Precision));
            return false;
        }

        if (!CheckSize(shape, attribute, owner, report))
        {
            return false;
        }

        if (!KernelPlanner.HasVectorKernels(shape))
        {
            long next = (shape.Group + PanelLayout.StepColumns - 1L) / PanelLayout.StepColumns * PanelLayout.StepColumns;
            report?.Invoke(Descriptors.ScalarGroup, attribute.LocationOf("Group"), owner, Text(shape.Group), Text(next));
        }

        if (shape.Group > shape.In)
        {
            report?.Invoke(Descriptors.GroupLargerThanIn, attribute.LocationOf("Group"), owner, Text(shape.Group), Text(shape.In));
        }

        return true;

        bool CheckPositive(string argument, int value, string meaning, string example)
        {
            if (value > 0)
            {
                return true;
            }

            bool isGiven = false;
            foreach (KeyValuePair<string, TypedConstant> named in attribute.NamedArguments)
            {
                isGiven |= named.Key == argument;
            }

            report?.Invoke(
                Descriptors.NotPositive, attribute.LocationOf(argument), argument, owner, isGiven ? Text(value) : "missing", meaning, example);
            return false;
        }
    }

    private static bool CheckSize(LayerShape shape, AttributeData attribute, string owner, Report? report)
    {
        long panels = Ceil(shape.Out, PanelLayout.PanelRows);
        long panelWeights = Ceil(shape.In, PanelLayout.StepColumns) * PanelLayout.StepBytes;
        long panelScales = Ceil(shape.In, shape.Group) * PanelLayout.PanelRows * sizeof(short);
        bool areWeightsLarger = panelWeights >= panelScales;
        long panelBytes = areWeightsLarger ? panelWeights : panelScales;
        if (panels * panelBytes <= MaxBytes)
        {
            return true;
        }

        report?.Invoke(
            Descriptors.TooLarge, attribute.LocationOf("Out"), owner, Text(panels * panelBytes), areWeightsLarger ? "weights" : "scales",
            Text(MaxBytes), Text(MaxBytes / panelBytes * PanelLayout.PanelRows));
        return false;
    }

    private static long Ceil(int value, int divisor) => ((long)value + divisor - 1) / divisor;

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);
}
