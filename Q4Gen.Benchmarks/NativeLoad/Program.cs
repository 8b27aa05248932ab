using Q4Gen.Benchmarks.Calls;

// Loads a packed file of the model that `Q4Gen.Benchmarks -- instant` writes, and says how long that took.
if (args is not [string path])
{
    Console.Error.WriteLine("NativeLoad takes one argument, the file that 'instant' hands it.");
    return 2;
}

Console.WriteLine(InstantSample.Take(path).ToJson());
return 0;
