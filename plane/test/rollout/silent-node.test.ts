// A rollout and nodes that fall silent: an unknown node spends budget and is never a reason to replace (DESIGN 9.4).
// Each test has a plane of its own and mostly waits for graces, so they run side by side.
import { afterAll, describe, expect, it } from 'vitest';
import { type Json, STRATEGIC } from '../support/api-client.ts';
import {
  createHollowFleet,
  type HollowFleet,
  untilQuiet,
  untilRolledOut,
  untilStatus,
} from '../support/hollow-fleet.ts';
import type { HollowNode } from '../support/hollow-node.ts';
import { daemonSet, NODES, SETS } from '../support/manifests.ts';
import { rolloutOf, setImage } from '../support/rollouts.ts';
import { startUnpausedClock } from '../support/test-clock.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const GRACE_MS = 3000;
const clock = startUnpausedClock();
afterAll(clock.stop);

interface World extends AsyncDisposable {
  readonly plane: TestPlane;
  readonly fleet: HollowFleet;
  readonly set: Json;
  readonly setImage: (image: string) => Promise<Json>;
  readonly isUnknown: (node: HollowNode | undefined) => Promise<boolean>;
  readonly touched: () => HollowNode[];
}

async function running(nodes: number, pod: Json): Promise<World> {
  const plane = await startTestPlane({ graceMs: GRACE_MS, monotonicNow: clock.now });
  const fleet = createHollowFleet(plane);
  await fleet.add(nodes);
  await plane.api.ok('POST', SETS, daemonSet('web', { pod }));
  const set = await untilRolledOut(plane, 'web', nodes);
  return {
    plane,
    fleet,
    set,
    setImage: (image) => setImage(plane, image),
    isUnknown: async (node) => {
      const { conditions } = (await plane.api.ok('GET', `${NODES}/${node?.name}`)).status;
      return conditions.find(({ type }: Json) => type === 'Ready').status === 'Unknown';
    },
    touched: () => fleet.nodes.filter((node) => node.births(set.metadata.uid) > 1),
    [Symbol.asyncDispose]: async () => {
      fleet.stop();
      await plane.stop();
    },
  };
}

/** With and without a toleration for what Kubernetes taints a silent node with. */
const TEMPLATES: [string, Json][] = [
  ['that tolerates nothing', {}],
  ['that tolerates everything', { tolerations: [{ operator: 'Exists' }] }],
];

describe.concurrent.each(TEMPLATES)('a DaemonSet %s', (_, tolerant) => {
  const pod = { containers: [{ name: 'main', image: 'web:1' }], ...tolerant };

  // The bug this found: the taint of a silent node took it out of the plan, and its budget was free again: an update
  // that takes the machine down with it would have gone through the fleet, one machine after the other.
  it('whose new revision silences each node that runs it loses one node, not all', async () => {
    await using world = await running(4, pod);
    const { plane, fleet, touched, isUnknown } = world;
    await world.setImage('broken:2');
    const victim = await until('the first is touched', () => touched()[0]);
    victim.freeze();
    await until('it is lost', () => isUnknown(victim));
    await untilQuiet(fleet);
    expect(touched()).toEqual([victim]);
    // A restart of the plane is no way around it.
    await plane.restart();
    await until('it is lost again', () => isUnknown(victim));
    await until('the others are back', () =>
      fleet.nodes.every((node) => node === victim || plane.hasHeard(node.name)),
    );
    await untilQuiet(fleet);
    expect(touched()).toEqual([victim]);
  });

  it('is not held up by a silent node that never got the newest: it is set aside until it returns', async () => {
    await using world = await running(3, pod);
    const { plane, fleet, set, touched, isUnknown } = world;
    const [silent] = fleet.nodes;
    silent?.freeze();
    await until('it is lost', () => isUnknown(silent));
    await world.setImage('web:2');
    await until('the others are moved', () => touched().length === 2);
    expect(silent?.births(set.metadata.uid)).toBe(1);
    silent?.thaw();
    await untilRolledOut(plane, 'web', 3);
  });

  it('takes back what a node was granted that never heard of it: it returns into the budget of another update', async () => {
    await using world = await running(3, pod);
    const { plane, fleet, set, touched, isUnknown } = world;
    const { uid } = set.metadata;
    const deaf = fleet.nodes[0] as HollowNode;
    deaf.freeze();
    await world.setImage('web:2');
    await until('it is granted what it does not hear', async () => {
      const { unavailable } = await rolloutOf(plane, 'web');
      return unavailable === 1;
    });
    deaf.unplug();
    await until('it is lost', () => isUnknown(deaf));
    await world.setImage('broken:3');
    await until('another is touched', () => touched().length === 1);
    deaf.thaw();
    await until('it is back', () => plane.hasHeard(deaf.name));
    await untilQuiet(fleet);
    expect([touched().length, deaf.births(uid)]).toEqual([1, 1]);
    await world.setImage('web:4');
    await untilRolledOut(plane, 'web', 3);
    expect(deaf.births(uid)).toBe(2);
  });

  it('catches up with who returns, also when another died after the rollout was complete', async () => {
    await using world = await running(3, pod);
    const { fleet, set, touched, isUnknown } = world;
    const [away, dead] = fleet.nodes;
    away?.freeze();
    await until('it is lost', () => isUnknown(away));
    await world.setImage('web:2');
    await until('the others are moved', () => touched().length === 2);
    await untilQuiet(fleet);
    dead?.freeze();
    await until('it is lost too', () => isUnknown(dead));
    away?.thaw();
    await until('it is caught up', () => away?.births(set.metadata.uid) === 2);
  });

  it('is not held up either when the node is found to be dead by a plane that started after it died', async () => {
    await using world = await running(3, pod);
    const { plane, fleet, touched, isUnknown } = world;
    const [silent] = fleet.nodes;
    silent?.freeze();
    await until('it is lost', () => isUnknown(silent));
    // The stored Node says Unknown already: nothing but the plane's own grace passes.
    await plane.restart();
    await world.setImage('web:2');
    await until('the others are moved', () => touched().length === 2);
  });

  it('starts nothing anew for a node that was silent, and finds its pod as it was', async () => {
    await using world = await running(2, pod);
    const { plane, fleet, set, isUnknown } = world;
    const [silent] = fleet.nodes;
    const before = silent?.podOf(set.metadata.uid)?.uid;
    silent?.freeze();
    await until('it is lost', () => isUnknown(silent));
    await untilStatus(plane, 'web', { numberAvailable: 1 });
    silent?.thaw();
    await untilRolledOut(plane, 'web', 2);
    expect(silent?.podOf(set.metadata.uid)?.uid).toBe(before);
    expect(fleet.births(set)).toEqual([1, 1]);
  });

  it('takes a percentage of those that are not set aside', async () => {
    await using world = await running(6, pod);
    const { plane, fleet, touched, isUnknown } = world;
    const half = { spec: { updateStrategy: { rollingUpdate: { maxUnavailable: '50%' } } } };
    await plane.api.ok('PATCH', `${SETS}/web`, half, { type: STRATEGIC });
    const silent = fleet.nodes.slice(0, 4);
    for (const node of silent) node.freeze();
    for (const node of silent) await until('it is lost', () => isUnknown(node));
    await world.setImage('broken:2');
    await until('one is touched', () => touched().length > 0);
    await untilQuiet(fleet);
    // Half of the two that are heard, not half of six, which would be all that are known to run.
    expect(touched()).toHaveLength(1);
  });
});
