using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

public class WeightTensorTests
{
    [Fact]
    public void ConvertsEveryFloatTypeExactly()
    {
        float[] values = [0, -0f, 1, -1.5f, 0.099975586f, 65504, float.PositiveInfinity, 5.9604645e-8f];
        Half[] halves = [.. values.Select(value => (Half)value)];
        ushort[] brains = [.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))];
        Assert.Equal(values, WeightTensor.FromSingle(values, 8).ToSingleArray());
        Assert.Equal([.. halves.Select(half => (float)half)], WeightTensor.FromHalf(halves, 2, 4).ToSingleArray());
        byte[] bytes = new byte[16];
        Buffer.BlockCopy(brains, 0, bytes, 0, 16);
        Assert.Equal(
            brains.Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)),
            new WeightTensor(TensorType.BF16, [8], bytes).ToSingleArray());
    }

    [Fact]
    public void ReadsPartsAndNothingOutside()
    {
        WeightTensor tensor = WeightTensor.FromSingle([0, 1, 2, 3, 4, 5], 2, 3);
        float[] part = new float[2];
        tensor.ReadSingle(3, part);
        Assert.Equal([3, 4], part);
        Assert.Equal(24, tensor.ByteLength);
        Assert.Equal(6, tensor.ElementCount);
        Assert.Equal("F32 [2, 3]", tensor.ToString());
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.ReadSingle(5, new float[2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Bytes(-1, 4).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Bytes(0, -1).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Bytes(21, 4).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Bytes(long.MaxValue, int.MaxValue).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Bytes(0, 25).Length);
        Assert.Equal(0, tensor.Bytes(24, 0).Length);
    }

    [Fact]
    public void RejectsShapesThatTheDataIsNot()
    {
        Assert.Contains("takes 8 bytes, but 12 were given",
            Assert.Throws<ArgumentException>(() => new WeightTensor(TensorType.F16, [2, 2], new byte[12])).Message);
        Assert.Contains("No tensor has shape [-1]",
            Assert.Throws<ArgumentException>(() => new WeightTensor(TensorType.U8, [-1], new byte[1])).Message);
        Assert.Contains("No tensor has shape [4294967296, 4294967296]",
            Assert.Throws<ArgumentException>(() => new WeightTensor(TensorType.U8, [1L << 32, 1L << 32], new byte[1])).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => new WeightTensor((TensorType)99, [1], new byte[1]));
        Assert.Throws<NotSupportedException>(() => WeightTensor.FromByte([1], 1).ToSingleArray());
    }

    [Fact]
    public void ADictionaryIsASource()
    {
        Dictionary<string, WeightTensor> tensors = Layer("p", 64, 16, 32);
        var source = new TensorDictionary(tensors, "two tensors", new Dictionary<string, string> { ["group_size"] = "32" });
        Assert.Equal("two tensors", source.Description);
        Assert.Equal(tensors.Keys, source.Names);
        Assert.Equal("32", source.Metadata["group_size"]);
        Assert.True(source.TryGet("p.weight_4bit", out WeightTensor? tensor));
        Assert.Same(tensors["p.weight_4bit"], tensor);
        tensors["null"] = null!;
        Assert.False(source.TryGet("null", out _));
        Assert.Throws<ArgumentNullException>(() => new TensorDictionary(null!));
    }
}
