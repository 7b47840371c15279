// What the agent needs of a container engine. Docker is the one there is; tests have another.
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { PullCredential } from './pull-credentials.ts';
import type { CommandWanted, PreparedTerminal, StreamsWanted } from './terminal.ts';

/** Whose a container is, kept in its labels: the truth about it. */
export interface ContainerIdentity {
  readonly pod: PodRecord;
  /** Its name in the pod, or HOLDER. */
  readonly name: string;
  readonly attempt: number;
  readonly holderAttempt?: number;
}

export interface RuntimeContainer {
  readonly id: string;
  readonly identity: ContainerIdentity;
  readonly state: 'created' | 'running' | 'exited';
  readonly image: string;
  readonly imageId: string;
  /** RFC 3339, by the engine's clock. */
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly exitCode?: number;
  readonly oomKilled?: boolean;
  /** Why it could not be started. */
  readonly error?: string;
  /** There is no such program, or it cannot be run: it has ended without having begun. */
  readonly startFailed?: boolean;
  /** On the engine's own network. */
  readonly ip?: string;
  /** Of its first process while it runs, as the engine counts. */
  readonly pid?: number;
}

/** One container to create, in the engine's terms but not in its spelling. */
export interface ContainerSettings {
  readonly name: string;
  readonly identity: ContainerIdentity;
  readonly image: string;
  /** Absent: the image's. */
  readonly entrypoint?: readonly string[];
  readonly args?: readonly string[];
  readonly env: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  /** Beside those that its user has. */
  readonly groups?: readonly number[];
  readonly hostname?: string;
  readonly domainName?: string;
  readonly tty?: boolean;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly network: 'host' | 'own' | { readonly holderId: string };
  readonly hostPid?: boolean;
  readonly hostIpc?: boolean;
  /** What is root in it is nobody on the machine; else it has the machine's users, whatever the engine does by itself. */
  readonly mapsUsers?: boolean;
  /** Others may join its IPC namespace; on a network of its own they always may. */
  readonly sharesIpc?: boolean;
  /** Whose IPC namespace it joins, when that is not the one whose network it joins. */
  readonly ipcOf?: string;
  /** Whose PID namespace it joins. */
  readonly pidOf?: string;
  /** In place of the engine's own. */
  readonly dns?: Resolver;
  /** Lines of /etc/hosts. */
  readonly extraHosts?: readonly { readonly ip: string; readonly name: string }[];
  /** Instead of the image's own, or SIGTERM. */
  readonly stopSignal?: string;
  readonly sysctls?: { readonly [name: string]: string };
  readonly devices?: readonly Device[];
  readonly mounts: readonly Mount[];
  readonly ports: readonly PublishedPort[];
  readonly cpuShares?: number;
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  readonly memoryBytes?: number;
  readonly oomScoreAdjust?: number;
  readonly privileged?: boolean;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly readOnlyRoot?: boolean;
  readonly noNewPrivileges?: boolean;
  /** Absent: the engine's own profile. */
  readonly seccomp?: 'unconfined' | { readonly profile: string };
  /** The name of a profile, or 'unconfined'; absent: the engine's own. */
  readonly appArmor?: string;
  readonly seLinux?: { readonly [part in 'user' | 'role' | 'type' | 'level']?: string };
  /** Nothing of /proc is hidden or read-only. */
  readonly unmaskedProc?: boolean;
}

export interface Resolver {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface Device {
  readonly source: string;
  readonly target: string;
  /** Some of r, w, m. */
  readonly permissions: string;
}

export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly propagation: 'rprivate' | 'rslave' | 'rshared';
}

export interface PublishedPort {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly hostPort: number;
  readonly hostIp?: string;
}

export interface RuntimeInfo {
  /** As Kubernetes writes it: docker://20.10.24. */
  readonly version: string;
  readonly operatingSystem: string;
  readonly kernelVersion: string;
  /** Where it keeps images and containers, by its own view of the file system. */
  readonly rootDir: string;
  /** What is root in a container that asks for it is nobody on the machine. */
  readonly mapsUsers: boolean;
  /** The user and group of the machine that such a root is; 0 where the engine itself is inside that mapping. */
  readonly mappedRoot: number;
}

