// Commands in containers, and terminals on them, in Docker's calls.
import { type Duplex, PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { isRuntimeError } from './container-runtime.ts';
import { call, type DockerFailure } from './engine-call.ts';
import type { ExecParts } from './engine-exec.ts';
import type { TerminalParts } from './engine-terminal.ts';

const EXEC_OUTPUT_LIMIT = 10_000;

export const execParts = (docker: Docker): ExecParts => ({
  create: async (containerId, command, abortSignal) => {
    const { id } = await docker.getContainer(containerId).exec({
      Cmd: [...command],
      AttachStdout: true,
      AttachStderr: true,
      abortSignal,
    });
    return id;
  },
  run: async (execId, abortSignal) => {
    const stream = await docker.getExec(execId).start({ hijack: true, stdin: false, abortSignal });
    abortSignal.addEventListener('abort', () => stream.destroy(new Error('timed out')), { once: true });
    return collect(docker, stream);
  },
  inspect: async (execId, abortSignal) => {
    try {
      return await docker.getExec(execId).inspect({ abortSignal });
    } catch (error) {
      if ((error as DockerFailure).statusCode === 404) return undefined;
      throw error;
    }
  },
});

/** Typed by nobody: Docker would take Ctrl-P for the beginning of its own way to let go. */
const DETACH_KEYS = 'ctrl-^,ctrl-],ctrl-^,ctrl-]';

export const terminalParts = (docker: Docker): TerminalParts => ({
  createExec: async (containerId, { command, stdin, stdout, stderr, tty }) => {
    const { id } = await call('create exec', (abortSignal) =>
      docker.getContainer(containerId).exec({
        Cmd: [...command],
        AttachStdin: stdin,
        AttachStdout: stdout,
        AttachStderr: stderr,
        Tty: tty,
        DetachKeys: DETACH_KEYS,
        abortSignal,
      }),
    );
    return id;
  },
  startExec: (execId, tty) =>
    call('start exec', () => docker.getExec(execId).start({ hijack: true, stdin: true, Tty: tty })),
  inspectExec: (execId) =>
    call('inspect exec', (abortSignal) => docker.getExec(execId).inspect({ abortSignal })).catch(
      (error: unknown) => {
        if (isRuntimeError(error, 'not-found')) return undefined;
        throw error;
      },
    ),
  resizeExec: (execId, { width, height }) =>
    call('resize exec', (abortSignal) => docker.getExec(execId).resize({ h: height, w: width, abortSignal })),
  hasTty: async (containerId) => {
    const { Config } = await call('inspect container', (abortSignal) =>
      docker.getContainer(containerId).inspect({ abortSignal }),
    );
    return Config.Tty;
  },
  attach: async (containerId, { stdin, stdout, stderr }) => {
    const connection = await call('attach', () =>
      docker
        .getContainer(containerId)
        .attach({ stream: true, hijack: true, stdin, stdout, stderr, detachKeys: DETACH_KEYS }),
    );
    return connection as Duplex;
  },
  resizeContainer: (containerId, { width, height }) =>
    call('resize container', (abortSignal) =>
      docker.getContainer(containerId).resize({ h: height, w: width, abortSignal }),
    ),
});

/** Both streams in the order they came; only the beginning is kept. */
async function collect(docker: Docker, stream: NodeJS.ReadWriteStream): Promise<string> {
  const merged = new PassThrough();
  docker.modem.demuxStream(stream, merged, merged);
  stream.on('end', () => merged.end());
  stream.on('close', () => merged.end());
  stream.on('error', (error) => merged.destroy(error));
  let output = '';
  for await (const chunk of merged) if (output.length < EXEC_OUTPUT_LIMIT) output += String(chunk);
  return output.slice(0, EXEC_OUTPUT_LIMIT);
}
