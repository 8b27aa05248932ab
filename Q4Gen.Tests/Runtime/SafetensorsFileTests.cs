using System.Text;
using static Q4Gen.Tests.Runtime.SafetensorsTestFiles;

namespace Q4Gen.Tests.Runtime;

public class SafetensorsFileTests
{
    [Fact]
    public void ReadsTensorsOfEveryTypeFactsAndAnyOrder()
    {
        byte[] file = Craft(
            Encoding.UTF8.GetBytes("""
                {"__metadata__":{"group_size":"64","note":"\u00e4\n"},
                 "b":{"shape":[2,3],"data_offsets":[8,20],"dtype":"BF16"},
                 "scalar":{"dtype":"F64","shape":[],"data_offsets":[0,8]},
                 "empty":{"dtype":"I32","shape":[4,0],"data_offsets":[20,20]},
                 "":{"dtype":"BOOL","shape":[1],"data_offsets":[20,21]}}   
                """),
            [.. Enumerable.Range(0, 21).Select(i => (byte)i)]);
        using SafetensorsFile source = SafetensorsFile.FromMemory(file, "made.safetensors");

        Assert.Equal("made.safetensors", source.Description);
        Assert.Equal(["b", "scalar", "empty", ""], source.Names);
        Assert.Equal("64", source.Metadata["group_size"]);
        Assert.Equal("ä\n", source.Metadata["note"]);
        Assert.True(source.TryGet("b", out WeightTensor? tensor));
        Assert.Equal(TensorType.BF16, tensor.Type);
        Assert.Equal([2, 3], tensor.Shape);
        Assert.Equal([8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19], tensor.AllBytes());
        Assert.True(source.TryGet("empty", out WeightTensor? empty));
        Assert.Empty(empty.AllBytes());
        Assert.False(source.TryGet("c", out _));
    }

    [Fact]
    public void KnowsEveryElementType()
    {
        string[] names = ["F32", "F16", "BF16", "F64", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "BOOL", "F8_E4M3", "F8_E5M2"];
        Assert.Equal(Enum.GetValues<TensorType>().Length, names.Length);
        foreach ((string name, TensorType type) in names.Zip(Enum.GetValues<TensorType>()))
        {
            int bytes = 3 * WeightTensor.ElementSize(type);
            using SafetensorsFile source = SafetensorsFile.FromMemory(
                Craft($$$"""{"t":{"dtype":"{{{name}}}","shape":[3],"data_offsets":[0,{{{bytes}}}]}}""", bytes), "types");
            Assert.True(source.TryGet("t", out WeightTensor? tensor));
            Assert.Equal(type, tensor.Type);
            Assert.Equal(3, tensor.ElementCount);
        }
    }

    [Fact]
    public void TakesAHeaderWithoutTensors()
    {
        using SafetensorsFile source = SafetensorsFile.FromMemory(Craft("{}"), "none");
        Assert.Empty(source.Names);
        Assert.Empty(source.Metadata);
    }

    [Theory]
    [InlineData(0), InlineData(1), InlineData(7)]
    public void RejectsLessThanALength(int bytes) =>
        Assert.Contains($"has {bytes} bytes, but a safetensors file starts with the 8 bytes", Rejected(new byte[bytes]));

    [Theory]
    [InlineData(100_000_001UL, "at most 100000000 are allowed")]
    [InlineData(ulong.MaxValue, "declares a header of 18446744073709551615 bytes, but at most")]
    [InlineData(1UL << 63, "at most")]
    [InlineData(100_000_000UL, "declares a header of 100000000 bytes, but only 2 follow")]
    [InlineData(3UL, "declares a header of 3 bytes, but only 2 follow")]
    [InlineData(0UL, "the header is empty")]
    [InlineData(1UL, "is not the JSON of a safetensors file")]
    public void RejectsALyingHeaderLength(ulong declared, string reason) =>
        Assert.Contains(reason, Rejected(CraftLength(declared, "{}"u8.ToArray(), [])));

