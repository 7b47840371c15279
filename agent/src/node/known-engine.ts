// What the engine's containers are without asking it: its last list, and what this agent did and the engine told since.
// Only as long as that leaves no doubt.
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import type { ContainerRuntime, EngineChange, RuntimeContainer } from '../runtime/container-runtime.ts';

export interface KnownEngine extends ContainerRuntime {
  /** Undefined when only a list can tell. */
  readonly known: () => readonly RuntimeContainer[] | undefined;
}

type Containers = Map<string, RuntimeContainer>;
/** Answers whether it leaves no doubt. */
type Step = (containers: Containers) => boolean;

export function knowEngine(runtime: ContainerRuntime): KnownEngine {
  let isTold = false;
  let known: Containers | undefined;
  /** Lists under way: what happens meanwhile may be missing in the answer. */
  const listing = new Set<Step[]>();

  const step = (one: Step) => {
    for (const steps of listing) steps.push(one);
    if (known && !one(known)) known = undefined;
  };
  const doubt = () => step(() => false);

  /** What fails may have been done all the same. */
  const sure = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      doubt();
      throw error;
    }
  };

  const list = async () => {
    const steps: Step[] = [];
    listing.add(steps);
    try {
      const containers: Containers = new Map((await runtime.list()).map((one) => [one.id, one]));
      const leavesNoDoubt = steps.map((one) => one(containers)).every((yes) => yes);
      known = isTold && leavesNoDoubt ? containers : undefined;
      return [...containers.values()];
    } finally {
      listing.delete(steps);
    }
  };

  return {
    ...runtime,
    list,
    known: () => known && [...known.values()],
    create: async (settings) => {
      const id = await sure(runtime.create(settings));
      const { identity, image } = settings;
      step((containers) => {
        if (!containers.has(id)) containers.set(id, { id, identity, state: 'created', image, imageId: '' });
        return true;
      });
      return id;
    },
    // As what it runs now, only the engine can say.
    start: (id) => runtime.start(id).finally(doubt),
    stop: async (id, graceSeconds) => {
      await sure(runtime.stop(id, graceSeconds));
      step((containers) => containers.get(id)?.state !== 'running');
    },
    kill: (id) => runtime.kill(id).finally(doubt),
    remove: async (id) => {
      await sure(runtime.remove(id));
      step(goes(id));
    },
    follow: (watcher, signal) =>
      runtime.follow(
        {
          onOpen: () => {
            isTold = true;
            watcher.onOpen();
          },
          onChange: (change) => {
            step(stepOf(change));
            watcher.onChange(change);
          },
          onLost: () => {
            isTold = false;
            doubt();
            watcher.onLost();
          },
        },
        signal,
      ),
  };
}

function stepOf(change: EngineChange | undefined): Step {
  if (change?.what === 'gone') return goes(change.id);
  if (change?.what === 'ended') return ends(change);
  return () => false;
}

const goes =
  (id: string): Step =>
  (containers) => {
    containers.delete(id);
    return true;
  };

/** The network of a holder, and its ports, are free when the engine is done with its end, which it tells before: then it
 *  answers. Only it knows whether an end that is told late is one before the last start. */
const ends =
  ({ id, exitCode, at }: Extract<EngineChange, { what: 'ended' }>): Step =>
  (containers) => {
    const container = containers.get(id);
    if (!container || container.state === 'exited') return true;
    if (container.state !== 'running' || container.identity.name === HOLDER) return false;
    if (Date.parse(at) < Date.parse(container.startedAt ?? '')) return false;
    const { ip, pid, ...still } = container;
    containers.set(id, { ...still, state: 'exited', exitCode, finishedAt: at });
    return true;
  };
