// The waves of a rollout: which nodes come when, which wave is under way, and who has to wait for it.
import { scaledCount } from '../int-or-percent.ts';
import { brokenIn, withoutBroken } from './broken-nodes.ts';
import { type Pacing, stepTitle, type Wave } from './pacing.ts';
import { effectiveRevision, isHeld, isUp, type RolloutNode } from './plan-rollout.ts';
import {
  byNames,
  everyNode,
  inOrder,
  type RolloutNodes,
  restingCount,
  restingWith,
  restingWithout,
  sortedByName,
} from './resting-nodes.ts';
import type { RolloutRecord, RolloutTimes } from './rollout-record.ts';
import { haveAvailable } from './rollout-times.ts';

/** The nodes of one wave, in their turn. */
interface WaveNodes {
  /** They were granted the target. */
  readonly updated: readonly RolloutNode[];
  readonly coming: readonly RolloutNode[];
}

export interface Waves {
  /** By number; what no wave takes comes after the last. */
  readonly nodes: readonly WaveNodes[];
  /** Those of them that are not at rest. */
  readonly closely: readonly RolloutNode[];
  readonly of: (node: RolloutNode) => number;
}

export const NO_WAVES: Waves = { nodes: [], closely: [], of: () => 0 };

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
  if (waves.length === 0) return NO_WAVES;
  const count = fleet.nodes.length + restingCount(fleet);
  let left = inTurn(fleet, target, new Set(broken));
  const nodes: WaveNodes[] = [];
  for (const wave of waves) {
    let room = wave.nodes === undefined ? count : scaledCount(wave.nodes, count);
    const parts = left.map((part) => {
      const split = takeFrom(part, wave, room);
      room -= split.taken.length;
      return split;
    });
    nodes.push(waveNodes(parts.map(({ taken }) => taken)));
    left = parts.map(({ others }) => others);
  }
  nodes.push(waveNodes(left));
  return { nodes, closely: fleet.nodes, of: indexed(nodes) };
}

/** Three parts of nodes that have the target, and three of others; each by name. */
type Turns = readonly (readonly RolloutNode[])[];

/** Nodes at rest come in as they are: there may be thousands, and none of them is looked at. */
function inTurn(fleet: RolloutNodes, target: string, last: ReadonlySet<string>): Turns {
  const closely: RolloutNode[][] = [[], [], [], [], [], []];
  const isLast = ({ name }: RolloutNode) => last.has(name);
  const put = (node: RolloutNode) => {
    const isDown = node.pod !== undefined && !isUp(node);
    const turn = isLast(node) ? 2 : isDown ? 0 : 1;
    closely[turn + (effectiveRevision(node) === target ? 0 : 3)]?.push(node);
  };
  const lists = [[restingWith(fleet, target)], restingWithout(fleet, target)];
  const lastAtRest = last.size === 0 ? [] : lists.flat(2).filter(isLast);
  sortedByName([...fleet.nodes, ...lastAtRest]).forEach(put);
  const others = (list: readonly RolloutNode[]) =>
    lastAtRest.length === 0 ? list : list.filter((node) => !isLast(node));
  const withThem = (part: number) =>
    byNames([closely[part] ?? [], ...(lists[part === 1 ? 0 : 1] ?? []).map(others)]);
  return closely.map((nodes, part) => (part === 1 || part === 4 ? withThem(part) : nodes));
}

function takeFrom(part: readonly RolloutNode[], { nodeSelector }: Wave, room: number) {
  const wanted = Object.entries(nodeSelector);
  if (wanted.length === 0) return { taken: part.slice(0, room), others: part.slice(room) };
  const taken: RolloutNode[] = [];
  const others: RolloutNode[] = [];
  for (const node of part) {
    const { labels = {} } = node;
    const isTaken = taken.length < room && wanted.every(([key, value]) => labels[key] === value);
    (isTaken ? taken : others).push(node);
  }
  return { taken, others };
}

const waveNodes = (turns: Turns): WaveNodes => ({
  updated: turns.slice(0, 3).flat(),
  coming: turns.slice(3).flat(),
});

/** Made when somebody asks, which is seldom. */
function indexed(nodes: readonly WaveNodes[]): Waves['of'] {
  let index: Map<string, number> | undefined;
  return ({ name }) => {
    index ??= new Map(
      nodes.flatMap((wave, number) => everyOne(wave).map((node) => [node.name, number] as const)),
    );
    return index.get(name) ?? nodes.length - 1;
  };
}

