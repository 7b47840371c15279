// Nodes at rest: each has available what it was granted, and nothing is under way or amiss there. Of the nodes at rest
// that have the target only the number matters, and of the others only that they are up: a plan looks closely at no more
// than the nodes that are not at rest, and of the others it reads what is kept by their places in the line-up.
import type { RolloutNode } from './rollout-node.ts';

export interface RolloutNodes {
  /** Those that should run a pod; where there is a line-up without those at rest, and by name. */
  readonly nodes: readonly RolloutNode[];
  /** A plan comes to the same without it. */
  readonly lineUp?: LineUp;
}

/** All nodes that should run a pod, kept from one plan to the next: good until some node is another. */
export interface LineUp {
  /** By name: everything else is by the places here. */
  readonly inOrder: readonly RolloutNode[];
  /** What each of them rests on, as a place in `revisions`. */
  readonly restsOn: readonly number[];
  /** The first is of the nodes that are not at rest. */
  readonly revisions: readonly (string | undefined)[];
  /** How many nodes rest on each of them. */
  readonly counts: readonly number[];
  /** How many of those at rest were granted what they have under a surge. */
  readonly surging: number;
  /** Those that labels select, as far as somebody asked: see `selectedBy`. */
  readonly selections: Map<string, Selection>;
  /** What somebody asked for last by names: see `byPlace`. */
  readonly texts: { last?: Texts };
}

interface Texts {
  readonly of: Pick<ReadonlyMap<string, string>, 'get'>;
  readonly byPlace: (string | undefined)[];
}

interface Selection {
  readonly wanted: readonly (readonly [label: string, value: string])[];
  readonly isSelected: boolean[];
}

export const CLOSELY = 0;

/** The revision that a node at rest has; undefined: it is not at rest, and looked at closely. */
export function restsOn(node: RolloutNode): string | undefined {
  const { pod, granted } = node;
  const has = pod?.available && !pod.deleted && !pod.unknown && pod.revision === granted;
  const isCalm = node.decision === 'Run' && node.connected && !node.lost && !node.behind;
  const isPlain = node.failing === undefined && node.held === undefined && node.beside === undefined;
  return has && isCalm && isPlain ? granted : undefined;
}

/** With a line-up: one from nothing, in which nobody is at rest, where none was kept. */
export function inLine<Fleet extends RolloutNodes>(fleet: Fleet): Fleet & Required<RolloutNodes> {
  if (fleet.lineUp) return fleet as Fleet & Required<RolloutNodes>;
  const nodes = sortedByName(fleet.nodes);
  const lineUp = {
    inOrder: nodes,
    restsOn: nodes.map(() => CLOSELY),
    revisions: [undefined],
    counts: [nodes.length],
    surging: 0,
    selections: new Map(),
    texts: {},
  };
  return { ...fleet, nodes, lineUp };
}

/** As a place among the revisions of the line-up; -1: nobody ever rested on it. */
export const restingPlace = ({ revisions }: LineUp, revision: string): number => revisions.indexOf(revision);

export const restingWith = ({ lineUp }: RolloutNodes, revision: string): number =>
  lineUp?.counts[restingPlace(lineUp, revision)] ?? 0;

/** On other revisions. */
export const restingWithout = (fleet: RolloutNodes, revision: string): number =>
  restingCount(fleet) - restingWith(fleet, revision);

export const restingCount = ({ lineUp }: RolloutNodes): number =>
  lineUp ? lineUp.inOrder.length - (lineUp.counts[CLOSELY] ?? 0) : 0;

/** Looks at all of them. */
export const restingNodes = (
  { lineUp }: RolloutNodes,
  which: (revision: string) => boolean,
): readonly RolloutNode[] => {
  if (!lineUp) return [];
  const asked = lineUp.revisions.map((revision) => revision !== undefined && which(revision));
  return lineUp.inOrder.filter((_node, place) => asked[lineUp.restsOn[place] ?? CLOSELY]);
};

export function isAtRest({ lineUp }: RolloutNodes, name: string): boolean {
  const place = lineUp ? placeOf(lineUp.inOrder, name) : 0;
  return lineUp?.inOrder[place]?.name === name && lineUp.restsOn[place] !== CLOSELY;
}

export const isEmpty = (fleet: RolloutNodes): boolean =>
  fleet.nodes.length === 0 && restingCount(fleet) === 0;

export const everyNode = (fleet: RolloutNodes): readonly RolloutNode[] =>
  restingCount(fleet) > 0 ? [...fleet.nodes, ...restingNodes(fleet, () => true)] : fleet.nodes;

/** Where the nodes are that are looked at closely. */
export function closePlaces({ nodes, lineUp }: Required<RolloutNodes>): readonly number[] {
  const { inOrder, restsOn: places } = lineUp;
  const found: number[] = [];
  for (let place = 0; place < inOrder.length && found.length < nodes.length; place++)
    if (places[place] === CLOSELY && inOrder[place]?.name === nodes[found.length]?.name) found.push(place);
  return found;
}

