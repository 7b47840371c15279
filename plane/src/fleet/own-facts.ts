// What a node may say of itself: labels and taints as Kubernetes takes them, and none that only an administrator may
// give it. The agent checks its configuration too; here nobody's word is taken for it.
import type { NodeFacts } from '@fleetset/proto/gen/fleetset/v1/node';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { formatTaint } from '@fleetset/scheduler-core/taint-toleration';
import { validateOwnLabels } from '@fleetset/scheduler-core/validation/own-labels';
import { validateTaints } from '@fleetset/scheduler-core/validation/scheduling';
import type { NodeRecord } from './node-record.ts';

export interface OwnFacts {
  readonly own: Pick<NodeRecord, 'ownLabels' | 'ownTaints'>;
  /** What was left out, for people. */
  readonly refused: readonly string[];
}

/** Facts that are the same in the next report are the same object there. */
const known = new WeakMap<NodeFacts, OwnFacts>();

export function ownFacts(facts: NodeFacts): OwnFacts {
  const before = known.get(facts);
  if (before) return before;
  const made = checkedFacts(facts);
  known.set(facts, made);
  return made;
}

function checkedFacts(facts: NodeFacts): OwnFacts {
  const ownLabels: { [key: string]: string } = {};
  const ownTaints: Taint[] = [];
  const refused: string[] = [];
  for (const [key, value] of Object.entries(facts.labels)) {
    if (validateOwnLabels('labels', { [key]: value }).length === 0) ownLabels[key] = value;
    else refused.push(`label ${key}=${value}`);
  }
  for (const { key, value, effect } of facts.taints) {
    const taint = { key, value, effect };
    if (validateTaints('taints', [...ownTaints, taint]).length === 0) ownTaints.push(taint);
    else refused.push(`taint ${formatTaint(taint)}`);
  }
  return { own: { ownLabels, ownTaints }, refused };
}
