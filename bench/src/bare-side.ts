// Plain dockerode: the floor. It keeps the container that has ended until its successor runs, as the agent does, and
// starts another when one dies, as soon as the engine says so.
import type Docker from 'dockerode';
import type { DockerClock } from './docker-clock.ts';
import { containerOf, IMAGE } from './exporter.ts';
import { eventOf, type Side, type Update } from './side.ts';

const GRACE_SECONDS = 30;

export interface BareSide extends Side {
  /** The new one is made before the old one is stopped: stop + start. */
  readonly timePrepared: (name: string, image: string) => Promise<Update>;
  /** Until this is called, what dies is started anew. */
  readonly restart: (name: string) => () => void;
}

export function bareSide({
  docker,
  clock,
}: {
  readonly docker: Docker;
  readonly clock: DockerClock;
}): BareSide {
  const label = 'bench';
  const ofName = async (name: string) =>
    docker.listContainers({ all: true, filters: JSON.stringify({ label: [`${label}=${name}`] }) });
  const running = new Map<string, Docker.Container>();
  const start = async (name: string, image: string, index = 0) => {
    const container = await docker.createContainer(containerOf(name, image, index));
    await container.start();
    running.set(name, container);
  };
  const stop = (name: string) => running.get(name)?.stop({ t: GRACE_SECONDS });
  const removeEnded = async (name: string) => {
    for (const { Id, State } of await ofName(name))
      if (State !== 'running') await docker.getContainer(Id).remove({ force: true });
  };
  return {
    label,
    create: start,
    atRest: removeEnded,
    update: async (name, image) => {
      await stop(name);
      await start(name, image);
    },
    remove: async (name) => {
      await stop(name);
      await running.get(name)?.remove({ force: true });
      running.delete(name);
      await removeEnded(name);
    },
    timePrepared: async (name, image) => {
      const begun = Date.now();
      const next = await docker.createContainer(containerOf(name, image));
      const killed = clock.next(eventOf({ label }, name, 'kill'));
      const started = clock.next(eventOf({ label }, name, 'start'));
      await stop(name);
      await next.start();
      running.set(name, next);
      const [end, { at }] = await Promise.all([killed, started]);
      await removeEnded(name);
      return { gapMs: at - end.at, wholeMs: at - begun };
    },
    restart: (name) => {
      let over = false;
      clock.next(eventOf({ label }, name, 'die')).then(
        () => (over ? undefined : start(name, IMAGE)),
        () => {},
      );
      return () => {
        over = true;
      };
    },
  };
}
