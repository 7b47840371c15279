// The waves of a rollout: which nodes come when, and which are kept back. By places in the line-up of all nodes, so that
// none of the thousands that are at rest is touched for it.
import { scaledCount } from '../int-or-percent.ts';
import type { Pacing, Wave } from './pacing.ts';
import {
  CLOSELY,
  closePlaces,
  inLine,
  type LineUp,
  placeFinder,
  type RolloutNodes,
  restingCount,
  restingPlace,
  selectedBy,
} from './resting-nodes.ts';
import { effectiveRevision, isUp, type RolloutNode } from './rollout-node.ts';

export interface Waves {
  readonly lineUp: LineUp;
  /** By number: how many nodes each has. What no wave takes comes after the last. */
  readonly sizes: readonly number[];
  /** How many of them were not granted the target, and how many of those a rollout waits for. */
  readonly coming: readonly number[];
  readonly awaited: readonly number[];
  /** By place in the line-up; NOBODYS of a node that is set aside. Without waves of all. */
  readonly numbers: ArrayLike<number>;
  /** Places of those that are not at rest. */
  readonly closely: readonly number[];
}

export const NOBODYS = -1;

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
  const lined = inLine(fleet);
  const { lineUp } = lined;
  if (waves.length === 0)
    return { lineUp, sizes: [], coming: [], awaited: [], numbers: [], closely: closePlaces(lined) };
  const count = lined.nodes.length + restingCount(lined);
  const closely = closePlaces(lined);
  const numbers = new Int16Array(lineUp.inOrder.length).fill(NOBODYS);
  const takesNone = placesOf(lineUp, broken);
  const turns = inTurn(lined, closely, target);
  let left = turns.places;
  waves.forEach(({ nodeSelector, nodes }, number) => {
    const room = nodes === undefined ? count : scaledCount(nodes, count);
    left = take({ left, number, room, nodeSelector, takesNone, numbers, lineUp });
  });
  for (const place of left) numbers[place] = waves.length;
  return { lineUp, closely, numbers, ...counted(turns, numbers, takesNone, waves.length + 1) };
}

const placesOf = (lineUp: LineUp, names: readonly string[]): ReadonlySet<number> => {
  const find = placeFinder(lineUp);
  return new Set(names.map(find).filter((place) => place !== undefined));
};

interface Turns {
  readonly places: Int32Array;
  /** How many of them were granted the target: they come first. */
  readonly updated: number;
}

/**
 * First the nodes that were granted the target, then of the others who is down, and who is not; each by name. Who goes
 * down with the target stays in its wave: how long it is watched is that wave's to say.
 */
function inTurn(
  { nodes, lineUp }: Required<RolloutNodes>,
  closely: readonly number[],
  target: string,
): Turns {
  const { inOrder, restsOn } = lineUp;
  const turnOf = (node: RolloutNode) => {
    if (effectiveRevision(node) === target) return UPDATED;
    return node.pod !== undefined && !isUp(node) ? COMING_DOWN : COMING;
  };
  const have = restingPlace(lineUp, target);
  const turns = new Int8Array(inOrder.length);
  for (let place = 0; place < turns.length; place++)
    turns[place] = restsOn[place] === have ? UPDATED : restsOn[place] === CLOSELY ? NEVER : COMING;
  for (let at = 0; at < closely.length; at++) turns[closely[at] as number] = turnOf(nodes[at] as RolloutNode);
  const places = new Int32Array(inOrder.length);
  let count = 0;
  let updated = 0;
  for (const turn of [UPDATED, COMING_DOWN, COMING]) {
    for (let place = 0; place < turns.length; place++) if (turns[place] === turn) places[count++] = place;
    if (turn === UPDATED) updated = count;
  }
  return { places: places.subarray(0, count), updated };
}

const [NEVER, UPDATED, COMING_DOWN, COMING] = [0, 1, 2, 3] as const;

