// What the engine says of one container, in our words: all of it from an inspection, or what its list alone tells.
import type { RuntimeContainer } from './container-runtime.ts';

type Seen = Omit<RuntimeContainer, 'identity'>;
type Networks = { readonly [name: string]: { readonly IPAddress?: string } };

/** The part of an inspection that is read. */
export interface EngineDetails {
  readonly Id: string;
  readonly Image: string;
  readonly Config: { readonly Image: string };
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

export function fromDetails({ State, Config, Image, Id, NetworkSettings }: EngineDetails): Seen {
  const startedAt = State.StartedAt === ZERO_TIME ? undefined : State.StartedAt;
  const finishedAt = State.FinishedAt === ZERO_TIME ? undefined : State.FinishedAt;
  const state = stateOf(State.Status);
  const ip = addressIn(NetworkSettings.Networks);
  return {
    id: Id,
    state: state === 'exited' && startedAt === undefined ? 'created' : state,
    image: Config.Image,
    imageId: Image,
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    ...(State.Running ? {} : { exitCode: State.ExitCode }),
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
