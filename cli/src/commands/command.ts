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
  /** Absent when nobody watches: standard output is a file or a pipe. */
  readonly terminal?: Terminal;
}

export interface Terminal {
  readonly size: () => { readonly columns: number; readonly rows: number };
  readonly write: (text: string) => void;
}
