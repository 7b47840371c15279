// A small fleet for properties of planRollout: what is really so on each node, what the plane believes of it, and
// everything that can come between the two. One event is one thing that may happen; each is total.
import type { Grant, RolloutInput, RolloutPlan } from '@fleetset/scheduler-core/rollout/plan-rollout';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import fc from 'fast-check';

type Plan = (input: RolloutInput) => RolloutPlan;
/** `worn`: it was available, and is not again. */
type Pod = NonNullable<RolloutNode['pod']> & { readonly worn?: boolean };

/**
 * How a revision behaves: it comes up, it never does, its image cannot be pulled and the old pod stays, or it comes up
 * and goes down for good.
 */
export const REVISIONS = {
  a: 'good',
  b: 'good',
  c: 'crashes',
  d: 'cannot be pulled',
  e: 'wears out',
} as const;
export type Revision = keyof typeof REVISIONS;

interface Told {
  readonly generation: number;
  readonly revision: string;
  readonly surge: boolean;
}
interface Report {
  readonly generation: number;
  readonly pod: Pod | undefined;
  readonly beside: Pod | undefined;
  readonly held: boolean;
}

export interface ModelNode {
  readonly name: string;
  decision: RolloutNode['decision'];
  alive: boolean;
  connected: boolean;
  /** What really runs. */
  pod: Pod | undefined;
  /** Under a surge the new pod, while the old one runs. */
  beside: Pod | undefined;
  /** What the node was told and accepted last, on its disk. */
  told: Told | undefined;
  /** On their way; a stream keeps their order, and its end loses them. */
  toNode: Told[];
  toPlane: Report[];
  /** On the plane's disk. */
  granted: string | undefined;
  surging: boolean;
  /** In the plane's memory. */
  generation: number;
  report: Report | undefined;
  reported: boolean;
  lost: boolean;
  /** Its agent has restarted and not yet been able to look at what runs. */
  blind: boolean;
  /** Somebody there asked that what runs is left alone. */
  held: boolean;
  /** It was up when it was granted another revision, and has not been up on its grant since. */
  moving: boolean;
  /** The update has taken down what was available there, and the plane had thought so when it allowed it. */
  costs: boolean;
  struck: boolean;
}

export interface FleetModel {
  readonly nodes: readonly ModelNode[];
  readonly maxUnavailable: number | string;
  readonly maxSurge: number | string;
  surge: boolean;
  target: Revision;
}

export type FleetEvent = readonly [kind: (typeof KINDS)[number] | 'switch', which: number, how: number];

const KINDS = [
  ...(['plan', 'plan', 'plan', 'plan', 'update', 'exchange', 'exchange', 'exchange', 'exchange'] as const),
  ...([
    'deliver',
    'deliver',
    'work',
    'work',
    'report',
    'take',
    'take again',
    'take late',
    'lose report',
  ] as const),
  ...(['crash', 'break off', 'connect', 'fall silent', 'die', 'return', 'return', 'restart plane'] as const),
  ...(['delete pod', 'leave', 'come', 'come', 'go blind', 'go blind', 'see'] as const),
  ...(['hold', 'hold', 'release'] as const),
] as const;

/** Nobody dies, falls silent or leaves: who is down was taken down. */
const QUIET_KINDS = [
  ...(['plan', 'plan', 'plan', 'plan', 'update', 'exchange', 'exchange', 'exchange', 'deliver'] as const),
  ...(['work', 'report', 'take', 'take again', 'take late', 'lose report', 'crash', 'break off'] as const),
  ...(['connect', 'connect', 'restart plane', 'go blind', 'see', 'see', 'switch'] as const),
] as const;

export const someEvents = fc.array(
  fc.tuple(fc.constantFrom(...KINDS), fc.nat(4), fc.nat(4)) as fc.Arbitrary<FleetEvent>,
  { minLength: 20, maxLength: 120, size: 'max' },
);
export const quietEvents = fc.array(
  fc.tuple(fc.constantFrom(...QUIET_KINDS), fc.nat(4), fc.nat(4)) as fc.Arbitrary<FleetEvent>,
  { minLength: 20, maxLength: 120, size: 'max' },
);
export const someSurgingFleet = fc.record({
  size: fc.integer({ min: 1, max: 5 }),
  maxUnavailable: fc.constantFrom<number>(1, 2),
  maxSurge: fc.constantFrom(1, 2, '25%', '50%'),
});
export const someFleet = fc.record({
  size: fc.integer({ min: 1, max: 5 }),
  maxUnavailable: fc.constantFrom(1, 2, '25%', '50%'),
});

/** All nodes run revision a, and the plane knows it. With maxSurge the surge is on. */
export function newFleet({
  size,
  maxUnavailable,
  maxSurge = 0,
}: {
  size: number;
  maxUnavailable: number | string;
  maxSurge?: number | string;
}): FleetModel {
  const nodes = Array.from({ length: size }, (_, index): ModelNode => {
    const pod = { revision: 'a', available: true, deleted: false };
    return {
      name: `node-${index}`,
      decision: 'Run',
      alive: true,
      connected: true,
      pod,
      beside: undefined,
      told: { generation: 1, revision: 'a', surge: maxSurge !== 0 },
      toNode: [],
      toPlane: [],
      granted: 'a',
      surging: false,
      generation: 1,
      report: { generation: 1, pod, beside: undefined, held: false },
      reported: true,
      lost: false,
      blind: false,
      held: false,
      moving: false,
      costs: false,
      struck: false,
    };
  });
  return { nodes, maxUnavailable, maxSurge, surge: maxSurge !== 0, target: 'a' };
}

