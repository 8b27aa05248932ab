using Storyteller.Commands;

return StoryCommand.Run(args, Console.Out, Console.Error);
