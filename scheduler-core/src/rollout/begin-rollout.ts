// When a rollout begins, and what of its record is about nodes that have changed since.
import { findBroken, stillBroken } from './broken-nodes.ts';
import type { Pacing } from './pacing.ts';
import { isAtRest, type RolloutNodes, restingWithout } from './resting-nodes.ts';
import { effectiveRevision } from './rollout-node.ts';
import { type RolloutRecord, type RolloutTimes, targetOf, UNDECIDED } from './rollout-record.ts';

interface BeginView extends RolloutNodes {
  readonly newest: string;
  readonly pacing: Pacing;
  readonly retry?: string;
  readonly now: number;
}

/** A new template, or one that is tried again, starts over. What was stable stays the place to go back to. */
export function beginRollout(
  before: RolloutRecord | undefined,
  times: RolloutTimes | undefined,
  view: BeginView,
): RolloutRecord {
  const { newest, nodes, retry, pacing } = view;
  const again = retry !== undefined && retry !== before?.retry && before !== undefined && hasFailed(before);
  if (before?.newest === newest && !again) {
    const aside = unheard(before.aside, view);
    const broken = stillBroken(before.broken, view, targetOf(before));
    // One that was asked for before it failed is no answer to that.
    const seen = retry === undefined ? before.retry : retry;
    const same =
      seen === before.retry &&
      aside.length === before.aside.length &&
      broken.length === (before.broken?.length ?? 0);
    if (same) return before;
    return {
      ...before,
      aside,
      ...(before.broken ? { broken } : {}),
      ...(seen === undefined ? {} : { retry: seen }),
    };
  }
  const silent = nodes.filter(({ lost }) => lost).map(({ name }) => name);
  const broken = findBroken(view, before, times, pacing);
  return {
    newest,
    ...(before?.stable === undefined ? {} : { stable: before.stable }),
    phase: 'Progressing',
    ...UNDECIDED,
    // The first revision comes to all nodes at once: waves are for changes.
    wave: before || hasOther(view, newest) ? 0 : pacing.waves.length,
    failures: {},
    attempt: (before?.attempt ?? 0) + 1,
    ...(retry === undefined ? {} : { retry }),
    aside: silent.sort(),
    ...(broken.length > 0 ? { broken } : {}),
  };
}

function unheard(names: readonly string[], view: RolloutNodes): readonly string[] {
  if (names.length === 0) return names;
  const heard = new Set(view.nodes.filter(({ connected }) => connected).map(({ name }) => name));
  return names.filter((name) => !heard.has(name) && !isAtRest(view, name));
}

const hasOther = (view: RolloutNodes, newest: string): boolean =>
  restingWithout(view, newest) > 0 ||
  view.nodes.some((node) => ![undefined, newest].includes(effectiveRevision(node)));

const hasFailed = ({ phase }: RolloutRecord): boolean =>
  phase === 'Stopped' || phase === 'RollingBack' || phase === 'RolledBack';
