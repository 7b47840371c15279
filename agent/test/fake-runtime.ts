// A container engine in memory: does what the agent asks as Docker would, at once and always the same way, and
// what a test asks behind the agent's back. Faults and latencies are injected by call. The contract suite that
// real Docker passes holds for it too.
import { createHash } from 'node:crypto';
import {
  type ContainerRuntime,
  type ContainerSettings,
  type EngineChange,
  type EngineWatcher,
  type LogOptions,
  type RuntimeContainer,
  RuntimeError,
} from '../src/runtime/container-runtime.ts';
import { HOLDER_ENTRYPOINT, HOLDER_IMAGE } from '../src/runtime/holder-image.ts';
import { fakeTerminal } from './fake-terminal.ts';
import { TEST_IMAGE } from './pods.ts';
import { type Program, programOf } from './test-programs.ts';

export type CallName = Exclude<keyof ContainerRuntime, 'follow'>;

/** What goes wrong with a call. `how`: refused before anything is done, done but answered with the error, or never
 *  answered (nothing is done). */
export interface Fault {
  readonly call: CallName;
  readonly how: 'before' | 'after' | 'hang';
  readonly error?: Error;
  /** Only calls whose line in `calls` contains this. */
  readonly about?: string;
  /** How often; absent: until `heal`. */
  readonly times?: number;
}

export interface FakeContainer extends RuntimeContainer {
  readonly owner: string;
  readonly settings: ContainerSettings;
}

export interface FakeEngine {
  /** As one agent sees the engine. */
  readonly runtime: (owner: string) => ContainerRuntime;
  /** Every call that an agent made and that changes something, in words: `create web-1/app#0`. */
  readonly calls: string[];
  /** How often each call was made, also those that change nothing. */
  readonly count: (call: CallName) => number;
  readonly containers: () => readonly FakeContainer[];
  /** `user` as the image's USER; only `pullable` ones can be pulled, the others are there. */
  readonly addImage: (
    image: string,
    options?: { readonly user?: string; readonly pullable?: boolean; readonly sizeBytes?: number },
  ) => void;
  readonly removeImage: (image: string) => void;
  readonly fail: (fault: Fault) => void;
  readonly heal: () => void;
  /** Milliseconds that a call takes before it is done; timers may be faked. */
  readonly setLatency: (call: CallName, ms: number) => void;
  /** The engine answers nothing while it is down. Its containers run on. */
  readonly setDown: (down: boolean) => void;
  /** Breaks every event stream off, as a restarted engine does. What happens before they are open anew is missed. */
  readonly cutEvents: () => void;
  /** Behind the agent's back: the process ends, the container is removed, or is started. */
  readonly end: (id: string, exitCode?: number) => void;
  readonly vanish: (id: string) => void;
  readonly begin: (id: string) => void;
  /** The machine went down: nothing runs any more. */
  readonly powerOff: () => void;
}

interface Held {
  readonly id: string;
  readonly owner: string;
  readonly settings: ContainerSettings;
  readonly imageId: string;
  readonly program: Program;
  state: RuntimeContainer['state'];
  startedAt?: string;
  finishedAt?: string;
  exitCode?: number;
  oomKilled?: boolean;
  error?: string;
  startFailed?: boolean;
  readonly lines: { readonly at: number; readonly text: string }[];
  /** Called when it ends. */
  readonly waiting: Set<() => void>;
}

interface Follower {
  readonly owner: string;
  readonly watcher: EngineWatcher;
  deaf: boolean;
}

const MEMORY_OF_THE_HUNGRY = 1 << 30;
const TERMINATED_BY_KILL = 137;

/** What a command does; for exec the container it is run in is given too. */
export type Act = (command: readonly string[], inside?: FakeContainer) => Program;