    // Each header has four bytes of data behind it.
    [Theory]
    [InlineData("[]", "starts with byte 0x5b")]
    [InlineData(" {}", "starts with byte 0x20")]
    [InlineData("\uFEFF{}", "starts with byte 0xef")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}""", "is not the JSON")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}x""", "is not the JSON")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}{}""", "is not the JSON")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4,],"data_offsets":[0,4]}}""", "is not the JSON")]
    [InlineData("""{/**/"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "is not the JSON")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "names 'a' twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[4,4]}}""", "names 'a' twice")]
    [InlineData("""{"__metadata__":{},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"__metadata__":{}}""", "names '__metadata__' twice")]
    [InlineData("""{"__metadata__":{"k":"1","k":"1"},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "__metadata__ has 'k' twice")]
    [InlineData("""{"__metadata__":{"k":1},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "__metadata__ has the number '1', but a string under 'k' is expected")]
    [InlineData("""{"__metadata__":null}""", "__metadata__ has null, but an object of strings is expected")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "tensor 'a' has dtype twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"shape":[4],"data_offsets":[0,4]}}""", "tensor 'a' has shape twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"data_offsets":[0,4]}}""", "tensor 'a' has data_offsets twice")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"stride":[1]}}""", "tensor 'a' has a field 'stride'")]
    [InlineData("""{"a":{"shape":[4],"data_offsets":[0,4]}}""", "tensor 'a' has no dtype")]
    [InlineData("""{"a":{"dtype":"U8","data_offsets":[0,4]}}""", "tensor 'a' has no shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4]}}""", "tensor 'a' has no data_offsets")]
    [InlineData("""{"a":7}""", "tensor 'a' has the number '7', but an object")]
    [InlineData("""{"a":[]}""", "tensor 'a' has a list, but an object")]
    [InlineData("""{"a":{"dtype":"U4","shape":[4],"data_offsets":[0,4]}}""", "tensor 'a' has dtype 'U4', but only F32, F16, BF16")]
    [InlineData("""{"a":{"dtype":"u8","shape":[4],"data_offsets":[0,4]}}""", "tensor 'a' has dtype 'u8'")]
    [InlineData("""{"a":{"dtype":4,"shape":[4],"data_offsets":[0,4]}}""", "tensor 'a' has the number '4', but a string as dtype is expected")]
    [InlineData("""{"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}}""", "a list of non-negative integers as shape is expected")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""", "tensor 'a' has the number '-4' in shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-0,4],"data_offsets":[0,0]}}""", "tensor 'a' has the number '-0' in shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4.0],"data_offsets":[0,4]}}""", "tensor 'a' has the number '4.0' in shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4e0],"data_offsets":[0,4]}}""", "tensor 'a' has the number '4e0' in shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":["4"],"data_offsets":[0,4]}}""", "tensor 'a' has a string in shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}}""", "is not the JSON")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]}}""", "tensor 'a' has the number '9223372036854775808' in shape")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]}}""", "elements overflow 64 bits")]
    [InlineData("""{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,4]}}""", "elements overflow 64 bits")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4611686018427387904,4611686018427387904,0],"data_offsets":[0,0]}}""", "elements overflow 64 bits")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}""", "has data_offsets [4, 0], but [begin, end] with begin ≤ end is expected")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}}""", "but [begin, end]")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[]}}""", "but [begin, end]")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,3]}}""", "has data_offsets [0, 3], 3 bytes, but U8 [4] takes 4")]
    [InlineData("""{"a":{"dtype":"F16","shape":[4],"data_offsets":[0,4]}}""", "has data_offsets [0, 4], 4 bytes, but F16 [4] takes 8")]
    [InlineData("""{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", "ends at byte 8 of the data, but the file has only 4")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[9223372036854775803,9223372036854775807]}}""", "ends at byte 9223372036854775807")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", "tensor 'b' starts at byte 2 of the data and overlaps 'a', which ends at 3")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "overlaps")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}""", "overlaps")]
    [InlineData("""{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}""", "tensor 'b' starts at byte 2 of the data and leaves a gap behind byte 1, where 'a' ends")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}""", "leaves a gap behind byte 0, where the data starts")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", "has 4 bytes of data, but its tensors end at byte 3: 1 bytes belong to none")]
    [InlineData("{}", "has 4 bytes of data, but its tensors end at byte 0")]
    [InlineData("""{"a\ud800":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "not valid Unicode")]
    [InlineData("""{"__metadata__":{"k":"\udc00"},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "not valid Unicode")]
    public void RejectsABrokenHeader(string header, string reason) => Assert.Contains(reason, Rejected(Craft(header, 4)));

    [Fact]
    public void RejectsBytesThatAreNoUtf8()
    {
        byte[] header = [.. "{\"a"u8, 0xc3, 0x28, .. "\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}"u8];
        Assert.Contains("not valid UTF-8", Rejected(Craft(header, new byte[4])));
    }

    [Theory]
    [InlineData("{\"a\":", "has a list, but an object")]
    [InlineData("{\"a\":{\"dtype\":", "has a list, but a string as dtype")]
    [InlineData("{\"a\":{\"shape\":", "is not the JSON")]
    [InlineData("{\"__metadata__\":{\"k\":", "has a list, but a string under 'k'")]
    public void RejectsDeepNestingWithoutFollowingIt(string start, string reason) =>
        Assert.Contains(reason, Rejected(Craft(start + new string('[', 1_000_000))));

    [Fact]
    public void RejectsAnEndlessShape() =>
        Assert.Contains("has more than 64 numbers in shape",
            Rejected(Craft("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + string.Join(",", Enumerable.Repeat("1", 100_000)) + "],\"data_offsets\":[0,1]}}", 1)));

    [Fact]
    public void CutsGiganticAndHostileNamesInMessages()
    {
        string gigantic = Rejected(Craft("{\"" + new string('n', 5_000_000) + "\":0}"));
        Assert.Contains("(5000000 characters)", gigantic);
        Assert.True(gigantic.Length < 500);

        string control = Rejected(Craft("""{"a\nERROR: forged\u001b[31m":0}"""));
        Assert.DoesNotContain('\n', control);
        Assert.DoesNotContain('\u001b', control);
    }

    [Fact]
    public void ThrowsOnceDisposed()
    {
        SafetensorsFile file = SafetensorsFile.FromMemory(Craft("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 4), "memory");
        Assert.True(file.TryGet("a", out WeightTensor? tensor));
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.TryGet("a", out _));
        Assert.Throws<ObjectDisposedException>(() => tensor.AllBytes());
    }

    [Fact]
    public void RejectsNoDescription() => Assert.Throws<ArgumentNullException>(() => SafetensorsFile.FromMemory(new byte[8], null!));
}
