using System.Buffers.Binary;
using System.Text;
using System.Text.RegularExpressions;

namespace Q4Gen.Tests.Runtime;

/// <summary>Spoils small weight files, in ways that a damaged disk finds and in ways that only an attacker does.</summary>
internal static partial class FuzzedFile
{
    private static readonly string[] s_numbers =
    [
        "0", "1", "2", "3", "4", "8", "16", "64", "255", "-1", "-0", "1e3", "1.0", "2147483647", "2147483648", "4294967296",
        "9223372036854775807", "9223372036854775808", "99999999999999999999999", "null", "\"1\"", "[1]", "{}", "true", "",
    ];

    private static readonly string[] s_tokens =
    [
        "\"U8\"", "\"F16\"", "\"BF16\"", "\"F32\"", "\"F64\"", "\"I8\"", "\"BOOL\"", "\"dtype\"", "\"shape\"", "\"data_offsets\"",
        "\"__metadata__\"", "\"group_size\"", "\"weight_4bit\"", "\"a.weight_4bit\"", "\"a.scales_4bit\"", "\"b.c.bias\"", "\"\"", "\"\\ud800\"", "\"\\u0000\"",
        "{", "}", "[", "]", ",", ":", " ", "\0", "\uFEFF", "//", "[[[[[[[[", "null", "NaN", "Infinity",
    ];

    /// <summary>One mutation of a file, or up to three.</summary>
    public static byte[] Mutate(byte[] file, Random random)
    {
        byte[] mutated = [.. file];
        for (int i = random.Next(2) == 0 ? 1 : random.Next(2, 4); i > 0; i--)
        {
            mutated = random.Next(14) switch
            {
                0 => FlipBits(mutated, random, 0, mutated.Length),
                1 => FlipBits(mutated, random, 0, HeaderEnd(mutated)),
                2 => mutated[..random.Next(mutated.Length + 1)],
                3 => [.. mutated, .. RandomBytes(random, random.Next(1, 40))],
                4 => EditLength(mutated, random),
                5 or 6 => FlipBits(mutated, random, HeaderEnd(mutated), mutated.Length),
                7 => CopyPart(mutated, random),
                8 or 9 or 10 => EditHeader(mutated, random, EditConsistently),
                _ => EditHeader(mutated, random, EditJson),
            };
        }

        return mutated;
    }