export function createFakeEngine(act: Act = programOf): FakeEngine {
  const held = new Map<string, Held>();
  const images = new Map<string, string>([[TEST_IMAGE, '']]);
  const sizes = new Map<string, number>();
  const pullable = new Map<string, string>();
  const followers = new Set<Follower>();
  const latency = new Map<CallName, number>();
  const counts = new Map<CallName, number>();
  const calls: string[] = [];
  let faults: { readonly fault: Fault; left: number }[] = [];
  let down = false;
  let made = 0;

  const tell = (owner: string, change: EngineChange) => {
    for (const follower of followers)
      if (follower.owner === owner && !follower.deaf) follower.watcher.onChange(change);
  };
  const now = () => new Date().toISOString();

  const find = (id: string): Held => {
    const container = held.get(id);
    if (!container) throw new RuntimeError('not-found', `No such container: ${id}`);
    return container;
  };

  const takeFault = (name: CallName, line: string): Fault | undefined => {
    const index = faults.findIndex(({ fault }) => fault.call === name && line.includes(fault.about ?? ''));
    const found = faults[index];
    if (!found) return undefined;
    found.left -= 1;
    if (found.left <= 0) faults.splice(index, 1);
    return found.fault;
  };

  const reach = () => {
    if (down) throw new RuntimeError('unreachable', 'the Docker engine does not answer (fake): it is down');
  };

  /** Every call goes through here: it is written down, takes its time, and may go wrong. */
  const call = async <T>(name: CallName, line: string, run: () => T | Promise<T>): Promise<T> => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (line !== '') calls.push(line);
    await Promise.resolve();
    reach();
    const fault = takeFault(name, line);
    const takes = latency.get(name);
    if (takes) await new Promise((resolve) => setTimeout(resolve, takes));
    if (fault?.how === 'hang') return new Promise(() => {});
    if (fault?.how === 'before') throw errorOf(fault);
    reach();
    const answer = await run();
    if (fault) throw errorOf(fault);
    return answer;
  };

  const finish = (container: Held, exitCode: number) => {
    if (container.state !== 'running') return;
    container.state = 'exited';
    container.exitCode = exitCode;
    container.finishedAt = now();
    for (const resolve of container.waiting) resolve();
    container.waiting.clear();
    tell(container.owner, { id: container.id, what: 'ended', exitCode, at: container.finishedAt });
  };

  const begin = (container: Held) => {
    if (container.state === 'running') return;
    const refusal = whyNot(container, held);
    if (refusal) {
      container.error = refusal.message;
      container.exitCode = 128;
      if (container.program.missing)
        Object.assign(container, { state: 'exited', startFailed: true, finishedAt: now() });
      throw refusal;
    }
    const { program, settings } = container;
    container.state = 'running';
    container.startedAt = now();
    delete container.exitCode;
    delete container.finishedAt;
    delete container.error;
    delete container.startFailed;
    for (const text of program.writes ?? []) container.lines.push({ at: Date.now(), text });
    tell(container.owner, { id: container.id, what: 'other' });
    if (program.eatsMemory && (settings.memoryBytes ?? Number.POSITIVE_INFINITY) < MEMORY_OF_THE_HUNGRY) {
      container.oomKilled = true;
      finish(container, TERMINATED_BY_KILL);
    } else if (program.exits !== undefined) endsByItself(container, program.exits);
  };

  const endsByItself = (container: Held, exitCode: number) => {
    const { startedAt, program } = container;
    if (program.lastsMs === undefined) return finish(container, exitCode);
    setTimeout(() => {
      if (container.startedAt === startedAt) finish(container, exitCode);
    }, program.lastsMs);
  };

  const stop = async (container: Held, graceSeconds: number) => {
    if (container.state !== 'running') return;
    if (container.program.onTerm !== undefined) return finish(container, container.program.onTerm);
    const ended = new Promise<void>((resolve) => container.waiting.add(resolve));
    const kill = setTimeout(() => finish(container, TERMINATED_BY_KILL), graceSeconds * 1000);
    await ended;
    clearTimeout(kill);
  };

  const vanish = (container: Held) => {
    finish(container, TERMINATED_BY_KILL);
    held.delete(container.id);
    tell(container.owner, { id: container.id, what: 'gone' });
  };

  const isUsed = (image: string) => [...held.values()].some(({ settings }) => settings.image === image);

  const create = (owner: string, settings: ContainerSettings): string => {
    if (!images.has(settings.image))
      throw new RuntimeError('image-missing', `No such image: ${settings.image}`);
    for (const other of held.values())
      if (other.settings.name === settings.name)
        throw new RuntimeError('conflict', `The container name "${settings.name}" is already in use`);
    const { network } = settings;
    if (typeof network === 'object' && !held.has(network.holderId))
      throw new RuntimeError('invalid', `No such container: ${network.holderId}`);
    made += 1;
    const id = createHash('sha256').update(`container ${made}`).digest('hex');
    const command =
      settings.image === HOLDER_IMAGE && !settings.entrypoint
        ? [HOLDER_ENTRYPOINT]
        : [...(settings.entrypoint ?? []), ...(settings.args ?? [])];
    held.set(id, {
      id,
      owner,
      settings,
      imageId: `sha256:${createHash('sha256').update(settings.image).digest('hex')}`,
      program: act(command),
      state: 'created',
      lines: [],
      waiting: new Set(),
    });
    return id;
  };

  const exec = async (id: string, command: readonly string[], timeoutMs: number) => {
    const container = find(id);
    if (container.state !== 'running') throw new RuntimeError('conflict', `Container ${id} is not running`);
    const { missing, exits, writes = [] } = act(command, whole(container));
    if (missing) throw new RuntimeError('failed', `OCI runtime exec failed: "${command[0]}" not found`);
    if (exits === undefined) {
      await new Promise((resolve) => setTimeout(resolve, timeoutMs));
      throw new RuntimeError('timeout', `command timed out: "${command.join(' ')}"`);
    }
    return { exitCode: exits, output: writes.map((line) => `${line}\n`).join('') };
  };

  const runtime = (owner: string): ContainerRuntime => ({
    info: () =>
      call('info', '', () => ({
        version: 'fake://1',
        operatingSystem: 'memory',
        kernelVersion: '0',
        rootDir: '/',
        mapsUsers: false,
        mappedRoot: 0,
      })),
    list: () => call('list', '', () => [...held.values()].filter((one) => one.owner === owner).map(shown)),
    inspect: (id) =>
      call('inspect', '', () => {
        const found = held.get(id);
        return found?.owner === owner ? shown(found) : undefined;
      }),
    strays: () => call('strays', '', () => []),
    hasImage: (image) => call('hasImage', '', () => images.has(image)),
    imageId: (image) => call('imageId', '', () => (images.has(image) ? imageIdOf(image) : undefined)),
    images: () =>
      call('images', '', () =>
        [...images.keys()].map((image) => ({
          id: imageIdOf(image),
          tags: [image],
          sizeBytes: sizes.get(image) ?? 0,
          inUse: isUsed(image),
        })),
      ),
    removeImage: (name) =>
      call('removeImage', `removeImage ${name}`, () => {
        const image = [...images.keys()].find((one) => one === name || imageIdOf(one) === name);
        if (image === undefined) return;
        if (isUsed(image))
          throw new RuntimeError('conflict', `conflict: unable to remove ${name}: a container uses it`);
        images.delete(image);
      }),
    imageUser: (image) => call('imageUser', '', () => images.get(image) ?? ''),
    pull: (image) =>
      call('pull', `pull ${image}`, () => {
        const user = pullable.get(image);
        if (user === undefined) throw new RuntimeError('pull-failed', `pull of ${image}: connection refused`);
        images.set(image, user);
      }),
    holderImage: () =>
      call('holderImage', '', () => {
        images.set(HOLDER_IMAGE, '');
        return HOLDER_IMAGE;
      }),
    create: (settings) => call('create', `create ${titleOf(settings)}`, () => create(owner, settings)),
    start: (id) =>
      call('start', `start ${titleOf(held.get(id)?.settings)}`, () => {
        begin(find(id));
      }),
    stop: (id, graceSeconds) =>
      call('stop', `stop ${titleOf(held.get(id)?.settings)} grace ${graceSeconds}`, () =>
        stop(find(id), graceSeconds),
      ),
    kill: (id) =>
      call('kill', `kill ${titleOf(held.get(id)?.settings)}`, () => finish(find(id), TERMINATED_BY_KILL)),
    remove: (id) =>
      call('remove', `remove ${titleOf(held.get(id)?.settings)}`, () => {
        const container = held.get(id);
        if (container) vanish(container);
      }),
    exec: (id, command, timeoutMs) => call('exec', '', () => exec(id, command, timeoutMs)),
    prepareCommand: (id, wanted) =>
      call('prepareCommand', '', () => {
        if (find(id).state !== 'running')
          throw new RuntimeError('conflict', `container ${id} is not running`);
        return async () => fakeTerminal(wanted.command);
      }),
    prepareAttach: (id) =>
      call('prepareAttach', '', () => async () => fakeTerminal(find(id).program.command)),
    pid: (id) => call('pid', '', () => (find(id).state === 'running' ? 1 : undefined)),
    logs: (id, options, signal) => call('logs', '', () => readLines(find(id), options, signal)),
    follow: (watcher, signal) => {
      const follower: Follower = { owner, watcher, deaf: false };
      followers.add(follower);
      if (!down) watcher.onOpen();
      signal.addEventListener('abort', () => followers.delete(follower), { once: true });
    },
  });

  return {
    runtime,
    calls,
    count: (name) => counts.get(name) ?? 0,
    containers: () => [...held.values()].map(whole),
    addImage: (image, { user = '', pullable: inRegistry = false, sizeBytes = 0 } = {}) => {
      sizes.set(image, sizeBytes);
      (inRegistry ? pullable : images).set(image, user);
    },
    removeImage: (image) => {
      images.delete(image);
    },
    fail: (fault) => {
      faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
    },
    heal: () => {
      faults = [];
    },
    setLatency: (name, ms) => {
      latency.set(name, ms);
    },
    setDown: (is) => {
      down = is;
      if (is) cut(followers);
      else reopen(followers);
    },
    cutEvents: () => {
      cut(followers);
      setTimeout(() => reopen(followers), 1);
    },
    end: (id, exitCode = TERMINATED_BY_KILL) => finish(find(id), exitCode),
    vanish: (id) => vanish(find(id)),
    begin: (id) => begin(find(id)),
    powerOff: () => {
      for (const container of held.values()) finish(container, TERMINATED_BY_KILL);
    },
  };
}

