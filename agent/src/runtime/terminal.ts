// What a client holds on to in a container: a command of its own, or the streams of the container's first process.

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

export interface StreamsWanted {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface CommandWanted extends StreamsWanted {
  readonly command: readonly string[];
  readonly tty: boolean;
}

export interface TerminalOutput {
  readonly stderr: boolean;
  readonly data: Uint8Array;
}

/** Nothing runs and nothing is read before `start`. */
export type PreparedTerminal = () => Promise<Terminal>;

export interface Terminal {
  /** Ends when nothing more can be written. Read slowly, it holds the writer back. */
  readonly output: AsyncIterable<TerminalOutput>;
  /** Resolves when the next piece may come. What nobody reads any more is dropped. */
  readonly write: (data: Uint8Array) => Promise<void>;
  readonly endInput: () => void;
  readonly resize: (size: TerminalSize) => Promise<void>;
  /** To be asked for when the output has ended; 0 for a container's own streams. */
  readonly exitCode: () => Promise<number>;
  /** Lets go. A command that still runs is ended, a container goes on. */
  readonly leave: () => void;
}
