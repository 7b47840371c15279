// What runs on a held node is replaced by nothing, but for what was begun before.
import type { FakeContainer } from '../../agent/test/fake-runtime.ts';
import type { LawParts } from './law-parts.ts';
import type { Machine } from './machine.ts';
import { isApp, podUidOf, setUidOf } from './truth.ts';

export interface HoldLaw {
  readonly onEngine: (machine: Machine) => void;
  /** For another revision. */
  readonly onUpdated: (machine: Machine, container: FakeContainer) => void;
}

/** Between a decision and the last of what is done for it. */
const UNDER_WAY_MS = 1000;

export function createHoldLaw(parts: LawParts): HoldLaw {
  const { time, trace } = parts;
  /** When each pod was first seen to be ended. */
  const endsAt = new Map<string, number>();

  const noteEnds = (machine: Machine) => {
    for (const { record, ending } of machine.agent()?.pods.all() ?? [])
      if (ending && !endsAt.has(record.uid)) endsAt.set(record.uid, time.now());
  };

  return {
    onEngine: noteEnds,
    onUpdated: (machine, container) => {
      noteEnds(machine);
      const heldAt = machine.holds.knownSince();
      if (heldAt === undefined || time.now() - heldAt < UNDER_WAY_MS) return;
      const begunAt = endsAt.get(podUidOf(container)) ?? time.now();
      // Under a surge one of two may go, when the grant is taken back.
      const others = machine.engine
        .containers()
        .some(
          (one) =>
            isApp(one) &&
            one.state === 'running' &&
            setUidOf(machine, one) === setUidOf(machine, container) &&
            podUidOf(one) !== podUidOf(container),
        );
      if (begunAt > heldAt && !others)
        trace.break('a hold is kept', `${machine.name} is held, and ends ${container.identity.pod.name}`);
    },
  };
}