const errorOf = ({ call, error }: Fault): Error =>
  error ?? new RuntimeError('failed', `${call} failed (injected)`);

const cut = (followers: ReadonlySet<Follower>) => {
  for (const follower of followers) {
    if (!follower.deaf) follower.watcher.onLost();
    follower.deaf = true;
  }
};

/** A stream that begins anew says so: anything may have been missed. */
const reopen = (followers: ReadonlySet<Follower>) => {
  for (const follower of followers) {
    follower.deaf = false;
    follower.watcher.onOpen();
    follower.watcher.onChange(undefined);
  }
};

/** Why a container cannot be started. */
function whyNot({ program, settings }: Held, held: ReadonlyMap<string, Held>): RuntimeError | undefined {
  if (program.missing)
    return new RuntimeError('invalid', `exec: "${program.command[0]}": no such file or directory`);
  const { network } = settings;
  if (typeof network === 'object') {
    const holder = held.get(network.holderId);
    if (!holder) return new RuntimeError('not-found', `No such container: ${network.holderId}`);
    if (holder.state !== 'running')
      return new RuntimeError('conflict', 'cannot join network of a non running container');
  }
  const running = [...held.values()].filter(({ state }) => state === 'running');
  const taken = settings.ports.find(({ hostPort, protocol }) =>
    running.some((other) =>
      other.settings.ports.some((port) => port.hostPort === hostPort && port.protocol === protocol),
    ),
  );
  return taken && new RuntimeError('failed', `port ${taken.hostPort} is already allocated`);
}

