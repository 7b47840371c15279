// What every command is: a help text, and a function that answers the exit code.
export interface Command {
  readonly help: string;
  readonly run: (context: CommandContext) => Promise<number>;
}

export interface CommandContext {
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly version: string;
  readonly print: (line: string) => void;
}
