// Commands that a client holds on to, and containers' own streams: both are a connection that the engine gives over.
import type { Duplex } from 'node:stream';
import { RuntimeError } from './container-runtime.ts';
import { endSession } from './end-session.ts';
import type { ExecState } from './engine-exec.ts';
import { outputOf } from './engine-stream.ts';
import type { CommandWanted, PreparedTerminal, StreamsWanted, Terminal, TerminalSize } from './terminal.ts';

export interface TerminalParts {
  /** Answers the command's id. */
  readonly createExec: (containerId: string, wanted: CommandWanted) => Promise<string>;
  readonly startExec: (execId: string, tty: boolean) => Promise<Duplex>;
  /** Undefined when the engine does not know it any more. */
  readonly inspectExec: (execId: string) => Promise<ExecState | undefined>;
  readonly resizeExec: (execId: string, size: TerminalSize) => Promise<void>;
  readonly hasTty: (containerId: string) => Promise<boolean>;
  readonly attach: (containerId: string, wanted: StreamsWanted) => Promise<Duplex>;
  readonly resizeContainer: (containerId: string, size: TerminalSize) => Promise<void>;
}

const FIRST_ASK_MS = 5;
const LAST_ASK_MS = 1000;
/** How long the engine may take from being asked to start a command until it names its process. */
const START_PATIENCE_MS = 10_000;

export async function prepareCommand(
  parts: TerminalParts,
  containerId: string,
  wanted: CommandWanted,
): Promise<PreparedTerminal> {
  const execId = await parts.createExec(containerId, wanted);
  return async () => {
    const connection = await parts.startExec(execId, wanted.tty);
    return terminalOver(connection, wanted.tty, {
      resize: (size) => parts.resizeExec(execId, size),
      exitCode: () => exitCodeOf(parts, execId),
      leave: () => endCommand(parts, containerId, execId),
    });
  };
}

export async function prepareAttach(
  parts: TerminalParts,
  containerId: string,
  wanted: StreamsWanted,
): Promise<PreparedTerminal> {
  const tty = await parts.hasTty(containerId);
  return async () =>
    terminalOver(await parts.attach(containerId, wanted), tty, {
      resize: (size) => parts.resizeContainer(containerId, size),
      exitCode: async () => 0,
      leave: async () => {},
    });
}

interface Rest {
  readonly resize: (size: TerminalSize) => Promise<void>;
  readonly exitCode: () => Promise<number>;
  readonly leave: () => Promise<void>;
}

function terminalOver(connection: Duplex, tty: boolean, rest: Rest): Terminal {
  // Told to whoever reads.
  connection.on('error', () => {});
  return {
    output: outputOf(connection, tty),
    write: async (data) => {
      if (connection.writable && !connection.write(data)) await drained(connection);
    },
    endInput: () => void connection.end(),
    resize: rest.resize,
    exitCode: rest.exitCode,
    leave: () => {
      connection.destroy();
      // An engine that does not answer keeps the command: there is nobody left to tell.
      rest.leave().catch(() => {});
    },
  };
}

const drained = (connection: Duplex): Promise<void> =>
  new Promise((resolve) => {
    const go = () => {
      for (const event of ['drain', 'close', 'error']) connection.off(event, go);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) connection.on(event, go);
  });

/** The engine does not say when: a process may close its output and go on, and is asked about ever more rarely. */
async function exitCodeOf({ inspectExec }: TerminalParts, execId: string): Promise<number> {
  for (let waitMs = FIRST_ASK_MS; ; waitMs = Math.min(waitMs * 2, LAST_ASK_MS)) {
    const state = await inspectExec(execId);
    if (!state) throw new RuntimeError('not-found', 'the container is gone');
    if (!state.Running && state.ExitCode !== null) return state.ExitCode;
    await pause(waitMs);
  }
}

/** The client left: whatever the command began in its session ends with it. */
async function endCommand(
  { inspectExec }: TerminalParts,
  containerId: string,
  execId: string,
): Promise<void> {
  const patience = AbortSignal.timeout(START_PATIENCE_MS);
  for (let waitMs = FIRST_ASK_MS; !patience.aborted; waitMs *= 2) {
    const state = await inspectExec(execId);
    if (!state || state.ExitCode !== null) return;
    if (state.Pid > 0) return endSession(containerId, state.Pid);
    await pause(waitMs);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