const imageIdOf = (image: string): string => `sha256:${createHash('sha256').update(image).digest('hex')}`;

/** `web-1/app#0`: the revision, the container and the attempt. */
const titleOf = (settings: ContainerSettings | undefined): string => {
  if (!settings) return 'nothing';
  const { pod, name, attempt } = settings.identity;
  return `${pod.revision}/${name === '' ? 'POD' : name}#${attempt}`;
};

function shown(container: Held): RuntimeContainer {
  const { id, settings, state, startedAt, finishedAt, exitCode, oomKilled, error } = container;
  const { startFailed } = container;
  return {
    id,
    identity: settings.identity,
    state,
    image: settings.image,
    imageId: container.imageId,
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(oomKilled ? { oomKilled } : {}),
    ...(error ? { error } : {}),
    ...(startFailed ? { startFailed } : {}),
    ...(settings.network === 'own' && state === 'running' ? { ip: '127.0.0.1' } : {}),
  };
}

const whole = (one: Held): FakeContainer => ({ ...shown(one), owner: one.owner, settings: one.settings });

async function* readLines(
  container: Held,
  { follow, timestamps, tailLines, since }: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const wanted = container.lines.filter(({ at }) => since === undefined || at >= since * 1000);
  const last =
    tailLines === undefined ? wanted : wanted.slice(wanted.length - Math.min(wanted.length, tailLines));
  for (const { at, text } of last)
    yield Buffer.from(`${timestamps ? `${new Date(at).toISOString()} ` : ''}${text}\n`);
  if (!follow || signal.aborted || container.state !== 'running') return;
  await new Promise<void>((resolve) => {
    container.waiting.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
