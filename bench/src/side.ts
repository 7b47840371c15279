// One of those who run the container: what each is measured at, in milliseconds by the engine's clock.
import type Docker from 'dockerode';
import type { DockerClock, DockerEvent } from './docker-clock.ts';
import { IMAGE, NEXT_IMAGE } from './exporter.ts';

export interface Update {
  /** From the old container's end being asked of it until the new one runs. */
  readonly gapMs: number;
  /** From the request until the new one runs. */
  readonly wholeMs: number;
}

export interface Side {
  /** Of its containers: the name is its value. */
  readonly label: string;
  /** Asks for one container, and resolves when that is asked. */
  readonly create: (name: string, image: string, index?: number) => Promise<unknown>;
  /** It runs, and nobody has anything more to do about it. */
  readonly atRest: (name: string) => Promise<void>;
  readonly update: (name: string, image: string) => Promise<unknown>;
  readonly remove: (name: string) => Promise<unknown>;
}

interface Engine {
  readonly docker: Docker;
  readonly clock: DockerClock;
}

export const eventOf =
  ({ label }: Pick<Side, 'label'>, name: string, action: string) =>
  (event: DockerEvent): boolean =>
    event.action === action && event.labels[label] === name;

export async function timeStart({ clock }: Engine, side: Side, name: string): Promise<number> {
  const started = clock.next(eventOf(side, name, 'start'));
  const begun = Date.now();
  const asked = side.create(name, IMAGE);
  const { at } = await started;
  await asked;
  await side.atRest(name);
  return at - begun;
}

/** All at once, until the last of them runs. */
export async function timeMany({ clock }: Engine, side: Side, names: readonly string[]): Promise<number> {
  const started = names.map((name) => clock.next(eventOf(side, name, 'start')));
  const begun = Date.now();
  const asked = names.map((name, index) => side.create(name, IMAGE, index));
  const all = await Promise.all(started);
  await Promise.all(asked);
  for (const name of names) await side.atRest(name);
  return Math.max(...all.map(({ at }) => at)) - begun;
}

export async function timeUpdate({ clock }: Engine, side: Side, name: string): Promise<Update> {
  const killed = clock.next(eventOf(side, name, 'kill'));
  const started = clock.next(eventOf(side, name, 'start'));
  const begun = Date.now();
  const asked = side.update(name, NEXT_IMAGE);
  const [end, start] = await Promise.all([killed, started]);
  await asked;
  await side.atRest(name);
  return { gapMs: start.at - end.at, wholeMs: start.at - begun };
}

/** What dies by itself: SIGKILL, and not by the engine. */
export async function timeKill({ docker, clock }: Engine, side: Side, name: string): Promise<number> {
  const filters = JSON.stringify({ label: [`${side.label}=${name}`] });
  const [container] = await docker.listContainers({ filters });
  if (!container) throw new Error(`${name} does not run`);
  const { State } = await docker.getContainer(container.Id).inspect();
  const started = clock.next(eventOf(side, name, 'start'));
  const begun = Date.now();
  process.kill(State.Pid, 'SIGKILL');
  const { at } = await started;
  return at - begun;
}

export interface Removal {
  /** From the request until it has ended. */
  readonly endMs: number;
  /** Until the last of its containers is gone. */
  readonly wholeMs: number;
}

export async function timeRemoval(engine: Engine, side: Side, name: string): Promise<Removal> {
  const filters = JSON.stringify({ label: [`${side.label}=${name}`] });
  const containers = await engine.docker.listContainers({ all: true, filters });
  const gone = containers.map(({ Id }) =>
    engine.clock.next(({ action, id }) => action === 'destroy' && id === Id),
  );
  const ended = engine.clock.next(eventOf(side, name, 'die'));
  const begun = Date.now();
  const asked = side.remove(name);
  const all = await Promise.all(gone);
  await asked;
  return { endMs: (await ended).at - begun, wholeMs: Math.max(...all.map(({ at }) => at)) - begun };
}
