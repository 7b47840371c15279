// Which nodes pull the images of a coming revision before their turn, at most so many at once over the whole fleet. No
// part of pacing: who is granted a revision pulls by itself, whatever is decided here.
import { allContainers } from '../node/pod-record.ts';
import { IMAGE_PULL } from '../restart-back-off.ts';
import type { PodTemplateSpec } from '../schema/pod.ts';
import type { Pacing } from './pacing.ts';
import type { Wait } from './plan-rollout.ts';
import { inLine, placeFinder, type RolloutNodes, splitNodes } from './resting-nodes.ts';
import { isSetAside } from './rollout-node.ts';
import type { RolloutRecord } from './rollout-record.ts';
import { assignWaves, keptBack, waveAt } from './waves.ts';

export type PrePullNode = Pick<Wait, 'node'>;

/** What one DaemonSet would have pulled in advance. */
export interface PrePullWish {
  readonly revision: string;
  /** How many nodes may pull at once, those of other DaemonSets included. */
  readonly limit: number;
  /** In the order of their turns; good until the next pass. */
  readonly nodes: Iterable<PrePullNode>;
}

export interface PrePullFailure {
  readonly message: string;
  readonly waitMs: number;
  /** Not tried again before, unless another login may do. */
  readonly until: number;
  /** What it was tried with: equal texts, equal logins. */
  readonly login: string;
}

/** What came of it on the nodes, for one revision of one DaemonSet. */
export interface PrePullResults {
  readonly revision: string;
  /** Nodes that have the images, or need none. */
  readonly done: ReadonlySet<string>;
  readonly failures: ReadonlyMap<string, PrePullFailure>;
}

export interface PrePullView {
  /** By DaemonSet uid; those that asked first come first. */
  readonly wishes: ReadonlyMap<string, PrePullWish>;
  readonly results: ReadonlyMap<string, PrePullResults>;
  /** What each node that takes up a place pulls for. */
  readonly busy: ReadonlyMap<string, { readonly set: string; readonly revision: string }>;
  /** Whether it can be told to pull, and runs a pod meanwhile: who runs none is granted one as soon as it may have it. */
  readonly mayPull: (node: string, set: string) => boolean;
  /** What a revision is pulled with now: as in PrePullFailure. */
  readonly loginOf: (set: string, revision: string) => string;
  readonly now: number;
}

export interface PrePullPlan {
  readonly starts: readonly { readonly node: string; readonly set: string; readonly revision: string }[];
  /** Nodes that pull what nobody wants any more. Each takes up its place until it has ended. */
  readonly ends: readonly string[];
  /** When one that failed may be tried again. */
  readonly nextAt?: number;
}

export function planPrePulls({ wishes, results, busy, mayPull, loginOf, now }: PrePullView): PrePullPlan {
  const ends = [...busy].filter(([, { set, revision }]) => wishes.get(set)?.revision !== revision);
  const starts = new Map<string, PrePullPlan['starts'][number]>();
  let nextAt: number | undefined;
  for (const [set, { revision, limit, nodes }] of wishes) {
    const result = results.get(set);
    const known = result?.revision === revision ? result : undefined;
    const login = known?.failures.size ? loginOf(set, revision) : '';
    const isFull = () => busy.size + starts.size >= limit;
    for (const { node } of isFull() ? [] : nodes) {
      if (isFull()) break;
      if (known?.done.has(node) || busy.has(node) || starts.has(node) || !mayPull(node, set)) continue;
      const failure = known?.failures.get(node);
      if (!failure || failure.until <= now || failure.login !== login)
        starts.set(node, { node, set, revision });
      else nextAt = Math.min(nextAt ?? failure.until, failure.until);
    }
  }
  return {
    starts: [...starts.values()],
    ends: ends.map(([node]) => node),
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}

/** The wait doubles from failure to failure with one login, as that of an image that a pod waits for. */
export function prePullFailure(
  before: PrePullFailure | undefined,
  { message, login }: Pick<PrePullFailure, 'message' | 'login'>,
  now: number,
): PrePullFailure {
  const again = before?.login === login;
  const waitMs = again ? Math.min(before.waitMs * 2, IMAGE_PULL.maxMs) : IMAGE_PULL.initialMs;
  return { message, login, waitMs, until: now + waitMs };
}

export interface PrePullInput {
  /** Undefined where people pace it by deleting pods. */
  readonly record: RolloutRecord | undefined;
  readonly pacing: Pacing;
  readonly target: string;
  readonly waits: readonly Wait[];
  /** Nodes that need no more of it: once it is all of them, nothing is sorted any more. */
  readonly done?: ReadonlySet<string>;
  readonly fleet: RolloutNodes;
}

/** Undefined when nothing is to be pulled in advance: paused, failed, complete, or switched off. */
export function wishPrePulls({
  record,
  pacing,
  target,
  waits,
  done,
  fleet,
}: PrePullInput): PrePullWish | undefined {
  if (pacing.paused || pacing.prePulls === 0) return undefined;
  if (record && record.phase !== 'Progressing') return undefined;
  const inTurn = () => {
    const open = done && done.size > 0 ? waits.filter(({ node }) => !done.has(node)) : waits;
    const isPlain = !record || (pacing.waves.length === 0 && pacing.partition === 0);
    return isPlain || open.length === 0 ? open : byWaves(open, record, pacing, target, fleet);
  };
  // Nobody asks while as many pull as may.
  const nodes = { [Symbol.iterator]: () => inTurn()[Symbol.iterator]() };
  return { revision: target, limit: pacing.prePulls, nodes };
}

/** Without those that are kept back. */
function byWaves(
  waits: readonly Wait[],
  { aside, broken }: RolloutRecord,
  pacing: Pacing,
  target: string,
  fleet: RolloutNodes,
): readonly Wait[] {
  // As it is now: some nodes may be others than when this was wished for.
  const lined = fleet.lineUp ? splitNodes(fleet.lineUp) : inLine(fleet);
  const names = new Set(aside);
  const counted = lined.nodes.filter((node) => !isSetAside(node, { target, aside: names }));
  const waves = assignWaves(pacing.waves, { ...lined, nodes: counted }, target, broken);
  const isKept = keptBack(pacing, waves);
  const find = placeFinder(lined.lineUp);
  const turns = Array.from({ length: waves.sizes.length + 1 }, (): Wait[] => []);
  for (const wait of waits) {
    const place = find(wait.node);
    if (place !== undefined && !isKept(place)) turns[waveAt(waves, place)]?.push(wait);
  }
  return turns.flat();
}

export interface ImageAhead {
  readonly image: string;
  readonly pullPolicy: 'Always' | 'IfNotPresent';
}

/** What a node that runs pods of these templates may lack for another. What a policy of Never names is nobody's to pull. */
export function imagesAhead(
  { spec }: PodTemplateSpec,
  running: readonly PodTemplateSpec[],
): readonly ImageAhead[] {
  const there = new Set(running.flatMap((template) => containersOf(template.spec)).map(({ image }) => image));
  const needed = new Map<string, ImageAhead>();
  for (const { image = '', imagePullPolicy } of containersOf(spec)) {
    const always = imagePullPolicy === 'Always';
    if (image === '' || imagePullPolicy === 'Never' || (!always && there.has(image))) continue;
    const pullPolicy = always || needed.get(image)?.pullPolicy === 'Always' ? 'Always' : 'IfNotPresent';
    needed.set(image, { image, pullPolicy });
  }
  return [...needed.values()];
}

const containersOf = (spec: PodTemplateSpec['spec']) => (spec ? allContainers(spec) : []);
