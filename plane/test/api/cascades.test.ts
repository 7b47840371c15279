// Objects that belong to others: what becomes of them when their owners go, by each of the three cascades.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { configMap, daemonSet, SETS } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const MAPS = '/api/v1/namespaces/default/configmaps';
let count = 0;
const fresh = () => `o${++count}`;
const make = (owners: Json[] = [], metadata: Json = {}): Promise<Json> =>
  plane.api.ok('POST', MAPS, configMap(fresh(), {}, { ownerReferences: owners, ...metadata }));
const owner = ({ apiVersion, kind, metadata: { name, uid } }: Json, more: Json = {}): Json => ({
  apiVersion,
  kind,
  name,
  uid,
  ...more,
});
const remove = ({ metadata }: Json, propagationPolicy?: string): Promise<Json> =>
  plane.api.ok('DELETE', `${MAPS}/${metadata.name}`, propagationPolicy ? { propagationPolicy } : undefined);
const find = async ({ metadata }: Json): Promise<Json> =>
  (await plane.api.call('GET', `${MAPS}/${metadata.name}`)).json;
const isGone = async (object: Json): Promise<boolean> => (await find(object)).code === 404;

describe('in the background', () => {
  it('what belonged to it goes after it, and what belonged to that', async () => {
    const first = await make();
    const second = await make([owner(first)]);
    const third = await make([owner(second)]);
    await remove(first);
    await until('all are gone', async () => (await isGone(second)) && (await isGone(third)));
  });

  it('what still belongs to somebody else stays', async () => {
    const [one, other] = [await make(), await make()];
    const shared = await make([owner(one), owner(other)]);
    const mark = await make([owner(one)]);
    await remove(one);
    await until('the loop has passed', () => isGone(mark));
    expect(await isGone(shared)).toBe(false);
    await remove(other);
    await until('it goes with the last', () => isGone(shared));
  });

  it('what belongs to somebody who was never there goes', async () => {
    const lost = await make([{ apiVersion: 'v1', kind: 'ConfigMap', name: 'nobody', uid: 'none' }]);
    await until('gone', () => isGone(lost));
  });

  it('what belongs to a kind that nobody here knows stays', async () => {
    const kept = await make([{ apiVersion: 'example.com/v1', kind: 'Widget', name: 'w', uid: 'w' }]);
    const mark = await make([{ apiVersion: 'v1', kind: 'ConfigMap', name: 'nobody', uid: 'none' }]);
    await until('the loop has passed', () => isGone(mark));
    expect(await isGone(kept)).toBe(false);
  });

  // The bug this found: a slip of the pen in an operator's manifest, and the ClusterRole was gone.
  it('what is of no namespace and says that it belongs to what is in one stays', async () => {
    const roles = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
    const [one, mark] = [await make(), await make()];
    await plane.api.ok('POST', roles, {
      metadata: { name: 'strays', ownerReferences: [owner(one)] },
      rules: [],
    });
    const marked = await make([owner(mark)]);
    await remove(one);
    await remove(mark);
    await until('the loop has passed', () => isGone(marked));
    expect((await plane.api.call('GET', `${roles}/strays`)).status).toBe(200);
  });

  it('another owner of the same name is another one', async () => {
    const first = await make();
    const { name } = first.metadata;
    const second = await make([owner(first)], { finalizers: ['example.com/x'] });
    await remove(first);
    await plane.api.ok('POST', MAPS, configMap(name));
    await until('it is going', async () => (await find(second)).metadata.deletionTimestamp);
    const path = `${MAPS}/${second.metadata.name}`;
    await plane.api.ok('PATCH', path, { metadata: { finalizers: null } }, { type: MERGE });
    expect(await isGone(second)).toBe(true);
  });

  it('goes on after a restart of the plane', async () => {
    const first = await make();
    const second = await make([owner(first)], { finalizers: ['example.com/x'] });
    await remove(first);
    await plane.restart();
    await until('it is going', async () => (await find(second)).metadata.deletionTimestamp);
    const path = `${MAPS}/${second.metadata.name}`;
    await plane.api.ok('PATCH', path, { metadata: { finalizers: null } }, { type: MERGE });
  });
});

describe('in the foreground', () => {
  it('it waits for those that block it, and goes when they have gone', async () => {
    const first = await make();
    const held = await make([owner(first, { blockOwnerDeletion: true })], { finalizers: ['example.com/x'] });
    const deleted = await remove(first, 'Foreground');
    expect(deleted.metadata).toMatchObject({
      finalizers: ['foregroundDeletion'],
      deletionTimestamp: expect.any(String),
    });
    await until('what belongs to it is going', async () => (await find(held)).metadata.deletionTimestamp);
    expect(await isGone(first)).toBe(false);
    const path = `${MAPS}/${held.metadata.name}`;
    await plane.api.ok('PATCH', path, { metadata: { finalizers: null } }, { type: MERGE });
    await until('it goes', () => isGone(first));
  });

  it('those that wait for one another, or for themselves, all go', async () => {
    const block = { blockOwnerDeletion: true };
    const set = (object: Json, owners: Json[]) =>
      plane.api.ok(
        'PATCH',
        `${MAPS}/${object.metadata.name}`,
        { metadata: { ownerReferences: owners } },
        { type: MERGE },
      );
    const [a, b, c, alone] = [await make(), await make(), await make(), await make()];
    await set(a, [owner(c, block)]);
    await set(b, [owner(a, block)]);
    await set(c, [owner(b, block), owner(a, block)]);
    await set(alone, [owner(alone, block)]);
    await remove(a, 'Foreground');
    await remove(alone, 'Foreground');
    await until('all are gone', async () => (await Promise.all([a, b, c, alone].map(isGone))).every(Boolean));
  });

  it('it goes at once when nobody blocks it', async () => {
    const first = await make();
    const second = await make([owner(first)]);
    expect(await remove(first, 'Foreground')).toMatchObject({ status: 'Success' });
    await until('what belonged to it goes', () => isGone(second));
  });
});

describe('as orphans', () => {
  it('they stay, and belong to it no more', async () => {
    const [first, other] = [await make(), await make()];
    const alone = await make([owner(first)]);
    const shared = await make([owner(first), owner(other)]);
    await remove(first, 'Orphan');
    expect((await find(alone)).metadata).not.toHaveProperty('ownerReferences');
    expect((await find(shared)).metadata.ownerReferences).toEqual([owner(other)]);
  });

  it('of a DaemonSet they stay too', async () => {
    const set = await plane.api.ok('POST', SETS, daemonSet(fresh()));
    const map = await make([owner(set)]);
    await plane.api.ok('DELETE', `${SETS}/${set.metadata.name}`, { propagationPolicy: 'Orphan' });
    expect((await find(map)).metadata).not.toHaveProperty('ownerReferences');
  });
});
