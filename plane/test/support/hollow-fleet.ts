// Some nodes that behave, and a watch over one DaemonSet on them: how many are down at each moment.
import type { Json } from './api-client.ts';
import { type Joinable, joinPlane } from './hollow-agent.ts';
import { type HollowNode, type HollowNodeOptions, startHollowNode } from './hollow-node.ts';
import { SETS } from './manifests.ts';
import type { TestPlane } from './test-plane.ts';
import { turns, until } from './until.ts';

export interface HollowFleet {
  readonly nodes: HollowNode[];
  readonly add: (count?: number, options?: HollowNodeOptions) => Promise<HollowNode[]>;
  readonly node: (name: string) => HollowNode;
  /** How many pods of the set each node ever started. */
  readonly births: (set: Json) => number[];
  /** From now on: nodes that run no available pod of the set are down. */
  readonly guard: (set: Json) => Guard;
  readonly stop: () => void;
}

export interface Guard {
  readonly downNow: () => HollowNode[];
  /** The most that were ever down at once. */
  readonly worst: () => number;
  /** The most that ran two of its pods at once. */
  readonly mostDoubled: () => number;
  readonly end: () => void;
}

let count = 0;

export function createHollowFleet(plane: Joinable): HollowFleet {
  const nodes: HollowNode[] = [];
  const guards = new Set<() => void>();
  const onChange = () => {
    for (const look of guards) look();
  };
  return {
    nodes,
    add: async (number = 1, options = {}) => {
      const names = Array.from({ length: number }, () => `hollow-${String(++count).padStart(3, '0')}`);
      const identities = await Promise.all(names.map((name) => joinPlane(plane, name)));
      const added = identities.map((identity) => startHollowNode(plane, identity, { onChange, ...options }));
      nodes.push(...added);
      return added;
    },
    node: (name) => nodes.find((node) => node.name === name) as HollowNode,
    births: ({ metadata }) => nodes.map((node) => node.births(metadata.uid)),
    guard: ({ metadata }) => {
      const downNow = () => nodes.filter((node) => !node.podOf(metadata.uid)?.available);
      let worst = 0;
      let mostDoubled = 0;
      const look = () => {
        worst = Math.max(worst, downNow().length);
        mostDoubled = Math.max(mostDoubled, nodes.filter((node) => node.besideOf(metadata.uid)).length);
      };
      guards.add(look);
      return {
        downNow,
        worst: () => worst,
        mostDoubled: () => mostDoubled,
        end: () => void guards.delete(look),
      };
    },
    stop: () => {
      for (const node of nodes) node.stop();
    },
  };
}

/** The DaemonSet, once every one of these is so in its status; a status field that is absent counts as 0. */
export function untilStatus(
  plane: Pick<TestPlane, 'api'>,
  name: string,
  expected: { readonly [field: string]: number },
): Promise<Json> {
  let last: Json;
  return until(`${name} has ${JSON.stringify(expected)}`, async () => {
    last = await plane.api.ok('GET', `${SETS}/${name}`);
    const current = last.status.observedGeneration === last.metadata.generation;
    return current && Object.entries(expected).every(([field, value]) => (last.status[field] ?? 0) === value)
      ? last
      : undefined;
  }).catch((error: Error) => {
    throw new Error(`${error.message}; it has ${JSON.stringify(last?.status)}`);
  });
}

/** As `kubectl rollout status` waits. */
export const untilRolledOut = (plane: Pick<TestPlane, 'api'>, name: string, desired: number) =>
  untilStatus(plane, name, {
    desiredNumberScheduled: desired,
    updatedNumberScheduled: desired,
    numberAvailable: desired,
    numberUnavailable: 0,
  });

/** Nothing more happens: the plane and every node have done all they will do. */
export async function untilQuiet(fleet: HollowFleet): Promise<void> {
  const done = () => fleet.nodes.reduce((sum, node) => sum + node.deeds(), 0);
  let calm = 0;
  let before = done();
  await until('the fleet is quiet', async () => {
    await turns(30);
    calm = done() === before ? calm + 1 : 0;
    before = done();
    return calm === 10;
  });
}
