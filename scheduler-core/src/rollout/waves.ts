// The waves of a rollout: which nodes come when, which wave is under way, and who has to wait for it.
import { scaledCount } from '../int-or-percent.ts';
import { withoutBroken } from './broken-nodes.ts';
import { type Pacing, stepTitle, type Wave } from './pacing.ts';
import { effectiveRevision, isHeld, isUp, type RolloutNode } from './plan-rollout.ts';
import { everyNode, type RolloutNodes, restingCount, restingWithout } from './resting-nodes.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { haveAvailable } from './rollout-times.ts';

/** The number of each node's wave; what no wave takes is in none, and comes after the last. */
export type Waves = ReadonlyMap<string, number>;

/**
 * The first wave that selects a node and is not full takes it. Who has the target already comes first, so that a
 * node that joins meanwhile moves nobody to another wave; then who is down: it has least to lose, and would take up
 * the budget of the others. Who was broken before is no canary.
 */
export function assignWaves(
  waves: readonly Wave[],
  fleet: RolloutNodes,
  target: string,
  broken: readonly string[] = [],
): Waves {
  const assigned = new Map<string, number>();
  if (waves.length === 0) return assigned;
  const nodes = everyNode(fleet);
  const updated = (node: RolloutNode) => Number(effectiveRevision(node) === target);
  const last = new Set(broken);
  const down = (node: RolloutNode) =>
    last.has(node.name) ? -1 : Number(node.pod !== undefined && !isUp(node));
  const sorted = [...nodes].sort(
    (a, b) => updated(b) - updated(a) || down(b) - down(a) || (a.name < b.name ? -1 : 1),
  );
  waves.forEach((wave, index) => {
    let room = wave.nodes === undefined ? Number.POSITIVE_INFINITY : scaledCount(wave.nodes, nodes.length);
    for (const node of sorted) {
      if (room <= 0) break;
      if (assigned.has(node.name) || !isSelected(wave, node)) continue;
      assigned.set(node.name, index);
      room -= 1;
    }
  });
  return assigned;
}

export const waveOf = ({ name }: RolloutNode, assigned: Waves, waves: readonly Wave[]): number =>
  assigned.get(name) ?? waves.length;

const isSelected = ({ nodeSelector }: Wave, { labels = {} }: RolloutNode): boolean =>
  Object.entries(nodeSelector).every(([key, value]) => labels[key] === value);

export interface Turn {
  readonly wave: number;
  /** Why the next wave does not begin. */
  readonly waitsFor: string;
  /** The last wave is there, and has been long enough. */
  readonly soaked: boolean;
  /** When the wave under way has been available long enough, if nothing happens. */
  readonly soakedAt?: number;
}

/** From the wave of the record on: waves that are there and have soaked are behind us. */
export function waveUnderWay(
  record: RolloutRecord,
  { waves, soakMs }: Pacing,
  assigned: Waves,
  fleet: RolloutNodes & { readonly now: number; readonly approvedWaves: number },
  times: Pick<RolloutTimes, 'target' | 'availableAt'>,
): Turn {
  const { now, approvedWaves } = fleet;
  const nodes = waves.length === 0 ? [] : everyNode(fleet);
  const waitedFor = withoutBroken(fleet, record);
  const those = waves.length === 0 ? [] : everyNode(waitedFor);
  /** It would move with this wave or after it: where nobody would, nothing is left to approve. */
  const comesWith = (node: RolloutNode, wave: number): boolean =>
    effectiveRevision(node) !== times.target && waveOf(node, assigned, waves) >= wave;
  for (let wave = Math.min(record.wave, waves.length); ; wave++) {
    const own =
      waves.length === 0
        ? waitedFor
        : { nodes: those.filter((node) => waveOf(node, assigned, waves) === wave) };
    const name = nameOf(waves, wave);
    if (needsApproval(waves, wave, approvedWaves) && nodes.some((node) => comesWith(node, wave)))
      return { wave, waitsFor: `${name} waits for approval`, soaked: false };
    if (!haveAvailable(own, times.target)) return { wave, waitsFor: `${name} is under way`, soaked: false };
    const soaksFor = waves[wave]?.soakMs ?? soakMs;
    const soakedAt = soaksFor > 0 ? lastOf(own, times, now) + soaksFor : now;
    if (soakedAt > now)
      return { wave, waitsFor: `${name} is watched (soakSeconds)`, soaked: false, soakedAt };
    if (wave === waves.length) return { wave, waitsFor: '', soaked: true };
  }
}

