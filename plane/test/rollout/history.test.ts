// ControllerRevisions, as `kubectl rollout history` and `undo` need them (rules 50 to 56).
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Json, STRATEGIC } from '../support/api-client.ts';
import {
  createHollowFleet,
  type HollowFleet,
  untilQuiet,
  untilRolledOut,
  untilStatus,
} from '../support/hollow-fleet.ts';
import { daemonSet, REVISIONS, SETS } from '../support/manifests.ts';
import { withImage } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const NODES = 3;
let plane: TestPlane;
let fleet: HollowFleet;
let name = '';
let count = 0;
beforeAll(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  await fleet.add(NODES);
});
afterAll(async () => {
  fleet.stop();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});
afterEach(() => plane.api.call('DELETE', `${SETS}/${name}`));

async function running(options: Json = {}): Promise<Json> {
  name = `web${++count}`;
  await plane.api.ok('POST', SETS, daemonSet(name, { image: 'web:1', ...options }));
  return untilRolledOut(plane, name, NODES);
}

const patch = (change: Json) => plane.api.ok('PATCH', `${SETS}/${name}`, change, { type: STRATEGIC });
const rollTo = async (image: string) => {
  await patch(withImage(image));
  await untilRolledOut(plane, name, NODES);
};

/** By number, as kubectl lists them: by the set's selector, then by owner. */
async function history(set: Json): Promise<Json[]> {
  const { items } = await plane.api.ok('GET', `${REVISIONS}?labelSelector=app%3D${set.metadata.name}`);
  return items
    .filter(({ metadata }: Json) => metadata.ownerReferences[0].uid === set.metadata.uid)
    .sort((a: Json, b: Json) => a.revision - b.revision);
}

const numbers = (revisions: Json[]): Json =>
  revisions.map(({ revision, data }) => [revision, data.spec.template.spec.containers[0].image]);

describe('a revision', () => {
  it('is made with the DaemonSet, named by its hash, owned by it, and holds the template as a patch', async () => {
    const set = await running({ metadata: { annotations: { 'kubernetes.io/change-cause': 'the first' } } });
    const [revision, ...others] = await history(set);
    expect(others).toEqual([]);
    const hash = revision.metadata.labels['controller-revision-hash'];
    expect(hash).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]+$/);
    expect(revision).toMatchObject({
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: `${name}-${hash}`,
        namespace: 'default',
        labels: { app: name, 'controller-revision-hash': hash },
        annotations: { 'kubernetes.io/change-cause': 'the first' },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'DaemonSet',
            name,
            uid: set.metadata.uid,
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      revision: 1,
      data: { spec: { template: { ...set.spec.template, $patch: 'replace' } } },
    });
    expect(Object.keys(revision.data)).toEqual(['spec']);
    for (const node of fleet.nodes) expect(node.podOf(set.metadata.uid)?.revision).toBe(hash);
  });

  it('is made for each new template, numbered on, and for nothing else', async () => {
    const set = await running();
    await rollTo('web:2');
    await patch({ metadata: { labels: { a: 'b' } }, spec: { minReadySeconds: 1 } });
    await untilStatus(plane, name, { observedGeneration: 3 });
    await patch({ spec: { template: { metadata: { annotations: { restartedAt: 'now' } } } } });
    await until('the third', async () => (await history(set)).length === 3);
    expect(numbers(await history(set))).toEqual([
      [1, 'web:1'],
      [2, 'web:2'],
      [3, 'web:2'],
    ]);
  });

  it('that clients deleted is made again while it is needed', async () => {
    const set = await running();
    const [revision] = await history(set);
    await plane.api.ok('DELETE', `${REVISIONS}/${revision.metadata.name}`);
    const again = await until('made again', async () => (await history(set))[0]);
    expect(again.metadata.name).toBe(revision.metadata.name);
    await untilQuiet(fleet);
    expect(fleet.births(set)).toEqual([1, 1, 1]);
  });

  it('cannot be changed by clients', async () => {
    const set = await running();
    const [revision] = await history(set);
    const path = `${REVISIONS}/${revision.metadata.name}`;
    expect((await plane.api.call('PUT', path, revision)).status).toBe(405);
    expect((await plane.api.call('PATCH', path, {}, { type: STRATEGIC })).status).toBe(405);
  });

  it('goes with its DaemonSet', async () => {
    const set = await running();
    await rollTo('web:2');
    await plane.api.ok('DELETE', `${SETS}/${name}`);
    await until('gone', async () => (await history(set)).length === 0);
    expect((await plane.api.ok('GET', '/apis/fleetset.dev/v1/placements')).items).toEqual([]);
    // Another of the same name begins at 1 (rule 64), and its pods are others.
    await until('pods gone', () => fleet.nodes.every((node) => !node.podOf(set.metadata.uid)));
    const other = await plane.api.ok('POST', SETS, daemonSet(name, { image: 'web:2' }));
    await untilRolledOut(plane, name, NODES);
    expect(numbers(await history(other))).toEqual([[1, 'web:2']]);
  });
});

