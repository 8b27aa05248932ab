using Q4Gen.Tool;
using Q4Gen.Tool.Console;

return await Q4GenTool.RunAsync(args, ToolConsole.OfTheProcess());
