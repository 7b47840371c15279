// The waves of a rollout: which nodes come when, which wave is under way, and who has to wait for it.
import { scaledCount } from '../int-or-percent.ts';
import { type Approval, approvedWaves, ignoredText } from './approval.ts';
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
import { hasAvailable, haveAvailable } from './rollout-times.ts';

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
  readonly of: (node: Pick<RolloutNode, 'name'>) => number;
}

export const NO_WAVES: Waves = { nodes: [], closely: [], of: () => 0 };

/**
 * The first wave that selects a node and is not full takes it. Who has the target already comes first, so that a
 * node that joins or goes down meanwhile moves nobody to another wave; then who is down: it has least to lose, and
 * would take up the budget of the others. Who was broken before is no canary: it goes with the first wave that selects
 * it, since it has nothing to lose either, and takes no room there.
 */
export function assignWaves(
  waves: readonly Wave[],
  fleet: RolloutNodes,
  target: string,
  broken: readonly string[] = [],
): Waves {
  if (waves.length === 0) return NO_WAVES;
  const count = fleet.nodes.length + restingCount(fleet);
  const extra = new Set(broken);
  let left = inTurn(fleet, target);
  const nodes: WaveNodes[] = [];
  for (const wave of waves) {
    let room = wave.nodes === undefined ? count : scaledCount(wave.nodes, count);
    const parts = left.map((part) => {
      const split = takeFrom(part, wave, room, extra);
      room = split.room;
      return split;
    });
    nodes.push(waveNodes(parts.map(({ taken }) => taken)));
    left = parts.map(({ others }) => others);
  }
  nodes.push(waveNodes(left));
  return { nodes, closely: fleet.nodes, of: indexed(nodes) };
}

/**
 * First the nodes that were granted the target, then of the others who is down, and who is not; each by name. Who goes
 * down with the target stays in its wave: how long it is watched is that wave's to say.
 */
type Turns = readonly (readonly RolloutNode[])[];

/** Nodes at rest come in as they are: there may be thousands, and none of them is looked at. */
function inTurn(fleet: RolloutNodes, target: string): Turns {
  const [updated, comingDown, coming]: [RolloutNode[], RolloutNode[], RolloutNode[]] = [[], [], []];
  for (const node of sortedByName(fleet.nodes)) {
    const isDown = node.pod !== undefined && !isUp(node);
    if (effectiveRevision(node) === target) updated.push(node);
    else (isDown ? comingDown : coming).push(node);
  }
  return [
    byNames([updated, restingWith(fleet, target)]),
    comingDown,
    byNames([coming, ...restingWithout(fleet, target)]),
  ];
}

/** Who takes no room is taken also where none is left. */
function takeFrom(
  part: readonly RolloutNode[],
  { nodeSelector }: Wave,
  roomBefore: number,
  takesNone: ReadonlySet<string>,
) {
  const wanted = Object.entries(nodeSelector);
  if (wanted.length === 0 && takesNone.size === 0) {
    const taken = part.slice(0, roomBefore);
    return { taken, others: part.slice(roomBefore), room: roomBefore - taken.length };
  }
  let room = roomBefore;
  const taken: RolloutNode[] = [];
  const others: RolloutNode[] = [];
  for (const node of part) {
    const { labels = {} } = node;
    const takes = takesNone.has(node.name) ? 0 : 1;
    const isTaken = takes <= room && wanted.every(([key, value]) => labels[key] === value);
    if (isTaken) room -= takes;
    (isTaken ? taken : others).push(node);
  }
  return { taken, others, room };
}

const waveNodes = (turns: Turns): WaveNodes => ({
  updated: turns.slice(0, 1).flat(),
  coming: turns.slice(1).flat(),
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
  fleet: RolloutNodes & { readonly now: number; readonly approval?: Approval },
  times: Pick<RolloutTimes, 'target' | 'availableAt' | 'onceAvailable'>,
): Turn {
  const { now, approval } = fleet;
  const approved = approvedWaves(approval, record);
  const isBroken = brokenIn(record);
  /** Somebody would move with this wave or after it: where nobody would, nothing is left to approve. */
  const somebodyComes = (wave: number) => assigned.nodes.slice(wave).some(({ coming }) => coming.length > 0);
  /** Whichever wave it is sorted into now, it was granted the target before the next wave begins. */
  const isFirstTime = (node: RolloutNode) =>
    effectiveRevision(node) === times.target &&
    !hasAvailable(node, times.target) &&
    !times.onceAvailable.has(node.name) &&
    !isBroken(node);
  const somebodyIsOnTheWay = fleet.nodes.some(isFirstTime);
  for (let wave = Math.min(record.wave, waves.length); ; wave++) {
    const own =
      waves.length === 0
        ? withoutBroken(fleet, record)
        : { nodes: everyOne(assigned.nodes[wave]).filter((node) => !isBroken(node)) };
    const name = nameOf(waves, wave);
    if (needsApproval(waves, wave, approved) && somebodyComes(wave))
      return {
        wave,
        waitsFor: `${name} waits for approval${ignoredText(approval, record)}`,
        soaked: false,
      };
    if (somebodyIsOnTheWay || !haveAvailable(own, times.target))
      return { wave, waitsFor: `${name} is under way`, soaked: false };
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

/** `approved`: how many waves are, from the first. */
export const needsApproval = (waves: readonly Wave[], wave: number, approved: number): boolean =>
  waves[wave]?.manual === true && approved <= wave;

const nameOf = (waves: readonly Wave[], wave: number): string =>
  waves[wave] ? stepTitle(waves[wave].name) : 'the last step';

interface HoldView extends RolloutNodes {
  readonly closed: ReadonlyMap<string, string>;
  readonly approval?: Approval;
  readonly refused?: ReadonlyMap<string, string>;
}

/** Nodes that are not on the target and may not be moved to it now, with why. */
export function holdsOf(
  record: RolloutRecord,
  pacing: Pacing,
  assigned: Waves,
  { wave, waitsFor }: Turn,
  view: HoldView,
  target: string,
): ReadonlyMap<string, string> {
  const { phase, message, stable, broken } = record;
  const { closed } = view;
  const approved = approvedWaves(view.approval, record);
  const refused = view.refused?.get(target);
  const kept = phase === 'Progressing' ? keptBack(pacing, assigned, view) : new Set<string>();
  const holds = new Map<string, string>();
  const reasonFor = (node: RolloutNode, own: number): string | undefined => {
    if (refused !== undefined) return refused;
    if (phase === 'Stopped') return `the rollout has stopped: ${message}`;
    if (pacing.paused) return `the rollout is paused by ${pacing.source}`;
    if (isHeld(node)) return node.held;
    const shut = node.pod && node.pod.revision !== target ? closed.get(node.name) : undefined;
    if (shut !== undefined && node.pod?.available && !node.pod.deleted) return shut;
    if (isStuck(node, stable, broken)) return undefined;
    // What is behind us was approved, or came before there were waves.
    const awaits = own > wave || (own === wave && needsApproval(pacing.waves, own, approved));
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
  const mayHold =
    refused !== undefined || phase === 'Stopped' || pacing.paused || closed.size + kept.size > 0;
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
export function keptBack({ partition }: Pacing, assigned: Waves, fleet: RolloutNodes): ReadonlySet<string> {
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