interface Taking {
  /** Places that no wave before took, in their turn. */
  readonly left: Int32Array;
  readonly number: number;
  readonly room: number;
  readonly nodeSelector: Wave['nodeSelector'];
  /** Who takes no room is taken also where none is left. */
  readonly takesNone: ReadonlySet<number>;
  readonly numbers: Int16Array;
  readonly lineUp: LineUp;
}

/** Writes the wave's number to those that it takes, and answers the others. */
function take({ left, number, room, nodeSelector, takesNone, numbers, lineUp }: Taking): Int32Array {
  const isSelected = Object.keys(nodeSelector).length > 0 ? selectedBy(lineUp, nodeSelector) : undefined;
  const others = new Int32Array(left.length);
  let [count, free] = [0, room];
  for (let at = 0; at < left.length; at++) {
    const place = left[at] as number;
    const takes = takesNone.size > 0 && takesNone.has(place) ? 0 : 1;
    if (takes <= free && (!isSelected || isSelected[place])) {
      free -= takes;
      numbers[place] = number;
    } else others[count++] = place;
  }
  return others.subarray(0, count);
}

function counted(
  { places, updated }: Turns,
  numbers: Int16Array,
  broken: ReadonlySet<number>,
  count: number,
): Pick<Waves, 'sizes' | 'coming' | 'awaited'> {
  const none = () => new Array<number>(count).fill(0);
  const [sizes, coming, awaited] = [none(), none(), none()];
  for (let at = 0; at < places.length; at++) {
    const number = numbers[places[at] as number] as number;
    sizes[number] = (sizes[number] as number) + 1;
    if (at >= updated) coming[number] = (coming[number] as number) + 1;
  }
  coming.forEach((those, number) => {
    awaited[number] = those;
  });
  for (let at = updated; broken.size > 0 && at < places.length; at++) {
    const number = numbers[places[at] as number] as number;
    if (broken.has(places[at] as number)) awaited[number] = (awaited[number] as number) - 1;
  }
  return { sizes, coming, awaited };
}

/** Who is set aside comes last, if it comes back. */
export const waveAt = ({ numbers, sizes }: Waves, place: number): number => {
  const number = numbers[place] ?? NOBODYS;
  return number === NOBODYS ? Math.max(0, sizes.length - 1) : number;
};

/** By name. */
export function waveFinder(waves: Waves): (name: string) => number {
  const find = placeFinder(waves.lineUp);
  return (name) => waveAt(waves, find(name) ?? NOBODYS);
}

export const sizeOfWave = ({ sizes }: Waves, wave: number): number => sizes[wave] ?? 0;

/** `has`: whether a node that is looked at closely is where it should be. */
export const isWaveThere = (
  { awaited, closely, numbers, lineUp }: Waves,
  wave: number,
  has: (node: RolloutNode) => boolean,
): boolean =>
  awaited[wave] === 0 &&
  closely.every((place) => numbers[place] !== wave || has(lineUp.inOrder[place] as RolloutNode));

export const nodesOfWave = ({ lineUp, numbers }: Waves, wave: number): readonly RolloutNode[] =>
  lineUp.inOrder.filter((_node, place) => numbers[place] === wave);

/** Places of the last ones, as many as the partition says. */
export function keptBack({ partition }: Pacing, waves: Waves): (place: number) => boolean {
  const count = waves.lineUp.inOrder.length;
  let left = Math.min(scaledCount(partition, count), count);
  if (left === 0) return () => false;
  const from = count - left;
  if (waves.sizes.length === 0) return (place) => place >= from;
  const kept = new Uint8Array(count);
  for (let wave = waves.sizes.length - 1; left > 0; wave--)
    for (let place = count - 1; place >= 0 && left > 0; place--) {
      if (waveAt(waves, place) !== wave) continue;
      kept[place] = 1;
      left -= 1;
    }
  return (place) => kept[place] === 1;
}