export interface EngineImage {
  readonly id: string;
  /** Its names, as `nginx:1.25`; none when others were given them. */
  readonly tags: readonly string[];
  readonly sizeBytes: number;
  /** Some container, of whomever and in whatever state, was made of it. */
  readonly inUse: boolean;
}

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  /** Seconds since the epoch. */
  readonly since?: number;
}

export interface ContainerRuntime {
  readonly info: () => Promise<RuntimeInfo>;
  /** Every container of this agent, whatever its state. */
  readonly list: () => Promise<readonly RuntimeContainer[]>;
  /** Undefined when there is no such container of this agent. */
  readonly inspect: (id: string) => Promise<RuntimeContainer | undefined>;
  /** Containers of this agent whose labels do not say which pod they are of, or say what those of an older one say. */
  readonly strays: () => Promise<readonly string[]>;
  readonly hasImage: (image: string) => Promise<boolean>;
  /** What the name means now. */
  readonly imageId: (image: string) => Promise<string | undefined>;
  /** All that the engine has. */
  readonly images: () => Promise<readonly EngineImage[]>;
  /** Takes a name from its image, or removes the image of this id; with its last name it is gone. Never one in use. */
  readonly removeImage: (name: string) => Promise<void>;
  /** Calls back at each sign of progress; ends with the signal's reason when that is aborted. Fails as 'invalid' when
   *  no image can have that name. */
  readonly pull: (
    image: string,
    signal: AbortSignal,
    onProgress?: () => void,
    credential?: PullCredential,
  ) => Promise<void>;
  /** The image's own user: '' is root. */
  readonly imageUser: (image: string) => Promise<string>;
  /** Makes the image of the holder when it is not there; answers its name. */
  readonly holderImage: () => Promise<string>;
  readonly create: (settings: ContainerSettings) => Promise<string>;
  readonly start: (id: string) => Promise<void>;
  /** Asks it to end, and kills it when the grace is over. Resolves when it has ended. */
  readonly stop: (id: string, graceSeconds: number) => Promise<void>;
  /** At once, without asking it. Resolves when the signal is sent. */
  readonly kill: (id: string) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
  readonly exec: (
    id: string,
    command: readonly string[],
    timeoutMs: number,
  ) => Promise<{ readonly exitCode: number; readonly output: string }>;
  /** A command that a client holds on to. */
  readonly prepareCommand: (id: string, wanted: CommandWanted) => Promise<PreparedTerminal>;
  /** The container's own streams, for a client. */
  readonly prepareAttach: (id: string, wanted: StreamsWanted) => Promise<PreparedTerminal>;
  /** Of its first process, as the engine counts; undefined when none runs. */
  readonly pid: (id: string) => Promise<number | undefined>;
  /** What it wrote, both streams in one, as plain bytes. */
  readonly logs: (id: string, options: LogOptions, signal: AbortSignal) => Promise<AsyncIterable<Uint8Array>>;
  readonly follow: (watcher: EngineWatcher, signal: AbortSignal) => void;
}

export type EngineChange =
  /** Told before the engine is done with it; `at`: RFC 3339, by its clock. */
  | { readonly id: string; readonly what: 'ended'; readonly exitCode: number; readonly at: string }
  | { readonly id: string; readonly what: 'gone' }
  /** Anything else: it was started, lacked memory, was renamed. */
  | { readonly id: string; readonly what: 'other' };

export interface EngineWatcher {
  /** From now on it is told what happens; before, anything may have been missed. */
  readonly onOpen: () => void;
  /** To a container of this agent; undefined: anything may have happened. */
  readonly onChange: (change: EngineChange | undefined) => void;
  /** The engine broke off telling, or cannot be reached by who heard it before: it has gone, also where whoever asks it
   *  next waits until it is back (systemd keeps its socket open). May be told more than once. */
  readonly onLost: () => void;
}

export type RuntimeFailure =
  /** The engine does not answer. */
  | 'unreachable'
  | 'not-found'
  | 'conflict'
  | 'image-missing'
  /** The registry does not answer, or breaks off. */
  | 'pull-failed'
  /** The registry says no: it has no such image, or not for this machine. */
  | 'pull-refused'
  /** The disk is too full to begin. */
  | 'no-space'
  | 'invalid'
  | 'timeout'
  | 'failed';

export class RuntimeError extends Error {
  readonly kind: RuntimeFailure;
  constructor(kind: RuntimeFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

export const isRuntimeError = (error: unknown, kind: RuntimeFailure): boolean =>
  error instanceof RuntimeError && error.kind === kind;