const everyOne = (wave: WaveNodes | undefined): readonly RolloutNode[] => [
  ...(wave?.updated ?? []),
  ...(wave?.coming ?? []),
];

export const sizeOfWave = ({ nodes }: Waves, wave: number): number =>
  (nodes[wave]?.updated.length ?? 0) + (nodes[wave]?.coming.length ?? 0);

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
  const isBroken = brokenIn(record);
  /** Somebody would move with this wave or after it: where nobody would, nothing is left to approve. */
  const somebodyComes = (wave: number) => assigned.nodes.slice(wave).some(({ coming }) => coming.length > 0);
  for (let wave = Math.min(record.wave, waves.length); ; wave++) {
    const own =
      waves.length === 0
        ? withoutBroken(fleet, record)
        : { nodes: everyOne(assigned.nodes[wave]).filter((node) => !isBroken(node)) };
    const name = nameOf(waves, wave);
    if (needsApproval(waves, wave, approvedWaves) && somebodyComes(wave))
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
  const { closed, approvedWaves } = view;
  const kept = phase === 'Progressing' ? keptBack(pacing, assigned, view) : new Set<string>();
  const holds = new Map<string, string>();
  const reasonFor = (node: RolloutNode, own: number): string | undefined => {
    if (phase === 'Stopped') return `the rollout has stopped: ${message}`;
    if (pacing.paused) return `the rollout is paused by ${pacing.source}`;
    if (isHeld(node)) return node.held;
    const shut = node.pod && node.pod.revision !== target ? closed.get(node.name) : undefined;
    if (shut !== undefined && node.pod?.available && !node.pod.deleted) return shut;
    if (isStuck(node, stable, broken)) return undefined;
    // What is behind us was approved, or came before there were waves.
    const awaits = own > wave || (own === wave && needsApproval(pacing.waves, own, approvedWaves));
    if (phase === 'Progressing' && awaits) return waitsFor;
    if (kept.has(node.name)) return `kept back: partition ${pacing.partition} of ${pacing.source}`;
    return node.failing === undefined || isUp(node) ? shut : undefined;
  };
  const lookAmong = (wave: number) => (node: RolloutNode) => {
    const reason = effectiveRevision(node) === target ? undefined : reasonFor(node, wave);
    if (reason !== undefined) holds.set(node.name, reason);
  };
  assigned.nodes.forEach(({ coming }, number) => {
    coming.forEach(lookAmong(number));
  });
  const lookLast = lookAmong(pacing.waves.length);
  leftOut(assigned, view).forEach(lookLast);
  // Nothing else holds a node at rest.
  const mayHold = phase === 'Stopped' || pacing.paused || closed.size + kept.size > 0;
  if (assigned.nodes.length === 0 && mayHold)
    for (const list of restingWithout(view, target)) list.forEach(lookLast);
  return holds;
}

/** Nodes that no wave takes, nor comes after the last: they are set aside. Without waves everybody who is not at rest. */
function leftOut({ closely }: Waves, { nodes }: RolloutNodes): readonly RolloutNode[] {
  if (nodes.length === closely.length) return [];
  const known = new Set(closely);
  return nodes.filter((node) => !known.has(node));
}

/** An update took it down: it has nothing to lose, and would take up budget for ever. */
const isStuck = (node: RolloutNode, stable: string | undefined, broken: readonly string[] = []): boolean => {
  if (node.pod === undefined) return stable === undefined;
  return !isUp(node) && effectiveRevision(node) !== stable && !broken.includes(node.name);
};

/** The last ones, as many as the partition says. */
function keptBack({ partition }: Pacing, assigned: Waves, fleet: RolloutNodes): ReadonlySet<string> {
  let left = scaledCount(partition, fleet.nodes.length + restingCount(fleet));
  const kept = new Set<string>();
  if (left === 0) return kept;
  const waves = assigned.nodes.map(everyOne);
  const last = waves.length > 0 ? [...(waves.pop() ?? []), ...leftOut(assigned, fleet)] : inOrder(fleet);
  for (let wave: readonly RolloutNode[] | undefined = last; wave && left > 0; wave = waves.pop()) {
    const those = wave.length > left ? sortedByName(wave).slice(-left) : wave;
    for (const { name } of those) kept.add(name);
    left -= those.length;
  }
  return kept;
}
