// Docker as the agent's container engine. The only file that speaks to it.
import { type Duplex, PassThrough, Readable } from 'node:stream';
import Docker from 'dockerode';
import { DEFAULT_NODE_SETTINGS, type LogSettings } from '../node-settings.ts';
import { withinTimer } from '../timer-limit.ts';
import { labelsOf, OWNER_LABEL } from './container-labels.ts';
import {
  type ContainerRuntime,
  type ContainerSettings,
  type EngineImage,
  isRuntimeError,
  type LogOptions,
  RuntimeError,
  type RuntimeFailure,
} from './container-runtime.ts';
import { createExecs, type ExecParts } from './engine-exec.ts';
import { createLook } from './engine-look.ts';
import { securityOptions, sharingOptions } from './engine-options.ts';
import { followProgress, linesOf, logBytes } from './engine-stream.ts';
import { prepareAttach, prepareCommand, type TerminalParts } from './engine-terminal.ts';
import { HOLDER_ENTRYPOINT, HOLDER_IMAGE, holderArchive, holderProgram } from './holder-image.ts';

const CALL_TIMEOUT_MS = 15_000;
/** Every look waits for it. */
const INSPECT_TIMEOUT_MS = 3000;
/** Creating and starting wait for the disk and for other containers. */
const SLOW_CALL_TIMEOUT_MS = 120_000;
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
      };
      return {
        version: `docker://${info.ServerVersion ?? ''}`,
        operatingSystem: info.OperatingSystem ?? '',
        kernelVersion: info.KernelVersion ?? '',
        rootDir: info.DockerRootDir ?? '',
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
    pull: (image, signal, onProgress) => pull(docker, image, signal, onProgress),
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

/** One call with a deadline; what goes wrong is told in our own kinds. */
async function call<T>(
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<T> {
  const deadline = AbortSignal.timeout(withinTimer(timeoutMs));
  // Not every call of dockerode hears the signal.
  const late = new Promise<never>((_resolve, reject) => {
    deadline.addEventListener('abort', () => reject(deadline.reason), { once: true });
  });
  try {
    return await Promise.race([run(deadline), late]);
  } catch (error) {
    if (deadline.aborted)
      throw new RuntimeError('timeout', `${what}: no answer in ${timeoutMs / 1000} s`, error);
    throw asRuntimeError(what, error);
  }
}

interface DockerFailure {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message?: string;
  readonly json?: { readonly message?: string };
}

function asRuntimeError(what: string, error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const { statusCode, code, message = String(error), json } = error as DockerFailure;
  const text = json?.message ?? message;
  if (code && ['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'EACCES', 'ETIMEDOUT'].includes(code))
    return new RuntimeError('unreachable', `the Docker engine does not answer (${what}): ${text}`, error);
  if (/socket hang up/.test(text))
    return new RuntimeError('unreachable', `the Docker engine broke off (${what})`, error);
  return new RuntimeError(failureOf(statusCode, text), text, error);
}

function failureOf(statusCode: number | undefined, text: string): RuntimeFailure {
  if (/no such image/i.test(text)) return 'image-missing';
  if (statusCode === 404) return 'not-found';
  if (statusCode === 409) return 'conflict';
  return statusCode === 400 ? 'invalid' : 'failed';
}

/** For statuses that say that there was nothing to do. */
async function ignoring(statusCode: number, promise: Promise<unknown>): Promise<void> {
  try {
    await promise;
  } catch (error) {
    if ((error as DockerFailure).statusCode !== statusCode) throw error;
  }
}

async function inspectImage(docker: Docker, image: string): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await call('inspect image', () => docker.getImage(image).inspect());
  } catch (error) {
    if (error instanceof RuntimeError && (error.kind === 'image-missing' || error.kind === 'not-found'))
      return undefined;
    throw error;
  }
}

async function listImages(docker: Docker): Promise<EngineImage[]> {
  const [images, containers] = await Promise.all([
    call('list images', (abortSignal) => docker.listImages({ abortSignal }), SLOW_CALL_TIMEOUT_MS),
    call('list containers', (abortSignal) => docker.listContainers({ all: true, abortSignal })),
  ]);
  const used = new Set(containers.map(({ ImageID }) => ImageID));
  return images.map(({ Id, RepoTags, Size }) => ({
    id: Id,
    tags: (RepoTags ?? []).filter((tag) => tag !== '<none>:<none>'),
    sizeBytes: Size,
    inUse: used.has(Id),
  }));
}

/** A reference without tag and digest means latest; Docker would pull every tag there is. */
const withTag = (image: string): string =>
  image.includes('@') || /:[^/]+$/.test(image) ? image : `${image}:latest`;

async function pull(
  docker: Docker,
  image: string,
  signal: AbortSignal,
  onProgress?: () => void,
): Promise<void> {
  try {
    await followProgress(await docker.pull(withTag(image), { abortSignal: signal }), onProgress);
  } catch (error) {
    const failure = asRuntimeError('pull image', signal.aborted ? signal.reason : error);
    if (failure.kind === 'unreachable') throw failure;
    throw new RuntimeError('pull-failed', failure.message, error);
  }
}

async function importHolder(docker: Docker): Promise<void> {
  const { Architecture } = (await call('info', () => docker.info())) as { Architecture: string };
  const program = holderProgram(Architecture);
  if (!program)
    throw new RuntimeError(
      'invalid',
      `no holder for architecture ${Architecture}: only hostNetwork pods run here`,
    );
  const [repo, tag] = HOLDER_IMAGE.split(':');
  const archive = Readable.from([holderArchive(program)]);
  await call('import the holder', async (abortSignal) =>
    followProgress(await docker.importImage(archive, { repo, tag, abortSignal })),
  );
}

function createOptions(
  settings: ContainerSettings,
  owner: string,
  { maxBytes, maxFiles }: LogSettings,
): Docker.ContainerCreateOptions {
  const { network, entrypoint, identity, ports } = settings;
  const portKey = (port: (typeof ports)[number]) => `${port.containerPort}/${port.protocol}`;
  const holder = settings.image === HOLDER_IMAGE;
  return {
    name: settings.name,
    Image: settings.image,
    Labels: labelsOf(identity, owner),
    Env: [...settings.env],
    ...(entrypoint ? { Entrypoint: [...entrypoint] } : holder ? { Entrypoint: [HOLDER_ENTRYPOINT] } : {}),
    ...(settings.args ? { Cmd: [...settings.args] } : {}),
    ...(settings.workingDir ? { WorkingDir: settings.workingDir } : {}),
    ...(settings.user === undefined ? {} : { User: settings.user }),
    ...(settings.hostname ? { Hostname: settings.hostname } : {}),
    ...(settings.domainName ? { Domainname: settings.domainName } : {}),
    ...(settings.tty ? { Tty: true } : {}),
    ...(settings.stdin ? { OpenStdin: true } : {}),
    ...(settings.stdinOnce ? { StdinOnce: true } : {}),
    ...(ports.length > 0
      ? { ExposedPorts: Object.fromEntries(ports.map((port) => [portKey(port), {}])) }
      : {}),
    HostConfig: {
      NetworkMode: networkMode(network),
      RestartPolicy: { Name: 'no' },
      LogConfig: {
        Type: 'json-file',
        Config: { 'max-size': String(maxBytes), 'max-file': String(maxFiles) },
      },
      Mounts: settings.mounts.map(({ source, target, readOnly, propagation }) => ({
        Type: 'bind',
        Source: source,
        Target: target,
        ReadOnly: readOnly,
        BindOptions: { Propagation: propagation },
      })),
      PortBindings: Object.fromEntries(
        ports.map((port) => [
          portKey(port),
          [{ HostPort: String(port.hostPort), HostIp: port.hostIp ?? '' }],
        ]),
      ),
      ...sharingOptions(settings),
      ...resourceOptions(settings),
      ...securityOptions(settings),
    },
  };
}

function networkMode(network: ContainerSettings['network']): string {
  if (network === 'host') return 'host';
  return network === 'own' ? 'bridge' : `container:${network.holderId}`;
}

function resourceOptions(settings: ContainerSettings): Docker.HostConfig {
  const { cpuShares, cpuQuota, cpuPeriod, memoryBytes, oomScoreAdjust } = settings;
  return {
    ...(cpuShares === undefined ? {} : { CpuShares: cpuShares }),
    ...(cpuQuota === undefined ? {} : { CpuQuota: cpuQuota }),
    ...(cpuPeriod === undefined ? {} : { CpuPeriod: cpuPeriod }),
    // Memory and swap together: no swap on top.
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(oomScoreAdjust === undefined ? {} : { OomScoreAdj: oomScoreAdjust }),
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