/** As the plane sees it. */
export const believed = (node: ModelNode): RolloutNode => ({
  name: node.name,
  decision: node.decision,
  connected: node.connected && node.reported,
  lost: node.lost,
  ...(node.granted === undefined ? {} : { granted: node.granted }),
  ...(node.surging ? { surging: true } : {}),
  ...(node.report?.beside ? { beside: { revision: node.report.beside.revision } } : {}),
  ...(node.report?.pod ? { pod: { ...node.report.pod, deleted: node.pod?.deleted ?? false } } : {}),
  ...(node.report?.held ? { held: 'somebody holds it' } : {}),
  ...(node.report && node.report.generation !== node.generation ? { behind: true } : {}),
});

export const inputOf = ({ nodes, maxUnavailable, maxSurge, surge, target }: FleetModel): RolloutInput => ({
  strategy: {
    type: 'RollingUpdate',
    ...(surge ? { maxUnavailable: 0, maxSurge } : { maxUnavailable }),
  },
  target,
  nodes: nodes.map(believed),
});

const isReallyUp = ({ alive, pod }: ModelNode) => alive && pod?.available === true && !pod.deleted;

/** Up on what it was granted, and nothing else under way to it. */
const hasArrived = (node: ModelNode) =>
  isReallyUp(node) &&
  node.pod?.revision === node.granted &&
  node.told?.revision === node.granted &&
  node.toNode.every(({ revision }) => revision === node.granted);

function note(node: ModelNode): void {
  if (isReallyUp(node)) node.struck = false;
  if (!hasArrived(node)) return;
  node.moving = false;
  node.costs = false;
}

/** What the plane takes for up: to grant it anything costs. */
export const isBelievedUp = ({ pod, granted }: RolloutNode): boolean =>
  pod !== undefined &&
  (pod.available || pod.unknown === true) &&
  !pod.deleted &&
  pod.revision === (granted ?? pod.revision);

/** One pass of the plane: plans, writes the grants, tells who is connected. Answers with what it planned. */
export function planPass(fleet: FleetModel, plan: Plan): RolloutPlan {
  const input = inputOf(fleet);
  const made = plan(input);
  for (const { node: name, revision, surge = false } of [...(made.over ?? []), ...made.grants] as Grant[]) {
    const node = fleet.nodes.find((one) => one.name === name);
    if (!node) continue;
    if (isReallyUp(node) && node.granted !== revision) node.moving = true;
    node.costs ||= isBelievedUp(believed(node));
    node.granted = revision;
    node.surging = surge;
    tell(node, fleet);
    note(node);
  }
  return made;
}

/** What began as a surge ends as one, whatever the strategy says now. */
function toldOf(node: ModelNode, { surge }: FleetModel): Told[] {
  const { granted: revision, generation } = node;
  return revision === undefined ? [] : [{ generation, revision, surge: surge || node.surging }];
}

function tell(node: ModelNode, fleet: FleetModel): void {
  if (node.granted === undefined) return;
  node.generation += 1;
  if (node.connected) node.toNode.push(...toldOf(node, fleet));
}

/** An agent refuses an older generation. */
function deliver(node: ModelNode): void {
  const message = node.toNode.shift();
  if (message && message.generation >= (node.told?.generation ?? 0)) node.told = message;
}

/** What has become of it. */
function afterAWhile(pod: Pod): Pod {
  const how = REVISIONS[pod.revision as Revision];
  if (how !== 'wears out') return { ...pod, available: how === 'good' };
  const worn = pod.worn || pod.available;
  return { ...pod, available: !worn, worn };
}

/** What the agent does next, from what it was told. */
function work(node: ModelNode): void {
  if (!node.alive || node.blind) return;
  const wanted = node.decision === 'Run' ? node.told?.revision : undefined;
  const before = node.pod;
  if (node.pod?.deleted || (node.decision === 'Leave' && node.pod)) {
    node.pod = node.decision === 'Leave' ? undefined : node.beside;
    node.beside = undefined;
  } else if (node.held && wanted && node.pod && (node.told?.surge || !node.beside))
    holdStill(node, wanted, node.pod);
  else if (wanted && node.pod && node.told?.surge && (node.beside || node.pod.revision !== wanted))
    surgeOn(node, wanted, node.pod);
  else if (node.beside) {
    // Without a surge it changes over at once; where it may only stay, what is available stays.
    if (wanted ? node.beside.revision === wanted : !node.pod?.available) node.pod = node.beside;
    node.beside = undefined;
  } else if (wanted && !node.pod) node.pod = { revision: wanted, available: false, deleted: false };
  else if (wanted && node.pod && node.pod.revision !== wanted) {
    if (REVISIONS[wanted as Revision] !== 'cannot be pulled')
      node.pod = { revision: wanted, available: false, deleted: false };
  } else if (node.pod) node.pod = afterAWhile(node.pod);
  if (before?.available && !before.deleted && wanted && !node.pod?.available && node.costs)
    node.struck = true;
}

