// What nodes may run that run nothing of a DaemonSet now, and did once. A node decides for itself when it becomes
// eligible again, and begins with what it was granted last: that is to be what it should have today (rule 16).
import { scaledCount } from '../int-or-percent.ts';
import type { Advance } from './advance-rollout.ts';
import type { Pacing } from './pacing.ts';
import type { Grant } from './plan-rollout.ts';
import { byName } from './resting-nodes.ts';
import type { RolloutNode } from './rollout-node.ts';

const BECAUSE = 'the node runs no pod: what it begins with when it should run one again';

/** Costs no budget: nothing is there to lose. `revision`: undefined leaves them what they were granted. */
export const idleGrants = (nodes: Iterable<RolloutNode>, revision: string | undefined): Grant[] =>
  revision === undefined
    ? []
    : [...nodes]
        .filter((node) => isIdle(node) && node.granted !== revision)
        .sort(byName)
        .map(({ name }) => ({ node: name, revision, reason: BECAUSE }));

/** It runs nothing and did once. One that has not answered yet may have come back meanwhile. */
export const isIdle = ({ decision, pod, granted, connected, lost, behind }: RolloutNode): boolean =>
  decision !== 'Run' && !pod && granted !== undefined && connected && !lost && !behind;

/** Where the target does not come to every node in its turn, the revision that has proved itself. */
export function idleTarget(
  { record, target, fallback }: Pick<Advance, 'record' | 'target' | 'fallback'>,
  { paused, waves, partition }: Pacing,
): string | undefined {
  const picks = paused || record.wave < waves.length || scaledCount(partition, 100) > 0;
  const held = record.phase === 'Stopped' || (record.phase === 'Progressing' && picks);
  return held ? fallback : target;
}
