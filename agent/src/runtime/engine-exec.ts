// Commands in containers, none of which outlives its time: the engine itself would let it run on, and a probe that
// hangs would leave one more process behind each period.
import { withinTimer } from '../timer-limit.ts';
import { RuntimeError } from './container-runtime.ts';
import { killSession } from './end-session.ts';

export interface ExecParts {
  /** Answers the command's id. */
  readonly create: (containerId: string, command: readonly string[], signal: AbortSignal) => Promise<string>;
  /** Answers what it wrote, when it has ended. */
  readonly run: (execId: string, signal: AbortSignal) => Promise<string>;
  /** Undefined when the engine does not know it any more. */
  readonly inspect: (execId: string, signal: AbortSignal) => Promise<ExecState | undefined>;
}

export interface ExecState {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  /** As the engine counts; 0 when it does not run. */
  readonly Pid: number;
}

export interface Execs {
  readonly exec: (
    containerId: string,
    command: readonly string[],
    timeoutMs: number,
  ) => Promise<{ readonly exitCode: number; readonly output: string }>;
  /** The containers that there are. */
  readonly keepOnly: (containerIds: ReadonlySet<string>) => void;
}

const END_TIMEOUT_MS = 15_000;

export function createExecs(parts: ExecParts): Execs {
  /** What ran out of time and may run on, by container and command. */
  const overdue = new Map<string, Map<string, string>>();

  const endOverdue = async (containerId: string, execId: string) => {
    const state = await parts.inspect(execId, AbortSignal.timeout(END_TIMEOUT_MS));
    if (state?.Running) killSession(containerId, state.Pid);
  };

  const stillRuns = async (containerId: string, key: string, signal: AbortSignal): Promise<boolean> => {
    const execId = overdue.get(containerId)?.get(key);
    if (execId === undefined) return false;
    if ((await parts.inspect(execId, signal))?.Running) return true;
    overdue.get(containerId)?.delete(key);
    return false;
  };

  return {
    exec: async (containerId, command, timeoutMs) => {
      const deadline = AbortSignal.timeout(withinTimer(timeoutMs));
      const key = JSON.stringify(command);
      const timedOut = (how: string, cause?: unknown) =>
        new RuntimeError('timeout', `command timed out: ${JSON.stringify(command.join(' '))} ${how}`, cause);
      let execId: string | undefined;
      try {
        if (await stillRuns(containerId, key, deadline)) throw timedOut('still runs from the time before');
        execId = await parts.create(containerId, command, deadline);
        const output = await parts.run(execId, deadline);
        const exitCode = (await parts.inspect(execId, deadline))?.ExitCode ?? -1;
        // Docker writes into the output that there was nothing to run, and answers as a shell would.
        if ((exitCode === 126 || exitCode === 127) && output.startsWith('OCI runtime exec failed'))
          throw new RuntimeError('failed', output.trim());
        return { exitCode, output };
      } catch (error) {
        if (!deadline.aborted) throw error;
        if (execId !== undefined) {
          const ofContainer = overdue.get(containerId) ?? new Map<string, string>();
          overdue.set(containerId, ofContainer.set(key, execId));
          // It cannot be ended: then no second one is begun while it runs.
          endOverdue(containerId, execId).catch(() => {});
        }
        throw timedOut(`timed out after ${timeoutMs / 1000}s`, error);
      }
    },
    keepOnly: (containerIds) => {
      for (const id of overdue.keys()) if (!containerIds.has(id)) overdue.delete(id);
    },
  };
}
