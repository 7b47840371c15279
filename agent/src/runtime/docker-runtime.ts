// Docker as the agent's container engine: with engine-images.ts the only file that speaks to it.
import { type Duplex, PassThrough } from 'node:stream';
import Docker from 'dockerode';
import { DEFAULT_NODE_SETTINGS, type LogSettings } from '../node-settings.ts';
import { OWNER_LABEL } from './container-labels.ts';
import { type ContainerRuntime, isRuntimeError, type LogOptions, RuntimeError } from './container-runtime.ts';
import { asRuntimeError, call, type DockerFailure, ignoring, SLOW_CALL_TIMEOUT_MS } from './engine-call.ts';
import { createExecs, type ExecParts } from './engine-exec.ts';
import { importHolder, inspectImage, listImages, pullImage } from './engine-images.ts';
import { createLook } from './engine-look.ts';
import { createOptions } from './engine-options.ts';
import { linesOf, logBytes } from './engine-stream.ts';
import { prepareAttach, prepareCommand, type TerminalParts } from './engine-terminal.ts';
import { HOLDER_IMAGE } from './holder-image.ts';

/** Every look waits for it. */
const INSPECT_TIMEOUT_MS = 3000;
/** Beyond the grace: the engine has killed it by then, unless it is stuck. */
const STOP_SLACK_MS = 20_000;
const EVENTS_RETRY_MS = 1000;

export interface DockerOptions {
  readonly socketPath: string;
  /** Whose containers are seen and made: cluster and node. */
  readonly owner: string;
  /** How far a container's log may grow; absent: the default. */
  readonly logs?: LogSettings;
}

export function createDockerRuntime({
  socketPath,
  owner,
  logs: limits = DEFAULT_NODE_SETTINGS.logs,
}: DockerOptions): ContainerRuntime {
  // The others are said so that no DOCKER_HOST of the environment leads to another engine.
  const docker = new Docker({ socketPath, host: '', protocol: 'http' });
  const filters = JSON.stringify({ label: [`${OWNER_LABEL}=${owner}`] });
  const execs = createExecs(execParts(docker));
  const terminals = terminalParts(docker);
  const { list, strays, changed } = createLook({
    rows: async () => {
      const rows = await call('list containers', (abortSignal) =>
        docker.listContainers({ all: true, filters, abortSignal }),
      );
      if (!Array.isArray(rows)) throw new RuntimeError('failed', 'the Docker engine answers nonsense');
      execs.keepOnly(new Set(rows.map(({ Id }) => Id)));
      return rows;
    },
    inspect: (id) =>
      call(
        'inspect container',
        (abortSignal) => docker.getContainer(id).inspect({ abortSignal }),
        INSPECT_TIMEOUT_MS,
      ),
  });

  /** Several pods may want the holder's image at once. */
  let importing: Promise<void> | undefined;

  return {
    list,
    strays,
    info: async () => {
      const info = (await call('info', () => docker.info())) as {
        ServerVersion?: string;
        OperatingSystem?: string;
        KernelVersion?: string;
        DockerRootDir?: string;
        SecurityOptions?: readonly string[];
      };
      return {
        version: `docker://${info.ServerVersion ?? ''}`,
        operatingSystem: info.OperatingSystem ?? '',
        kernelVersion: info.KernelVersion ?? '',
        rootDir: info.DockerRootDir ?? '',
        mapsUsers: (info.SecurityOptions ?? []).some((option) => /^name=(userns|rootless)\b/.test(option)),
        // The engine has a directory for each mapping, and tells of it nowhere else.
        mappedRoot: Number(/\/(\d+)\.\d+$/.exec(info.DockerRootDir ?? '')?.[1] ?? 0),
      };
    },
    imageId: async (image) => (await inspectImage(docker, image))?.Id,
    images: () => listImages(docker),
    removeImage: async (name) => {
      await call(
        'remove image',
        (abortSignal) => ignoring(404, docker.getImage(name).remove({ abortSignal })),
        SLOW_CALL_TIMEOUT_MS,
      );
    },
    hasImage: async (image) => (await inspectImage(docker, image)) !== undefined,
    imageUser: async (image) => (await inspectImage(docker, image))?.Config?.User ?? '',
    pull: (...given) => pullImage(docker, ...given),
    holderImage: async () => {
      if (!(await inspectImage(docker, HOLDER_IMAGE))) {
        importing ??= importHolder(docker).finally(() => {
          importing = undefined;
        });
        await importing;
      }
      return HOLDER_IMAGE;
    },
    create: async (settings) => {
      const container = await call(
        'create container',
        (abortSignal) => docker.createContainer({ ...createOptions(settings, owner, limits), abortSignal }),
        SLOW_CALL_TIMEOUT_MS,
      );
      return container.id;
    },
    start: async (id) => {
      await call(
        'start container',
        (abortSignal) => ignoring(304, docker.getContainer(id).start({ abortSignal })),
        SLOW_CALL_TIMEOUT_MS,
      ).finally(() => changed(id));
    },
    stop: async (id, graceSeconds) => {
      await call(
        'stop container',
        (abortSignal) => ignoring(304, docker.getContainer(id).stop({ t: graceSeconds, abortSignal })),
        graceSeconds * 1000 + STOP_SLACK_MS,
      ).finally(() => changed(id));
    },
    kill: async (id) => {
      await call('kill container', (abortSignal) => docker.getContainer(id).kill({ abortSignal })).finally(
        () => changed(id),
      );
    },
    remove: async (id) => {
      await call(
        'remove container',
        (abortSignal) => ignoring(404, docker.getContainer(id).remove({ v: true, force: true, abortSignal })),
        SLOW_CALL_TIMEOUT_MS,
      ).finally(() => changed(id));
    },
    exec: async (id, command, timeoutMs) => {
      try {
        return await execs.exec(id, command, timeoutMs);
      } catch (error) {
        throw asRuntimeError('exec', error);
      }
    },
    prepareCommand: (id, wanted) => prepareCommand(terminals, id, wanted),
    prepareAttach: (id, wanted) => prepareAttach(terminals, id, wanted),
    pid: async (id) => {
      const { State } = await call('inspect container', (abortSignal) =>
        docker.getContainer(id).inspect({ abortSignal }),
      );
      return State.Pid > 0 ? State.Pid : undefined;
    },
    logs: (id, options, signal) => logs(docker, id, options, signal),
    follow: (onChange, signal) => {
      void followEvents(docker, owner, signal, (id) => {
        changed(id);
        onChange();
      });
    },
  };
}