    private static int HeaderEnd(byte[] file) =>
        file.Length < 8 ? file.Length : (int)Math.Min((ulong)file.Length, 8 + Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(file), 1 << 20));

    private static byte[] FlipBits(byte[] file, Random random, int begin, int end)
    {
        for (int i = random.Next(1, 9); i > 0 && begin < end; i--)
        {
            file[random.Next(begin, end)] ^= (byte)(1 << random.Next(8));
        }

        return file;
    }

    private static byte[] EditLength(byte[] file, Random random)
    {
        if (file.Length >= 8)
        {
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file);
            BinaryPrimitives.WriteUInt64LittleEndian(file, random.Next(6) switch
            {
                0 => 0,
                1 => ulong.MaxValue,
                2 => 1UL << random.Next(64),
                3 => 100_000_000,
                _ => length + (ulong)random.Next(-9, 10),
            });
        }

        return file;
    }

    private static byte[] CopyPart(byte[] file, Random random)
    {
        int length = random.Next(file.Length / 2 + 1);
        int from = random.Next(file.Length - length + 1);
        int to = random.Next(file.Length - length + 1);
        Array.Copy(file, from, file, to, length);
        return file;
    }

    /// <summary>Edits the JSON as text and writes its new length in front, so that the edit itself is what is judged.</summary>
    private static byte[] EditHeader(byte[] file, Random random, Func<string, Random, string> edit)
    {
        if (file.Length < 8)
        {
            return file;
        }

        int end = HeaderEnd(file);
        string header = edit(Encoding.UTF8.GetString(file, 8, end - 8), random);
        byte[] json = Encoding.UTF8.GetBytes(header);
        return SafetensorsTestFiles.Craft(json, file[end..]);
    }

    private static string EditJson(string json, Random random)
    {
        switch (random.Next(6))
        {
            case 0: // A number, near or far.
                return ReplaceOne(json, Numbers(), random, old =>
                    random.Next(2) == 0 && long.TryParse(old, out long value) ? (value + random.Next(-3, 4)).ToString() : Pick(s_numbers, random));
            case 1: // A string.
                return ReplaceOne(json, Strings(), random, _ => Pick(s_tokens, random));
            case 2: // A part of the text.
                int at = random.Next(json.Length + 1);
                return json[..at] + Pick(s_tokens, random) + json[Math.Min(json.Length, at + random.Next(3))..];
            case 3: // A tensor twice.
                return ReplaceOne(json, Tensors(), random, old => old + "," + old);
            case 4: // A tensor less.
                return ReplaceOne(json, Tensors(), random, _ => "");
            default: // A tensor's entry for another's name.
                MatchCollection all = Tensors().Matches(json);
                string other = all.Count == 0 ? "" : all[random.Next(all.Count)].Value;
                return ReplaceOne(json, Tensors(), random, old => other.Length == 0 ? old : old[..old.IndexOf('{')] + other[other.IndexOf('{')..]);
        }
    }

    /// <summary>Edits that leave the file well-formed, so that it is the layer that has to be judged.</summary>
    private static string EditConsistently(string json, Random random)
    {
        switch (random.Next(4))
        {
            case 0: // The same bytes as another type.
                return ReplaceOne(json, Types(), random, old => old switch
                {
                    "\"U8\"" => Pick(["\"I8\"", "\"BOOL\"", "\"F8_E4M3\""], random),
                    "\"F16\"" => Pick(["\"BF16\"", "\"I16\"", "\"U16\""], random),
                    _ => Pick(["\"I32\"", "\"U32\""], random),
                });
            case 1: // The same bytes in another shape.
                return ReplaceOne(json, Matrices(), random, old =>
                {
                    long[] sizes = [.. Numbers().Matches(old).Select(match => long.Parse(match.Value))];
                    return random.Next(4) switch
                    {
                        0 => $"\"shape\":[{sizes[1]},{sizes[0]}]",
                        1 => $"\"shape\":[{sizes[0] * sizes[1]}]",
                        2 => $"\"shape\":[1,{sizes[0]},{sizes[1]}]",
                        _ => sizes[1] % 2 == 0 ? $"\"shape\":[{sizes[0] * 2},{sizes[1] / 2}]" : $"\"shape\":[1,{sizes[0] * sizes[1]}]",
                    };
                });
            case 2: // Another name.
                return ReplaceOne(json, Strings(), random, old =>
                    old is "\"dtype\"" or "\"shape\"" or "\"data_offsets\"" || Types().IsMatch(old) ? old : $"\"{random.Next(1000)}\"");
            default: // Another group size.
                return json.Contains("__metadata__", StringComparison.Ordinal) || !json.StartsWith('{')
                    ? json
                    : $$$"""{"__metadata__":{"group_size":"{{{Pick(["8", "32", "34", "64", "100", "-1", "x"], random)}}}"},{{{json[1..]}}}""";
        }
    }

    private static string ReplaceOne(string text, Regex pattern, Random random, Func<string, string> replace)
    {
        MatchCollection matches = pattern.Matches(text);
        if (matches.Count == 0)
        {
            return text;
        }

        Match match = matches[random.Next(matches.Count)];
        return text[..match.Index] + replace(match.Value) + text[(match.Index + match.Length)..];
    }

    private static string Pick(string[] from, Random random) => from[random.Next(from.Length)];

    private static byte[] RandomBytes(Random random, int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    [GeneratedRegex("-?[0-9]+")]
    private static partial Regex Numbers();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Strings();

    [GeneratedRegex("\"(U8|F16|F32)\"")]
    private static partial Regex Types();

    [GeneratedRegex("\"shape\":\\[[0-9]{1,9},[0-9]{1,9}\\]")]
    private static partial Regex Matrices();

    [GeneratedRegex("\"[^\"]*\":\\{[^{}]*\\}")]
    private static partial Regex Tensors();
}
