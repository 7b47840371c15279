// Docker as the agent's container engine: no file but this one, docker-commands.ts, docker-streams.ts and engine-images.ts
// speaks to it.
import Docker from 'dockerode';
import { DEFAULT_NODE_SETTINGS, type LogSettings } from '../node-settings.ts';
import { OWNER_LABEL } from './container-labels.ts';
import { type ContainerRuntime, type EngineChange, RuntimeError } from './container-runtime.ts';
import { execParts, terminalParts } from './docker-commands.ts';
import { followEvents, readLogs } from './docker-streams.ts';
import { asRuntimeError, call, ignoring, SLOW_CALL_TIMEOUT_MS } from './engine-call.ts';
import { createExecs } from './engine-exec.ts';
import { createImageLook, importHolder, listImages, pullImage } from './engine-images.ts';
import { createLook } from './engine-look.ts';
import { createOptions } from './engine-options.ts';
import { prepareAttach, prepareCommand } from './engine-terminal.ts';
import { HOLDER_IMAGE } from './holder-image.ts';

/** Every look waits for it. */
const INSPECT_TIMEOUT_MS = 3000;
/** Beyond the grace: the engine has killed it by then, unless it is stuck. */
const STOP_SLACK_MS = 20_000;

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
  const { list, inspect, strays, made, startFailed, changed } = createLook({
    owner,
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

  const images = createImageLook(docker);
  /** Several pods may want the holder's image at once. */
  let importing: Promise<void> | undefined;

  return {
    list,
    inspect,
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
    imageId: async (image) => (await images.inspect(image))?.Id,
    images: () => listImages(docker),
    removeImage: async (name) => {
      await call(
        'remove image',
        (abortSignal) => ignoring(404, docker.getImage(name).remove({ abortSignal })),
        SLOW_CALL_TIMEOUT_MS,
      ).finally(images.changed);
    },
    hasImage: async (image) => (await images.inspect(image)) !== undefined,
    imageUser: async (image) => (await images.inspect(image))?.Config?.User ?? '',
    pull: (...given) => pullImage(docker, ...given).finally(images.changed),
    holderImage: async () => {
      if (!(await images.inspect(HOLDER_IMAGE))) {
        importing ??= importHolder(docker).finally(() => {
          importing = undefined;
          images.changed();
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
      made(container.id);
      return container.id;
    },
    start: async (id) => {
      await call(
        'start container',
        (abortSignal) => ignoring(304, docker.getContainer(id).start({ abortSignal })),
        SLOW_CALL_TIMEOUT_MS,
      ).catch((error) => {
        startFailed(id);
        changed(id);
        throw error;
      });
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
    logs: (id, options, signal) => readLogs(docker, id, options, signal),
    follow: (watcher, signal) => {
      const onChange = (change: EngineChange | undefined) => {
        changed(change?.id);
        watcher.onChange(change);
      };
      void followEvents(docker, owner, signal, { ...watcher, onChange });
    },
  };
}
