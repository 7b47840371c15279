// What the engine says of one container, in our words: all of it from an inspection, or what its list alone tells.
import type { RuntimeContainer } from './container-runtime.ts';

type Seen = Omit<RuntimeContainer, 'identity'>;
type Networks = { readonly [name: string]: { readonly IPAddress?: string } };

/** The part of an inspection that is read. */
export interface EngineDetails {
  readonly Id: string;
  readonly Created: string;
  readonly Image: string;
  readonly Config: { readonly Image: string; readonly Labels: { readonly [name: string]: string } };
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Pid?: number;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
    readonly Error: string;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly NetworkSettings: { readonly Networks: Networks };
}

/** The part of one row of the list that is read. */
export interface EngineRow {
  readonly Id: string;
  readonly Image: string;
  readonly ImageID: string;
  /** `running`. */
  readonly State: string;
  /** `Exited (3) 5 minutes ago`. */
  readonly Status: string;
  readonly NetworkSettings?: { readonly Networks?: Networks };
}

const ZERO_TIME = '0001-01-01T00:00:00Z';

/** As a shell says that a program cannot be run, or is not there; the engine says 128 of whatever else kept it. */
const NO_PROGRAM: readonly number[] = [126, 127];
/** What Kubernetes shows of a container that could not be started. */
const START_ERROR = 128;

/** `failedAt`: when its start failed, where that was seen; the engine itself keeps no time of it. */
export function fromDetails(
  { State, Config, Created, Image, Id, NetworkSettings }: EngineDetails,
  failedAt: string = Created,
): Seen {
  const startedAt = State.StartedAt === ZERO_TIME ? undefined : State.StartedAt;
  const state = stateOf(State.Status);
  const hasBegun = state === 'running' || startedAt !== undefined;
  const startFailed = !hasBegun && State.Error !== '' && NO_PROGRAM.includes(State.ExitCode);
  const finishedAt = startFailed ? failedAt : State.FinishedAt;
  const ip = addressIn(NetworkSettings.Networks);
  return {
    id: Id,
    state: hasBegun ? state : startFailed ? 'exited' : 'created',
    image: Config.Image,
    imageId: Image,
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt === ZERO_TIME ? {} : { finishedAt }),
    ...(State.Running ? {} : { exitCode: startFailed ? START_ERROR : State.ExitCode }),
    ...(startFailed ? { startFailed } : {}),
    ...(State.OOMKilled ? { oomKilled: true } : {}),
    ...(State.Error ? { error: State.Error } : {}),
    ...(ip ? { ip } : {}),
    ...(State.Running && State.Pid ? { pid: State.Pid } : {}),
  };
}

/**
 * Of a container that cannot be inspected. The state is the engine's own word: it lists as exited only what it has
 * seen the end of, so another attempt may run. How long it has run is not told: its probes wait as for a new one.
 */
export function fromRow(row: EngineRow, why: string): Seen {
  const ip = addressIn(row.NetworkSettings?.Networks ?? {});
  const state = stateOf(row.State);
  const exitCode = /^Exited \((-?\d+)\)/.exec(row.Status)?.[1];
  return {
    id: row.Id,
    state,
    image: row.Image,
    imageId: row.ImageID,
    ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
    ...(state === 'exited' ? { error: `the engine does not say more: ${why}` } : {}),
    ...(ip ? { ip } : {}),
  };
}

const addressIn = (networks: Networks): string | undefined =>
  Object.values(networks).find(({ IPAddress }) => IPAddress)?.IPAddress;

function stateOf(status: string): RuntimeContainer['state'] {
  if (status === 'running' || status === 'paused' || status === 'restarting') return 'running';
  return status === 'created' ? 'created' : 'exited';
}