/** When the last of them became available. */
const lastOf = (own: RolloutNodes, { availableAt }: Pick<RolloutTimes, 'availableAt'>, now: number): number =>
  everyNode(own).reduce(
    (latest, { name }) => Math.max(latest, availableAt.get(name) ?? now),
    Number.NEGATIVE_INFINITY,
  );

export const needsApproval = (waves: readonly Wave[], wave: number, approvedWaves: number): boolean =>
  waves[wave]?.manual === true && approvedWaves <= wave;

const nameOf = (waves: readonly Wave[], wave: number): string =>
  waves[wave] ? stepTitle(waves[wave].name) : 'the last step';

interface HoldView extends RolloutNodes {
  readonly closed: ReadonlyMap<string, string>;
  readonly approvedWaves: number;
  readonly refused?: ReadonlyMap<string, string>;
}

/** Nodes that are not on the target and may not be moved to it now, with why. */
export function holdsOf(
  { phase, message, stable, broken }: RolloutRecord,
  pacing: Pacing,
  assigned: Waves,
  { wave, waitsFor }: Turn,
  view: HoldView,
  target: string,
): ReadonlyMap<string, string> {
  const { nodes, closed, approvedWaves } = view;
  const refused = view.refused?.get(target);
  const kept = phase === 'Progressing' ? keptBack(pacing, assigned, view) : new Set<string>();
  const holds = new Map<string, string>();
  const reasonFor = (node: RolloutNode): string | undefined => {
    if (refused !== undefined) return refused;
    if (phase === 'Stopped') return `the rollout has stopped: ${message}`;
    if (pacing.paused) return `the rollout is paused by ${pacing.source}`;
    if (isHeld(node)) return node.held;
    const shut = node.pod && node.pod.revision !== target ? closed.get(node.name) : undefined;
    if (shut !== undefined && node.pod?.available && !node.pod.deleted) return shut;
    if (isStuck(node, stable, broken)) return undefined;
    const own = waveOf(node, assigned, pacing.waves);
    // What is behind us was approved, or came before there were waves.
    const awaits = own > wave || (own === wave && needsApproval(pacing.waves, own, approvedWaves));
    if (phase === 'Progressing' && awaits) return waitsFor;
    if (kept.has(node.name)) return `kept back: partition ${pacing.partition} of ${pacing.source}`;
    return node.failing === undefined || isUp(node) ? shut : undefined;
  };
  const look = (node: RolloutNode) => {
    const reason = effectiveRevision(node) === target ? undefined : reasonFor(node);
    if (reason !== undefined) holds.set(node.name, reason);
  };
  nodes.forEach(look);
  // Nothing else holds a node at rest.
  if (
    refused !== undefined ||
    phase === 'Stopped' ||
    pacing.paused ||
    closed.size + pacing.waves.length + kept.size > 0
  )
    for (const list of restingWithout(view, target)) list.forEach(look);
  return holds;
}

/** An update took it down: it has nothing to lose, and would take up budget for ever. */
const isStuck = (node: RolloutNode, stable: string | undefined, broken: readonly string[] = []): boolean => {
  if (node.pod === undefined) return stable === undefined;
  return !isUp(node) && effectiveRevision(node) !== stable && !broken.includes(node.name);
};

/** The last ones, as many as the partition says. */
function keptBack({ partition, waves }: Pacing, assigned: Waves, fleet: RolloutNodes): ReadonlySet<string> {
  const count = scaledCount(partition, fleet.nodes.length + restingCount(fleet));
  if (count === 0) return new Set();
  const order = [...everyNode(fleet)].sort(
    (a, b) => waveOf(a, assigned, waves) - waveOf(b, assigned, waves) || (a.name < b.name ? -1 : 1),
  );
  return new Set(order.slice(-count).map(({ name }) => name));
}
