// The Leases of nodes: who is heard renews his own, in memory; nobody else's goods are touched by it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createFleet, type Fleet } from '../../src/fleet/fleet.ts';
import { createNodeLeases, LEASES, leaseIdOf, type NodeLeases } from '../../src/fleet/node-leases.ts';
import type { Store } from '../../src/store/store.ts';
import { registerNode } from '../../src/sync/join.ts';
import type { Json } from '../support/api-client.ts';
import { joinPlane, openSync } from '../support/hollow-agent.ts';
import { NODES } from '../support/manifests.ts';
import { onDisk, type StoreFile, storeFile, transactionsInLog } from '../support/store.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const PATH = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const START = Date.parse('2030-01-02T03:04:05.678Z');

describe('the lease of a node', () => {
  let file: StoreFile;
  let store: Store;
  let fleet: Fleet;
  let leases: NodeLeases;
  let now: number;
  const leaseOf = (name: string): Json => store.get(LEASES, leaseIdOf(name))?.value;
  const uidOf = (node: string) => (store.get('core/nodes', node) as Json).value.metadata.uid;
  /** What was heard is written when this commit is. */
  const settled = () => store.commit([]);
  beforeEach(async () => {
    now = 0;
    file = storeFile();
    store = file.open();
    fleet = createFleet(() => now);
    leases = createNodeLeases({
      store,
      fleet,
      monotonicNow: () => now,
      wallNow: () => START + now,
      onFailure: (error) => {
        throw error;
      },
    });
    for (const name of ['a', 'b']) await registerNode({ store, nowText: () => '' }, name, `key-${name}`);
    return () => store.close();
  });
  const heard = async (...names: string[]) => {
    for (const name of names) leases.heard(name);
    await settled();
  };

  it('is made when its agent is first heard, and belongs to the Node', async () => {
    await heard('a');
    expect(leaseOf('a')).toMatchObject({
      metadata: {
        name: 'a',
        namespace: 'kube-node-lease',
        creationTimestamp: '2030-01-02T03:04:05Z',
        ownerReferences: [
          {
            apiVersion: 'v1',
            kind: 'Node',
            name: 'a',
            uid: uidOf('a'),
          },
        ],
      },
      spec: { holderIdentity: 'a', leaseDurationSeconds: 40, renewTime: '2030-01-02T03:04:05.678000Z' },
    });
    expect(leaseOf('b')).toBeUndefined();
  });

  it('is renewed with each heartbeat, and not with every word between two', async () => {
    await heard('a');
    now = 7999;
    await heard('a');
    expect(leaseOf('a').spec.renewTime).toBe('2030-01-02T03:04:05.678000Z');
    now = 10_000;
    await heard('a');
    expect(leaseOf('a').spec.renewTime).toBe('2030-01-02T03:04:15.678000Z');
  });

  it('writes to the disk when it is made, and never when it is renewed', async () => {
    await heard('a', 'b');
    const written = transactionsInLog(file);
    for (let beat = 1; beat <= 20; beat++) {
      now = beat * 10_000;
      await heard('a', 'b');
    }
    expect(transactionsInLog(file)).toBe(written);
    expect(onDisk(file, LEASES).get(leaseIdOf('a'))).toMatchObject({
      metadata: { uid: leaseOf('a').metadata.uid },
    });
  });

  it('that somebody deleted or took over is the node’s again', async () => {
    await heard('a');
    const stored = leaseOf('a');
    const { ownerReferences: _, ...metadata } = stored.metadata;
    const value = { ...stored, metadata, spec: { holderIdentity: 'mallory', leaseTransitions: 3 } };
    await store.commit([{ collection: LEASES, id: leaseIdOf('a'), value, durable: true }]);
    now = 10_000;
    await heard('a');
    expect(leaseOf('a')).toMatchObject({
      metadata: { uid: metadata.uid, ownerReferences: stored.metadata.ownerReferences },
      spec: { holderIdentity: 'a', leaseDurationSeconds: 40, leaseTransitions: 3 },
    });
    await store.commit([{ collection: LEASES, id: leaseIdOf('a'), durable: true }]);
    now = 20_000;
    await heard('a');
    expect(leaseOf('a').spec.holderIdentity).toBe('a');
  });

  it('is not written over what came between: the next word renews it', async () => {
    await heard('a');
    const value = { ...leaseOf('a'), spec: { holderIdentity: 'somebody' } };
    now = 10_000;
    void store.commit([{ collection: LEASES, id: leaseIdOf('a'), value, durable: true }]);
    await heard('a');
    expect(leaseOf('a').spec).toEqual({ holderIdentity: 'somebody' });
    await settled();
    await heard('a');
    expect(leaseOf('a').spec.renewTime).toBe('2030-01-02T03:04:15.678000Z');
  });

  it('is not made for a node that is none', async () => {
    await heard('nobody');
    expect([...store.list(LEASES)]).toEqual([]);
  });
});

describe('the leases of a plane', () => {
  let plane: TestPlane;
  beforeAll(async () => {
    plane = await startTestPlane();
  });
  afterAll(() => plane.stop());
  const there = async (name: string) => (await plane.api.call('GET', `${PATH}/${name}`)).status === 200;

  it('are the same after a restart, and go with their nodes', async () => {
    const identity = await joinPlane(plane, 'leased');
    const stream = openSync(plane, identity);
    await until('made', () => there('leased'));
    const { uid } = (await plane.api.ok('GET', `${PATH}/leased`)).metadata;
    await plane.restart();
    expect((await plane.api.ok('GET', `${PATH}/leased`)).metadata.uid).toBe(uid);
    await plane.api.ok('DELETE', `${NODES}/leased`);
    expect(await there('leased')).toBe(false);
    stream.close();
  });

  it('are left alone by what looks for garbage, which takes others of that namespace', async () => {
    const identity = await joinPlane(plane, 'kept');
    const stream = openSync(plane, identity);
    await until('made', () => there('kept'));
    const owner = { apiVersion: 'v1', kind: 'Node', name: 'kept', uid: 'of-an-older-one' };
    await plane.api.ok('POST', PATH, { metadata: { name: 'stray', ownerReferences: [owner] } });
    await until('the stray is gone', async () => !(await there('stray')));
    expect(await there('kept')).toBe(true);
    stream.close();
  });
});
