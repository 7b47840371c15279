// The programs that test containers run: what busybox really does with the command, and how the fake engine acts it.

export interface Program {
  readonly command: readonly string[];
  /** Lines it writes when it starts. */
  readonly writes?: readonly string[];
  /** Ends by itself, at once. */
  readonly exits?: number;
  /** Not at once, but after so long. */
  readonly lastsMs?: number;
  /** What SIGTERM does; absent: what the kernel does to a first process without a handler, nothing. */
  readonly onTerm?: number;
  /** Takes memory until it is killed for it. */
  readonly eatsMemory?: boolean;
  /** There is no such program. */
  readonly missing?: boolean;
}

const shell = (script: string) => ['sh', '-c', script];

/** Runs until it is asked to end, and then says so by its exit code. */
export const OBEYS: Program = {
  command: shell('trap "exit 7" TERM; sleep 1000 & wait'),
  onTerm: 7,
};

/** As the first process of a container it does not hear SIGTERM. */
export const IGNORES_TERM: Program = { command: ['sleep', '1000'] };

export const EXITS_WITH_3: Program = { command: shell('exit 3'), exits: 3 };
export const COMPLETES: Program = { command: shell('exit 0'), exits: 0 };
export const EATS_MEMORY: Program = { command: ['tail', '/dev/zero'], eatsMemory: true };
export const NO_SUCH_PROGRAM: Program = { command: ['/no/such/program'], missing: true };

export const WRITES_AND_ENDS: Program = {
  command: shell('echo one; echo two; echo three >&2; exit 0'),
  writes: ['one', 'two', 'three'],
  exits: 0,
};

export const WRITES_AND_STAYS: Program = {
  command: shell('trap "exit 7" TERM; echo ready; sleep 1000 & wait'),
  writes: ['ready'],
  onTerm: 7,
};

/** For exec. */
export const SAYS_AND_FAILS: Program = {
  command: shell('echo out; echo err >&2; exit 4'),
  writes: ['out', 'err'],
  exits: 4,
};
export const SUCCEEDS_SILENTLY: Program = { command: ['true'], exits: 0 };

const ALL: readonly Program[] = [
  OBEYS,
  IGNORES_TERM,
  EXITS_WITH_3,
  COMPLETES,
  EATS_MEMORY,
  NO_SUCH_PROGRAM,
  WRITES_AND_ENDS,
  WRITES_AND_STAYS,
  SAYS_AND_FAILS,
  SUCCEEDS_SILENTLY,
];

/** What is not among them obeys SIGTERM and else runs on. */
export const programOf = (command: readonly string[]): Program =>
  ALL.find((program) => JSON.stringify(program.command) === JSON.stringify(command)) ?? {
    command,
    onTerm: 0,
  };
