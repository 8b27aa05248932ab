using System.Security.Cryptography;
using System.Text;
using Q4Gen.Safetensors;

namespace Q4Gen.PackedFiles;

/// <summary>
/// The SHA-256 of a tensor: of its line, <c>name type [sizes]</c> in UTF-8, and of its bytes, so that a change of
/// the header does not go unseen either.
/// </summary>
internal sealed class TensorHash : IDisposable
{
    /// <summary>Bytes of a hash.</summary>
    public const int Bytes = SHA256.HashSizeInBytes;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Starts on a tensor.</summary>
    public TensorHash(string name, TensorType type, ReadOnlySpan<long> shape) =>
        _hash.AppendData(Encoding.UTF8.GetBytes($"{name} {SafetensorsText.TypeName(type)} {WeightTensor.DescribeShape(shape)}"));

    /// <summary>Adds some of its bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes) => _hash.AppendData(bytes);

    /// <summary>The hash.</summary>
    public byte[] Finish() => _hash.GetHashAndReset();

    public void Dispose() => _hash.Dispose();
}