/** By place. Kept with the line-up: only nodes with other labels are looked at again. */
export function selectedBy(
  { inOrder, selections }: LineUp,
  selector: { readonly [label: string]: string },
): readonly boolean[] {
  const text = JSON.stringify(selector);
  const known = selections.get(text);
  if (known) return known.isSelected;
  // Those of policies of before.
  if (selections.size >= MOST_SELECTIONS) selections.clear();
  const wanted = Object.entries(selector);
  const isSelected = inOrder.map((node) => hasLabels(node, wanted));
  selections.set(text, { wanted, isSelected });
  return isSelected;
}

const MOST_SELECTIONS = 16;

const hasLabels = ({ labels = {} }: RolloutNode, wanted: Selection['wanted']): boolean =>
  wanted.every(([label, value]) => labels[label] === value);

/** Kept with the line-up until another map comes: one that is written to in between is not asked again. */
export function byPlace({ inOrder, texts }: LineUp, of: Texts['of']): readonly (string | undefined)[] {
  if (texts.last?.of !== of) texts.last = { of, byPlace: inOrder.map(({ name }) => of.get(name)) };
  return texts.last.byPlace;
}

/** Whoever asks for names in their order finds most of them at once; undefined: it is not in the line-up. */
export function placeFinder({ inOrder }: LineUp): (name: string) => number | undefined {
  let next = 0;
  return (name) => {
    const place = inOrder[next]?.name === name ? next : placeOf(inOrder, name);
    next = place + 1;
    return inOrder[place]?.name === name ? place : undefined;
  };
}

export const byName = (a: RolloutNode, b: RolloutNode): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

/** Mostly they are so already. */
function sortedByName(list: readonly RolloutNode[]): readonly RolloutNode[] {
  for (let at = 1; at < list.length; at++)
    if (byName(list[at - 1] as RolloutNode, list[at] as RolloutNode) > 0) return [...list].sort(byName);
  return list;
}

/** When a whole fleet reports, each node is put in its place at little cost. */
export interface KeptNodes extends LineUp {
  readonly inOrder: RolloutNode[];
  readonly restsOn: number[];
  readonly revisions: (string | undefined)[];
  readonly counts: number[];
  surging: number;
}

export const noNodes = (): KeptNodes => ({
  inOrder: [],
  restsOn: [],
  revisions: [undefined],
  counts: [0],
  surging: 0,
  selections: new Map(),
  texts: {},
});

/** Undefined: it is gone. A node that should run no pod is not kept. */
export function keepNode(kept: KeptNodes, name: string, node: RolloutNode | undefined): void {
  const { inOrder, restsOn: places, selections, texts } = kept;
  const at = placeOf(inOrder, name);
  const before = inOrder[at]?.name === name ? inOrder[at] : undefined;
  const replaced = before ? 1 : 0;
  if (before) countAt(kept, places[at] as number, before, -1);
  if (node?.decision !== 'Run') {
    inOrder.splice(at, replaced);
    places.splice(at, replaced);
    for (const { isSelected } of selections.values()) isSelected.splice(at, replaced);
    texts.last?.byPlace.splice(at, replaced);
    return;
  }
  const place = placeOfRevision(kept, restsOn(node));
  countAt(kept, place, node, 1);
  if (before) [inOrder[at], places[at]] = [node, place];
  else {
    inOrder.splice(at, 0, node);
    places.splice(at, 0, place);
    texts.last?.byPlace.splice(at, 0, texts.last.of.get(name));
  }
  if (before && before.labels === node.labels) return;
  for (const { wanted, isSelected } of selections.values())
    isSelected.splice(at, replaced, hasLabels(node, wanted));
}

function countAt(kept: KeptNodes, place: number, node: RolloutNode, by: 1 | -1): void {
  kept.counts[place] = (kept.counts[place] ?? 0) + by;
  if (place !== CLOSELY && node.surging) kept.surging += by;
}

function placeOfRevision({ revisions }: KeptNodes, revision: string | undefined): number {
  const known = revisions.indexOf(revision);
  return known >= 0 ? known : revisions.push(revision) - 1;
}

/** As a plan takes them. */
export function splitNodes(lineUp: LineUp): Required<RolloutNodes> {
  const { inOrder, restsOn: places } = lineUp;
  const nodes: RolloutNode[] = [];
  for (let at = 0; at < inOrder.length; at++)
    if (places[at] === CLOSELY) nodes.push(inOrder[at] as RolloutNode);
  return { nodes, lineUp };
}

/** Where the name is, or would be. Whoever comes in order is at the end. */
export function placeOf(list: readonly RolloutNode[], name: string): number {
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
