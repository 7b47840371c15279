// What the engine's containers are without a list of them: the last one, and what this agent did and the engine told
// since. What leaves a doubt about one container is asked of that one; about which, of all.
import { HOLDER } from '@fleetset/scheduler-core/node/pod-record';
import type { ContainerRuntime, EngineChange, RuntimeContainer } from '../runtime/container-runtime.ts';

export interface KnownEngine extends ContainerRuntime {
  /** Undefined when only a list can tell. Rejects when the engine does not answer about those in doubt. */
  readonly known: () => Promise<readonly RuntimeContainer[] | undefined>;
}

interface Known {
  readonly containers: Map<string, RuntimeContainer>;
  /** Ids: what is known of them may be old. */
  readonly doubtful: Set<string>;
}

/** What happened. Answers whether it is known to which of them. */
type Step = (known: Known) => boolean;

export function knowEngine(runtime: ContainerRuntime): KnownEngine {
  let isTold = false;
  let known: Known | undefined;
  /** Questions under way: what happens meanwhile may be missing in the answer. */
  const asking = new Set<Step[]>();
  /** Ids of those that this agent is stopping. */
  const stopping = new Set<string>();

  const step = (one: Step) => {
    for (const steps of asking) steps.push(one);
    if (known && !one(known)) known = undefined;
  };

  /** `take` gets the answer, with what happened since it was asked, and nothing happens in between. `isSure`: it is
   *  known to which containers. */
  const ask = async (
    question: () => Promise<readonly RuntimeContainer[]>,
    take: (answer: Known, isSure: boolean) => void,
  ): Promise<void> => {
    const steps: Step[] = [];
    asking.add(steps);
    try {
      const containers = new Map((await question()).map((one) => [one.id, one]));
      const answer: Known = { containers, doubtful: new Set() };
      const isSure = steps.map((one) => one(answer)).every((yes) => yes);
      take(answer, isSure);
    } finally {
      asking.delete(steps);
    }
  };

  const list = async () => {
    let listed: readonly RuntimeContainer[] = [];
    await ask(runtime.list, (answer, isSure) => {
      known = isTold && isSure ? answer : undefined;
      listed = [...answer.containers.values()];
    });
    return listed;
  };

  const inspect = async (id: string) => {
    const before = known;
    const question = async () => {
      const found = await runtime.inspect(id);
      return found ? [found] : [];
    };
    await ask(question, (answer) => {
      // Else it was listed meanwhile, or will be.
      if (!known || known !== before) return;
      const found = answer.containers.get(id);
      if (found) known.containers.set(id, found);
      else known.containers.delete(id);
      if (!answer.doubtful.has(id)) known.doubtful.delete(id);
    });
  };

  const settle = async () => {
    await Promise.all([...(known?.doubtful ?? [])].map(inspect));
    return known && [...known.containers.values()];
  };

  /** What fails may have been done all the same. */
  const orElse = async <T>(call: Promise<T>, otherwise: Step): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      step(otherwise);
      throw error;
    }
  };

  return {
    ...runtime,
    list,
    known: settle,
    create: async (settings) => {
      const id = await orElse(runtime.create(settings), nobodyKnows);
      const { identity, image } = settings;
      step(({ containers }) => {
        if (!containers.has(id)) containers.set(id, { id, identity, state: 'created', image, imageId: '' });
        return true;
      });
      return id;
    },
    start: async (id) => {
      await orElse(runtime.start(id), doubts(id));
      // The engine may have told of it before it answers, and have been asked.
      step((now) => now.containers.get(id)?.state === 'running' || doubts(id)(now));
    },
    stop: async (id, graceSeconds) => {
      stopping.add(id);
      await orElse(runtime.stop(id, graceSeconds), doubts(id)).finally(() => stopping.delete(id));
      step((now) => now.containers.get(id)?.state !== 'running' || doubts(id)(now));
    },
    kill: (id) => runtime.kill(id).finally(() => step(doubts(id))),
    remove: async (id) => {
      await orElse(runtime.remove(id), doubts(id));
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
            step(stepOf(change, stopping));
            watcher.onChange(change);
          },
          onLost: () => {
            isTold = false;
            step(nobodyKnows);
            watcher.onLost();
          },
        },
        signal,
      ),
  };
}

const nobodyKnows: Step = () => false;

/** One that is not there has been removed, or made by somebody else: only a list tells. */
const doubts =
  (id: string): Step =>
  ({ containers, doubtful }) => {
    doubtful.add(id);
    return containers.has(id);
  };

const goes =
  (id: string): Step =>
  ({ containers, doubtful }) => {
    containers.delete(id);
    doubtful.delete(id);
    return true;
  };

/** The end of one that is being stopped is taken as told: the engine would answer only when it is done with it, and say
 *  nothing that is needed. Of any other it may say that it runs again, or nothing at all, as the engine goes itself. */
function stepOf(change: EngineChange | undefined, stopping: ReadonlySet<string>): Step {
  if (!change) return nobodyKnows;
  if (change.what === 'gone') return goes(change.id);
  if (change.what === 'ended') return stopping.has(change.id) ? ends(change) : nobodyKnows;
  return doubts(change.id);
}

/** The network of a holder, and its ports, are free when the engine is done with its end: then it answers. Only it knows
 *  whether an end that is told late is one before the last start. */
const ends =
  ({ id, exitCode, at }: Extract<EngineChange, { what: 'ended' }>): Step =>
  (known) => {
    const container = known.containers.get(id);
    // Its end is told late: it was removed since, or is known to have ended.
    if (!container || container.state === 'exited') return true;
    const isLast = Date.parse(at) >= Date.parse(container.startedAt ?? '');
    if (container.state !== 'running' || container.identity.name === HOLDER || !isLast)
      return doubts(id)(known);
    const { ip, pid, ...still } = container;
    known.containers.set(id, { ...still, state: 'exited', exitCode, finishedAt: at });
    return true;
  };