/** What runs stays; what came beside it before goes on, and serves when the other does not. */
function holdStill(node: ModelNode, wanted: string, pod: Pod): void {
  const beside = node.beside && node.beside.revision === wanted ? afterAWhile(node.beside) : undefined;
  const old = afterAWhile(pod);
  const goes = beside?.available === true && !old.available;
  node.pod = goes ? beside : old;
  node.beside = goes ? undefined : beside;
}

function surgeOn(node: ModelNode, wanted: string, pod: Pod): void {
  const how = REVISIONS[wanted as Revision];
  if (pod.revision === wanted) node.beside = undefined;
  else if (node.beside?.revision !== wanted)
    node.beside = { revision: wanted, available: false, deleted: false };
  else {
    const beside = afterAWhile(node.beside);
    const goes = beside.available || (!pod.available && how !== 'cannot be pulled');
    node.pod = goes ? beside : pod;
    node.beside = goes ? undefined : beside;
  }
}

function breakOff(node: ModelNode): void {
  node.connected = false;
  node.reported = false;
  node.toNode = [];
  node.toPlane = [];
}

function connect(node: ModelNode, fleet: FleetModel): void {
  if (!node.alive || node.connected) return;
  node.connected = true;
  node.toNode.push(...toldOf(node, fleet));
}

function send(node: ModelNode): void {
  const pod = node.pod && node.blind ? { ...node.pod, available: false, unknown: true } : node.pod;
  const { beside, held } = node;
  if (node.connected) node.toPlane.push({ generation: node.told?.generation ?? 0, pod, beside, held });
}

function take(node: ModelNode, at: number, keep = false): void {
  const report = node.toPlane[at];
  if (!report || !node.connected) return;
  if (!keep) node.toPlane.splice(at, 1);
  node.report = report;
  node.reported = true;
  node.lost = false;
}

/** Everything that may happen, the plan apart. */
export function happen(fleet: FleetModel, [kind, which, how]: FleetEvent): void {
  const node = fleet.nodes[which % fleet.nodes.length];
  if (!node) return;
  switch (kind) {
    case 'update':
      fleet.target = (Object.keys(REVISIONS) as Revision[])[how] ?? 'a';
      break;
    case 'exchange':
      // All that is on its way arrives, and some work is done.
      connect(node, fleet);
      while (node.alive && node.toNode.length > 0) deliver(node);
      work(node);
      send(node);
      while (node.toPlane.length > 0) take(node, 0);
      break;
    case 'deliver':
      if (node.alive) deliver(node);
      break;
    case 'work':
      work(node);
      break;
    case 'report':
      send(node);
      break;
    case 'take':
      take(node, 0);
      break;
    case 'take again':
      take(node, 0, true);
      break;
    case 'take late':
      take(node, node.toPlane.length - 1);
      break;
    case 'lose report':
      node.toPlane.shift();
      break;
    case 'crash':
      if (node.pod) node.pod = { ...node.pod, available: false };
      break;
    case 'break off':
      breakOff(node);
      break;
    case 'connect':
      connect(node, fleet);
      break;
    case 'switch':
      fleet.surge = !fleet.surge;
      for (const one of fleet.nodes) tell(one, fleet);
      break;
    case 'fall silent':
      if (!node.connected) node.lost = true;
      break;
    case 'die':
      node.alive = false;
      if (node.pod) node.pod = { ...node.pod, available: false };
      if (node.beside) node.beside = { ...node.beside, available: false };
      breakOff(node);
      break;
    case 'return':
      node.alive = true;
      break;
    case 'restart plane':
      for (const one of fleet.nodes) {
        breakOff(one);
        one.report = undefined;
        // A new epoch: higher than anything told before.
        one.generation += 100;
      }
      break;
    case 'go blind':
      if (node.alive) node.blind = true;
      break;
    case 'see':
      node.blind = false;
      break;
    case 'hold':
      node.held = true;
      break;
    case 'release':
      node.held = false;
      break;
    case 'delete pod':
      if (node.pod) node.pod = { ...node.pod, deleted: true };
      break;
    case 'leave':
      node.decision = how === 0 ? 'Keep' : 'Leave';
      break;
    case 'come':
      node.decision = 'Run';
      break;
    case 'plan':
      break;
  }
  note(node);
}

/** Faults stop: everybody is there, nothing is lost, and the plane goes on until it has nothing to grant. */
export function settle(
  fleet: FleetModel,
  plan: Plan,
  except: (node: ModelNode) => boolean = () => false,
): void {
  for (let round = 0; round < 40; round++) {
    for (const [which, node] of fleet.nodes.entries()) {
      if (except(node)) continue;
      node.alive = true;
      node.blind = false;
      for (let step = 0; step < 4; step++) happen(fleet, ['exchange', which, 0]);
    }
    planPass(fleet, plan);
  }
}