describe('undo', () => {
  it('by the raw bytes of an old revision renumbers it and brings its template back', async () => {
    const set = await running();
    await rollTo('web:2');
    const [first] = await history(set);
    // As kubectl does: the revision's data is the patch.
    await patch(first.data);
    await untilRolledOut(plane, name, NODES);
    const after = await history(set);
    expect(numbers(after)).toEqual([
      [2, 'web:2'],
      [3, 'web:1'],
    ]);
    expect(after[1].metadata.name).toBe(first.metadata.name);
    expect(after[1].metadata.uid).toBe(first.metadata.uid);
    const now = await plane.api.ok('GET', `${SETS}/${name}`);
    expect(now.spec.template).toEqual(set.spec.template);
    expect(fleet.births(set)).toEqual([3, 3, 3]);
  });

  it('of a stuck update restarts only the nodes that left the old revision (rule 51)', async () => {
    const set = await running();
    const [first] = await history(set);
    await patch(withImage('broken:2'));
    await untilStatus(plane, name, { numberUnavailable: 1, updatedNumberScheduled: 1 });
    await patch(first.data);
    await untilRolledOut(plane, name, NODES);
    expect(fleet.births(set).sort()).toEqual([1, 1, 3]);
  });

  it('takes away what the later template had more', async () => {
    await running();
    await patch({
      spec: {
        template: {
          metadata: { annotations: { more: 'yes' } },
          spec: { hostNetwork: true, containers: [{ name: 'second', image: 'web:1' }] },
        },
      },
    });
    await untilRolledOut(plane, name, NODES);
    const set = await plane.api.ok('GET', `${SETS}/${name}`);
    expect(set.spec.template.spec.containers).toHaveLength(2);
    const [first] = await history(set);
    const { spec } = await patch(first.data);
    expect(spec.template.spec.containers.map(({ name }: Json) => name)).toEqual(['main']);
    expect(spec.template.spec).not.toHaveProperty('hostNetwork');
    expect(spec.template.metadata).not.toHaveProperty('annotations');
  });
});

describe('the history limit', () => {
  it('drops the oldest that no pod and no grant carries', async () => {
    const set = await running({ spec: { revisionHistoryLimit: 2 } });
    for (const version of [2, 3, 4, 5]) await rollTo(`web:${version}`);
    await until('two old ones', async () => (await history(set)).length === 3);
    expect(numbers(await history(set))).toEqual([
      [3, 'web:3'],
      [4, 'web:4'],
      [5, 'web:5'],
    ]);
  });

  it('keeps the revision that nodes still run, over the limit (rule 52)', async () => {
    const set = await running({ spec: { revisionHistoryLimit: 0 } });
    await patch(withImage('broken:2'));
    await untilStatus(plane, name, { updatedNumberScheduled: 1, numberUnavailable: 1 });
    expect(numbers(await history(set))).toEqual([
      [1, 'web:1'],
      [2, 'broken:2'],
    ]);
    await rollTo('web:3');
    await until('only the newest', async () => (await history(set)).length === 1);
    expect(numbers(await history(set))).toEqual([[3, 'web:3']]);
  });
});

describe('over a restart of the plane', () => {
  it('numbers, hashes and grants are what they were, and nothing restarts', async () => {
    const set = await running();
    await rollTo('web:2');
    const before = await history(set);
    await plane.restart();
    await untilRolledOut(plane, name, NODES);
    await untilQuiet(fleet);
    expect(await history(set)).toEqual(before);
    expect(fleet.births(set)).toEqual([2, 2, 2]);
  });
});
