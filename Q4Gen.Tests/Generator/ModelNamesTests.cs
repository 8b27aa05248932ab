using Q4Gen.Generator.Parsing;

namespace Q4Gen.Tests.Generator;

/// <summary>Tensor names from member names, and how parts of names join.</summary>
public class ModelNamesTests
{
    [Theory]
    [InlineData("GateProj", "gate_proj")]
    [InlineData("QProj", "q_proj")]
    [InlineData("W1", "w1")]
    [InlineData("W12B", "w12b")]
    [InlineData("LMHead", "lm_head")]
    [InlineData("MLP", "mlp")]
    [InlineData("Mlp", "mlp")]
    [InlineData("Conv2D", "conv2d")]
    [InlineData("Conv1DProj", "conv1d_proj")]
    [InlineData("Layer2Norm", "layer2_norm")]
    [InlineData("Fc1", "fc1")]
    [InlineData("gateProj", "gate_proj")]
    [InlineData("_gateProj", "gate_proj")]
    [InlineData("Gate_Proj", "gate_proj")]
    [InlineData("gate_proj", "gate_proj")]
    [InlineData("ÄußereÖse", "äußere_öse")]
    [InlineData("IO", "io")]
    public void MemberNamesBecomeSnakeCase(string member, string tensor) => Assert.Equal(tensor, SnakeCase.From(member));

    [Theory]
    [InlineData("", "", "")]
    [InlineData("model", "", "model")]
    [InlineData("", "layers", "layers")]
    [InlineData("model", "layers.0", "model.layers.0")]
    public void EmptyPartsLeaveNoDot(string prefix, string name, string joined) => Assert.Equal(joined, ModelLoad.Join(prefix, name));
}
