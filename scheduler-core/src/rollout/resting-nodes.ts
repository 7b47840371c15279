// Nodes at rest: each has available what it was granted, and nothing is under way or amiss there. Of the nodes at rest
// that have the target only the number matters, and of the others only that they are up: a plan looks closely at no more
// than the nodes that are not at rest.
import type { RolloutNode } from './plan-rollout.ts';

export interface RolloutNodes {
  /** Those that should run a pod; without those of `resting`. */
  readonly nodes: readonly RolloutNode[];
  /** Nodes at rest, by the revision that they have, then by name; no list is empty. A plan comes to the same when they
   *  are among `nodes`. */
  readonly resting?: ReadonlyMap<string, readonly RolloutNode[]>;
}

/** The revision that a node at rest has; undefined: it is not at rest, and looked at closely. */
export function restsOn(node: RolloutNode): string | undefined {
  const { pod, granted } = node;
  const has = pod?.available && !pod.deleted && !pod.unknown && pod.revision === granted;
  const isCalm = node.decision === 'Run' && node.connected && !node.lost && !node.behind && !node.surging;
  const isPlain = node.failing === undefined && node.held === undefined && node.beside === undefined;
  return has && isCalm && isPlain ? granted : undefined;
}

const NOBODY: readonly RolloutNode[] = [];

export const restingWith = ({ resting }: RolloutNodes, revision: string): readonly RolloutNode[] =>
  resting?.get(revision) ?? NOBODY;

/** A list for each of the other revisions. */
export const restingWithout = (
  { resting = new Map() }: RolloutNodes,
  revision: string,
): readonly (readonly RolloutNode[])[] =>
  [...resting].filter(([one]) => one !== revision).map(([, list]) => list);

export function restingCount({ resting }: RolloutNodes): number {
  let count = 0;
  for (const list of resting?.values() ?? []) count += list.length;
  return count;
}

export function isAtRest({ resting }: RolloutNodes, name: string): boolean {
  for (const list of resting?.values() ?? []) if (list[placeOf(list, name)]?.name === name) return true;
  return false;
}

export const isEmpty = ({ nodes, resting }: RolloutNodes): boolean =>
  nodes.length === 0 && (resting?.size ?? 0) === 0;

/** In no order. */
export const everyNode = ({ nodes, resting }: RolloutNodes): readonly RolloutNode[] =>
  resting ? [...nodes, ...[...resting.values()].flat()] : nodes;

export const byName = (a: RolloutNode, b: RolloutNode): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** All of them by name. */
export const inOrder = ({ nodes, resting }: RolloutNodes): readonly RolloutNode[] =>
  byNames([sortedByName(nodes), ...(resting?.values() ?? [])]);

/** Mostly they are so already. */
export function sortedByName(list: readonly RolloutNode[]): readonly RolloutNode[] {
  for (let at = 1; at < list.length; at++)
    if (byName(list[at - 1] as RolloutNode, list[at] as RolloutNode) > 0) return [...list].sort(byName);
  return list;
}

/** Lists that are by name, as one. */
export const byNames = (lists: readonly (readonly RolloutNode[])[]): readonly RolloutNode[] =>
  lists
    .filter((list) => list.length > 0)
    .reduce((one, other) => (one === NOBODY ? other : merge(one, other)), NOBODY);

function merge(a: readonly RolloutNode[], b: readonly RolloutNode[]): readonly RolloutNode[] {
  const merged: RolloutNode[] = [];
  let next = 0;
  for (const node of a) {
    for (let other = b[next]; other && other.name < node.name; other = b[++next]) merged.push(other);
    merged.push(node);
  }
  return [...merged, ...b.slice(next)];
}

/** Kept from one plan to the next. When a whole fleet reports, each node is put in its place at little cost; only a plan
 *  goes over all of them, and touches no node for that. */
export interface KeptNodes {
  /** All that should run a pod, by name. */
  readonly inOrder: RolloutNode[];
  /** For each of them what it rests on, as a place in `revisions`. */
  readonly restsOn: number[];
  /** The first is of the nodes that are not at rest. */
  readonly revisions: (string | undefined)[];
}

export const noNodes = (): KeptNodes => ({ inOrder: [], restsOn: [], revisions: [undefined] });

/** Undefined: it is gone. A node that should run no pod is not kept. */
export function keepNode(kept: KeptNodes, name: string, node: RolloutNode | undefined): void {
  const { inOrder, restsOn: places } = kept;
  const at = placeOf(inOrder, name);
  const known = inOrder[at]?.name === name;
  if (node?.decision !== 'Run') {
    inOrder.splice(at, known ? 1 : 0);
    places.splice(at, known ? 1 : 0);
  } else if (known) {
    inOrder[at] = node;
    places[at] = placeOfRevision(kept, restsOn(node));
  } else {
    inOrder.splice(at, 0, node);
    places.splice(at, 0, placeOfRevision(kept, restsOn(node)));
  }
}

function placeOfRevision({ revisions }: KeptNodes, revision: string | undefined): number {
  const known = revisions.indexOf(revision);
  return known >= 0 ? known : revisions.push(revision) - 1;
}

export function splitNodes({ inOrder, restsOn: places, revisions }: KeptNodes): Required<RolloutNodes> {
  const lists = revisions.map((): RolloutNode[] => []);
  for (let at = 0; at < inOrder.length; at++) lists[places[at] as number]?.push(inOrder[at] as RolloutNode);
  const [nodes = [], ...others] = lists;
  const named = others.map((list, at) => [revisions[at + 1] as string, list] as const);
  return { nodes, resting: new Map(named.filter(([, list]) => list.length > 0)) };
}

/** Where the name is, or would be. Whoever comes in order is at the end. */
function placeOf(list: readonly RolloutNode[], name: string): number {
  const last = list.at(-1);
  if (!last || last.name < name) return list.length;
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((list[middle] as RolloutNode).name < name) from = middle + 1;
    else to = middle;
  }
  return from;
}
