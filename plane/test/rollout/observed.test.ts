// What `kubectl rollout status` goes by: it must never say that a DaemonSet is rolled out before its newest change is.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE, STRATEGIC, type WatchStream } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilQuiet, untilRolledOut } from '../support/hollow-fleet.ts';
import type { HollowNode } from '../support/hollow-node.ts';
import { configMap, daemonSet, REVISIONS, SETS } from '../support/manifests.ts';
import { placementOf, rolloutOf, setPolicy } from '../support/rollouts.ts';
import { startClock, type TestClock } from '../support/test-clock.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const onSsd = { nodeSelector: { disk: 'ssd' } };

let clock: TestClock;
let plane: TestPlane;
let fleet: HollowFleet;
let stream: WatchStream | undefined;
beforeEach(async () => {
  clock = startClock();
  plane = await startTestPlane({ monotonicNow: clock.now });
  fleet = createHollowFleet(plane);
});
afterEach(async () => {
  stream?.close();
  fleet.stop();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

/** Rule 30, as kubectl reads it. */
const isRolledOut = ({ metadata, status }: Json): boolean =>
  (status.observedGeneration ?? 0) >= metadata.generation &&
  (status.updatedNumberScheduled ?? 0) >= status.desiredNumberScheduled &&
  (status.numberAvailable ?? 0) >= status.desiredNumberScheduled;

const untilHeard = (nodes: readonly HollowNode[]) =>
  until('all are heard', () => nodes.every(({ name }) => plane.hasHeard(name)));
const watchFrom = async (set: Json) => {
  stream = await plane.api.watch(`${SETS}?watch=true&resourceVersion=${set.metadata.resourceVersion}`);
};
/** Of each state that was ever shown since. */
const claims = (): boolean[] => (stream?.events ?? []).map(({ object }) => isRolledOut(object));
const change = (pod: Json) =>
  plane.api.ok('PATCH', `${SETS}/web`, { spec: { template: { spec: pod } } }, { type: STRATEGIC });
const image = (name: string) => ({ containers: [{ name: 'main', image: name }] });

describe('after a change of the template', () => {
  it('nothing is rolled out while a node has not heard of it', async () => {
    const nodes = await fleet.add(3);
    await untilHeard(nodes);
    await plane.api.ok('POST', SETS, daemonSet('web'));
    const set = await untilRolledOut(plane, 'web', 3);
    await watchFrom(set);
    nodes[2]?.freeze();
    await change(image('web:2'));
    await until('the others have it', () =>
      nodes.slice(0, 2).every((node) => node.births(set.metadata.uid) === 2),
    );
    await stream?.next('the plane knows', ({ object }) => object.status.updatedNumberScheduled === 2);
    expect(claims()).not.toContain(true);
    nodes[2]?.thaw();
    await untilRolledOut(plane, 'web', 3);
  });

  it('that brings it to more nodes, these count before they have said so themselves', async () => {
    const [ssd] = (await fleet.add(1, { labels: { disk: 'ssd' } })) as [HollowNode];
    const [other] = (await fleet.add(1)) as [HollowNode];
    await untilHeard([ssd, other]);
    await plane.api.ok('POST', SETS, daemonSet('web', { pod: onSsd, maxUnavailable: 2 }));
    const set = await untilRolledOut(plane, 'web', 1);
    await untilQuiet(fleet);
    await watchFrom(set);
    other.freeze();
    await change({ ...image('web:2'), nodeSelector: null });
    await stream?.next('one has it', ({ object: { status } }) => {
      const { observedGeneration, updatedNumberScheduled, numberAvailable } = status;
      return observedGeneration === 2 && updatedNumberScheduled === 1 && numberAvailable === 1;
    });
    expect(claims()).not.toContain(true);
    const { decision, decidedBy } = await placementOf(plane, other.name);
    expect([decision, decidedBy]).toEqual(['Run', 'Plane']);
    other.thaw();
    await untilRolledOut(plane, 'web', 2);
  });

  it('that brings it to nodes where there was none, it is not complete as there is nothing to do', async () => {
    const nodes = await fleet.add(2);
    await untilHeard(nodes);
    await plane.api.ok('POST', SETS, daemonSet('web', { pod: onSsd }));
    const set = await untilRolledOut(plane, 'web', 0);
    await untilQuiet(fleet);
    await watchFrom(set);
    for (const node of nodes) node.freeze();
    await change({ nodeSelector: null });
    await stream?.next('it is observed', ({ object }) => object.status.observedGeneration === 2);
    expect(claims()).not.toContain(true);
    for (const node of nodes) node.thaw();
    await untilRolledOut(plane, 'web', 2);
  });
});

it('after a change of config that is rolled out, nothing is up to date even before it is a revision', async () => {
  await fleet.add(2);
  await plane.api.ok('POST', MAPS, configMap('app', { level: 'one' }));
  await setPolicy(plane, { configRollout: true });
  const envFrom = [{ configMapRef: { name: 'app' } }];
  const containers = [{ name: 'main', image: 'web:1', envFrom }];
  await plane.api.ok('POST', SETS, daemonSet('web', { pod: { containers } }));
  const set = await untilRolledOut(plane, 'web', 2);
  await watchFrom(set);
  // The second that it is waited whether more changes does not pass while somebody looks.
  clock.hold();
  await plane.api.ok('PATCH', `${MAPS}/app`, { data: { level: 'two' } }, { type: MERGE });
  const settling = await stream?.next('no pod is up to date', ({ object }) => !isRolledOut(object));
  expect((await rolloutOf(plane)).phase).toBe('Progressing');
  clock.run();
  const revisions = await until('it is a revision', async () => {
    const { items } = await plane.api.ok('GET', REVISIONS);
    return items.length === 2 ? (items as Json[]) : undefined;
  });
  const made = revisions.find(({ revision }) => revision === 2)?.metadata.resourceVersion;
  expect(Number(settling?.object.metadata.resourceVersion)).toBeLessThan(Number(made));
  await untilRolledOut(plane, 'web', 2);
});