const EXEC_OUTPUT_LIMIT = 10_000;

const execParts = (docker: Docker): ExecParts => ({
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

const terminalParts = (docker: Docker): TerminalParts => ({
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

async function logs(
  docker: Docker,
  id: string,
  options: LogOptions,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    const container = docker.getContainer(id);
    const { Config } = await container.inspect();
    const source = await logStream(docker, id, options, signal);
    return logBytes(source, Config.Tty);
  } catch (error) {
    throw asRuntimeError('read logs', error);
  }
}

/** dockerode would read a log that is not followed into memory as a whole. */
function logStream(
  docker: Docker,
  id: string,
  { follow, timestamps, tailLines, since }: LogOptions,
  signal: AbortSignal,
): Promise<NodeJS.ReadableStream> {
  const options = {
    follow,
    timestamps,
    stdout: true,
    stderr: true,
    ...(tailLines === undefined ? {} : { tail: tailLines }),
    ...(since === undefined ? {} : { since }),
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      {
        path: `/containers/${id}/logs?`,
        method: 'GET',
        isStream: true,
        abortSignal: signal,
        statusCodes: { 200: true, 101: true, 404: 'no such container', 500: 'server error' },
        options,
      },
      (error, stream) => (error ? reject(error) : resolve(stream as NodeJS.ReadableStream)),
    );
  });
}

/** Reports ids that changed; undefined when the stream began anew and anything may have been missed. */
async function followEvents(
  docker: Docker,
  owner: string,
  signal: AbortSignal,
  onChange: (id: string | undefined) => void,
): Promise<void> {
  const filters = {
    type: ['container'],
    label: [`${OWNER_LABEL}=${owner}`],
    event: ['die', 'start', 'destroy', 'oom', 'pause', 'unpause', 'rename'],
  };
  while (!signal.aborted) {
    try {
      const stream = await docker.getEvents({ filters: JSON.stringify(filters), abortSignal: signal });
      onChange(undefined);
      for await (const line of linesOf(stream)) {
        const { Actor, id } = JSON.parse(line) as { Actor?: { ID?: string }; id?: string };
        onChange(Actor?.ID ?? id);
      }
    } catch {
      // The engine is away: every look says so, and the stream is tried again below.
    }
    if (signal.aborted) return;
    onChange(undefined);
    await new Promise((resolve) => setTimeout(resolve, EVENTS_RETRY_MS));
  }
}
