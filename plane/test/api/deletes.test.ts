// Deleting: finalizers, preconditions, the three cascades, collections, and namespaces with what is in them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE, STRATEGIC } from '../support/api-client.ts';
import { openSync } from '../support/hollow-agent.ts';
import { createHollowFleet, untilRolledOut } from '../support/hollow-fleet.ts';
import { joinMember } from '../support/hollow-member.ts';
import { configMap, daemonSet, EVENTS, NODES, newNamespace, PODS, SETS } from '../support/manifests.ts';
import { placement, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  // That a removed node knocked is all there was to tell.
  expect(plane.complaints.filter(({ msg }) => !msg.includes('was removed from the fleet'))).toEqual([]);
  await plane.stop();
});

const MAPS = '/api/v1/namespaces/default/configmaps';
let count = 0;
const fresh = () => `d${++count}`;
const status = async (path: string) => (await plane.api.call('GET', path)).status;
const setFinalizers = (path: string, finalizers: string[] | null) =>
  plane.api.ok('PATCH', path, { metadata: { finalizers } }, { type: MERGE });

describe('how to delete', () => {
  // The bug this found: each of these deleted the object.
  it.each([
    { dryRun: 'All' },
    { preconditions: { uid: 5 } },
    { preconditions: 'none' },
    { preconditions: [] },
    { orphanDependents: 'yes' },
    { propagationPolicy: 1 },
    { kind: 'Pod', apiVersion: 'v1' },
    '"x"',
    '[]',
  ])('%j is not understood, and nothing is deleted', async (options) => {
    const name = fresh();
    await plane.api.ok('POST', MAPS, configMap(name));
    const { status: code, json } = await plane.api.call('DELETE', `${MAPS}/${name}`, options);
    expect([code, json.reason]).toEqual([400, 'BadRequest']);
    expect(json.message).toContain('cannot be handled as a DeleteOptions');
    expect(await status(`${MAPS}/${name}`)).toBe(200);
  });

  it('comes in YAML, too', async () => {
    const name = fresh();
    await plane.api.ok('POST', MAPS, configMap(name));
    const yaml = { type: 'application/yaml' };
    await plane.api.ok('DELETE', `${MAPS}/${name}`, 'dryRun: [All]\n', yaml);
    expect(await status(`${MAPS}/${name}`)).toBe(200);
    const form = { type: 'application/x-www-form-urlencoded' };
    expect((await plane.api.call('DELETE', `${MAPS}/${name}`, 'x=y', form)).status).toBe(415);
    await plane.api.ok('DELETE', `${MAPS}/${name}`, 'propagationPolicy: Background\n', yaml);
    expect(await status(`${MAPS}/${name}`)).toBe(404);
  });
});

describe('finalizers', () => {
  it('keep the object until the last is taken off, and that write takes it along', async () => {
    const path = `${MAPS}/${fresh()}`;
    const name = path.split('/').at(-1) as string;
    await plane.api.ok('POST', MAPS, configMap(name, {}, { finalizers: ['example.com/a', 'example.com/b'] }));
    const first = await plane.api.ok('DELETE', path);
    expect(first.metadata).toMatchObject({
      deletionTimestamp: expect.stringMatching(/^\d{4}-/),
      deletionGracePeriodSeconds: 0,
      finalizers: ['example.com/a', 'example.com/b'],
    });
    // Deleting it again succeeds and changes nothing.
    const again = await plane.api.ok('DELETE', path);
    expect(again.metadata).toEqual(first.metadata);
    await setFinalizers(path, ['example.com/b']);
    expect(await status(path)).toBe(200);
    const { resourceVersion } = (await plane.api.ok('GET', path)).metadata;
    const watch = await plane.api.watch(`${MAPS}?watch=true&resourceVersion=${resourceVersion}`);
    const last = await setFinalizers(path, null);
    expect(last.metadata.uid).toBe(first.metadata.uid);
    expect(await status(path)).toBe(404);
    const event = await watch.next('it is gone');
    expect([event.type, event.object.metadata.name]).toEqual(['DELETED', name]);
    watch.close();
  });

  it('of an object that is not being deleted may come and go', async () => {
    const name = fresh();
    await plane.api.ok('POST', MAPS, configMap(name));
    await setFinalizers(`${MAPS}/${name}`, ['example.com/a']);
    await setFinalizers(`${MAPS}/${name}`, null);
    expect(await status(`${MAPS}/${name}`)).toBe(200);
  });

  it('that a dry run takes off are still there', async () => {
    const path = `${MAPS}/${fresh()}`;
    const name = path.split('/').at(-1) as string;
    await plane.api.ok('POST', MAPS, configMap(name, {}, { finalizers: ['example.com/a'] }));
    await plane.api.ok('DELETE', path);
    await plane.api.ok('PATCH', `${path}?dryRun=All`, { metadata: { finalizers: null } }, { type: MERGE });
    expect(await status(path)).toBe(200);
    await setFinalizers(path, null);
  });

  // The bug this found: a Node with finalizers was gone at once.
  it('keep a Node, whose agent is told only when it is really gone', async () => {
    const member = await joinMember(plane);
    const path = `${NODES}/${member.name}`;
    await setFinalizers(path, ['example.com/a']);
    const deleted = await plane.api.ok('DELETE', path);
    expect(deleted.metadata.deletionTimestamp).toBeDefined();
    await turns();
    expect(member.stream.heard.some(({ $case }) => $case === 'removed')).toBe(false);
    await setFinalizers(path, null);
    expect(await status(path)).toBe(404);
    await member.stream.hear('removed');
    // Its key is not welcome any more, by this way as by the other.
    const knocking = openSync(plane, member.identity);
    expect((await knocking.untilEnd()).code).toBe(7);
    knocking.close();
    member.leave();
  });
});

describe('preconditions', () => {
  it('of another uid or version refuse, of the right ones delete', async () => {
    const name = fresh();
    const { metadata } = await plane.api.ok('POST', MAPS, configMap(name));
    const path = `${MAPS}/${name}`;
    for (const preconditions of [
      { uid: '00000000-0000-0000-0000-000000000000' },
      { resourceVersion: '1' },
      { uid: metadata.uid, resourceVersion: '1' },
    ]) {
      const reply = await plane.api.call('DELETE', path, { preconditions });
      expect([reply.status, reply.json.reason]).toEqual([409, 'Conflict']);
      expect(reply.json.message).toContain('Precondition failed');
    }
    const { uid, resourceVersion } = metadata;
    const gone = await plane.api.ok('DELETE', path, { preconditions: { uid, resourceVersion } });
    expect(gone).toEqual({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name, kind: 'configmaps', uid },
    });
  });
});

describe('the cascades of a DaemonSet', () => {
  const running = async (name: string) => {
    const member = await joinMember(plane);
    const set = await plane.api.ok('POST', SETS, daemonSet(name));
    member.report({ placements: [placement(set, 'Run')] });
    const pod = podReport(set, await member.granted(set));
    const show = (pods: Json[]) =>
      member.report({ placements: [placement(set, 'Run')], pods: pods as never });
    show([pod]);
    await until('mirrored', async () => (await status(`${PODS}/${pod.name}`)) === 200);
    return { member, set, pod, show, path: `${SETS}/${name}` };
  };
  const toldOf = (member: Json, set: Json) =>
    member.stream
      .desired()
      .at(-1)
      .daemonSets.some(({ uid }: Json) => uid === set.metadata.uid);

  it('Background: it is gone at once, its nodes are told, its pods go after it', async () => {
    const { member, set, pod, show, path } = await running(fresh());
    const gone = await plane.api.ok('DELETE', path, { propagationPolicy: 'Background' });
    expect(gone).toMatchObject({ status: 'Success', details: { group: 'apps', kind: 'daemonsets' } });
    expect(await status(path)).toBe(404);
    await until('the node is told', () => !toldOf(member, set));
    expect(await status(`${PODS}/${pod.name}`)).toBe(200);
    show([]);
    await until('the pod is gone', async () => (await status(`${PODS}/${pod.name}`)) === 404);
    member.leave();
  });

  it('Foreground: it stays until the last pod is gone', async () => {
    const { member, set, pod, show, path } = await running(fresh());
    const kept = await plane.api.ok('DELETE', path, { propagationPolicy: 'Foreground' });
    expect(kept.metadata).toMatchObject({
      finalizers: ['foregroundDeletion'],
      deletionGracePeriodSeconds: 0,
    });
    await until('the node is told', () => !toldOf(member, set));
    show([{ ...pod, terminating: true, graceSeconds: 30 }]);
    await turns();
    expect(await status(path)).toBe(200);
    show([]);
    await until('it is gone', async () => (await status(path)) === 404);
    member.leave();
  });

  // The bug this found: right after a start no node had said yet what it runs, and none showed a pod.
  it('Foreground over a restart of the plane: it still waits for its pods', async () => {
    const { member, pod, show, path } = await running(fresh());
    await plane.api.ok('DELETE', path, { propagationPolicy: 'Foreground' });
    await plane.restart();
    await turns(50);
    expect(await status(path)).toBe(200);
    await member.reconnect();
    show([{ ...pod, terminating: true }]);
    await turns();
    expect(await status(path)).toBe(200);
    show([]);
    await until('it is gone', async () => (await status(path)) === 404);
    member.leave();
  });

  it('Foreground with a finalizer of somebody else: it waits for both', async () => {
    const { member, show, path } = await running(fresh());
    await setFinalizers(path, ['example.com/a']);
    await plane.api.ok('DELETE', path, { propagationPolicy: 'Foreground' });
    show([]);
    await until('ours is off', async () => {
      const { metadata } = await plane.api.ok('GET', path);
      return metadata.finalizers.length === 1;
    });
    const { resourceVersion } = (await plane.api.ok('GET', path)).metadata;
    show([]);
    await turns();
    expect((await plane.api.ok('GET', path)).metadata.resourceVersion).toBe(resourceVersion);
    await setFinalizers(path, null);
    expect(await status(path)).toBe(404);
    member.leave();
  });

  it('one that is being deleted starts nothing on a node that comes', async () => {
    const { member, path } = await running(fresh());
    await plane.api.ok('DELETE', path, { propagationPolicy: 'Foreground' });
    const fleet = createHollowFleet(plane);
    const [node] = await fleet.add(1);
    await until('known', () => plane.hasHeard(node?.name ?? ''));
    expect(node?.deeds()).toBe(0);
    fleet.stop();
    member.report({ pods: [] });
    await until('gone', async () => (await status(path)) === 404);
    member.leave();
  });
});

describe('deleting many', () => {
  it('goes by the selectors, and by the rules of one', async () => {
    const namespace = await newNamespace(plane.api);
    const maps = `/api/v1/namespaces/${namespace}/configmaps`;
    for (const [name, labels, finalizers] of [
      ['a', { app: 'x' }, []],
      ['b', { app: 'x' }, ['example.com/a']],
      ['c', { app: 'y' }, []],
    ] as const)
      await plane.api.ok('POST', maps, configMap(name, {}, { labels, finalizers }));
    await plane.api.ok('DELETE', `${maps}?labelSelector=app%3Dx&dryRun=All`);
    expect((await plane.api.ok('GET', maps)).items).toHaveLength(4);
    const namesIn = ({ items }: Json) => items.map(({ metadata }: Json) => metadata.name);
    const before = await plane.api.ok('GET', `${maps}?labelSelector=app%3Dx`);
    const deleted = await plane.api.ok('DELETE', `${maps}?labelSelector=app%3Dx`);
    expect([deleted.kind, deleted.items]).toEqual(['ConfigMapList', before.items]);
    expect(namesIn(deleted)).toEqual(['a', 'b']);
    const left = (await plane.api.ok('GET', maps)).items;
    expect(
      left.map(({ metadata }: Json) => [metadata.name, metadata.deletionTimestamp !== undefined]),
    ).toEqual([
      ['b', true],
      ['c', false],
      ['kube-root-ca.crt', false],
    ]);
    expect(namesIn(await plane.api.ok('DELETE', `${maps}?fieldSelector=metadata.name%3Dc`))).toEqual(['c']);
    expect((await plane.api.ok('GET', maps)).items).toHaveLength(2);
    expect(namesIn(await plane.api.ok('DELETE', `${maps}?fieldSelector=metadata.name%3Dc`))).toEqual([]);
  });

  it('may be asked for page by page', async () => {
    const maps = `/api/v1/namespaces/${await newNamespace(plane.api)}/configmaps`;
    for (const name of ['a', 'b', 'c']) await plane.api.ok('POST', maps, configMap(name));
    const first = await plane.api.ok('DELETE', `${maps}?limit=2`);
    expect(first.items.map(({ metadata }: Json) => metadata.name)).toEqual(['a', 'b']);
    expect((await plane.api.ok('GET', `${maps}/c`)).metadata.name).toBe('c');
  });
});

describe('a namespace', () => {
  const namespaces = '/api/v1/namespaces';

  it('that is deleted is emptied, then gone, and nothing new gets in meanwhile', async () => {
    const name = await newNamespace(plane.api);
    const maps = `${namespaces}/${name}/configmaps`;
    await plane.api.ok('POST', maps, configMap('plain'));
    await plane.api.ok('POST', maps, configMap('held', {}, { finalizers: ['example.com/a'] }));
    await plane.api.ok('POST', `${namespaces}/${name}/secrets`, { metadata: { name: 's' } });
    await plane.api.ok('POST', `/apis/apps/v1/namespaces/${name}/daemonsets`, daemonSet('web'));
    const deleted = await plane.api.ok('DELETE', `${namespaces}/${name}`);
    expect(deleted).toMatchObject({ status: { phase: 'Terminating' }, spec: { finalizers: ['kubernetes'] } });
    await until('only what is held is left', async () => {
      const kinds = await Promise.all([
        plane.api.ok('GET', maps),
        plane.api.ok('GET', `${namespaces}/${name}/secrets`),
        plane.api.ok('GET', `/apis/apps/v1/namespaces/${name}/daemonsets`),
      ]);
      return kinds.map(({ items }) => items.length).join() === '1,0,0';
    });
    const refused = await plane.api.call('POST', maps, configMap('late'));
    expect(refused.status).toBe(403);
    expect(refused.json).toMatchObject({
      reason: 'Forbidden',
      message: `late is forbidden: unable to create new content in namespace ${name} because it is being terminated`,
      details: { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] },
    });
    expect(await status(`${namespaces}/${name}`)).toBe(200);
    await setFinalizers(`${maps}/held`, null);
    await until('gone', async () => (await status(`${namespaces}/${name}`)) === 404);
  });

  // The bug this found: a change of a namespace under deletion was taken for the one that ends it, and what was in it
  // stayed behind, in a namespace that was no more.
  it('may be labelled while it goes, and goes no sooner for it', async () => {
    const name = await newNamespace(plane.api);
    const maps = `${namespaces}/${name}/configmaps`;
    await plane.api.ok('POST', maps, configMap('held', {}, { finalizers: ['example.com/a'] }));
    await plane.api.ok('DELETE', `${namespaces}/${name}`);
    await plane.api.ok(
      'PATCH',
      `${namespaces}/${name}`,
      { metadata: { labels: { a: 'b' } } },
      { type: MERGE },
    );
    expect(await status(`${namespaces}/${name}`)).toBe(200);
    expect(await status(`${maps}/held`)).toBe(200);
    await setFinalizers(`${maps}/held`, null);
    await until('gone', async () => (await status(`${namespaces}/${name}`)) === 404);
  });

  // The bug this found: its own finalizers were not waited for.
  it('waits for its own finalizers too', async () => {
    const name = await newNamespace(plane.api);
    const path = `${namespaces}/${name}`;
    await setFinalizers(path, ['example.com/a']);
    await plane.api.ok('POST', `${path}/configmaps`, configMap('x'));
    await plane.api.ok('DELETE', path);
    await until('emptied', async () => (await plane.api.ok('GET', `${path}/configmaps`)).items.length === 0);
    await turns();
    expect(await status(path)).toBe(200);
    await setFinalizers(path, null);
    await until('gone', async () => (await status(path)) === 404);
  });

  it('with DaemonSets waits until their pods are gone', async () => {
    const name = await newNamespace(plane.api);
    const sets = `/apis/apps/v1/namespaces/${name}/daemonsets`;
    const set = await plane.api.ok('POST', sets, daemonSet('web'));
    const member = await joinMember(plane);
    member.report({ placements: [placement(set, 'Run')] });
    const pod = podReport(set, await member.granted(set));
    member.report({ placements: [placement(set, 'Run')], pods: [pod] });
    const path = `${namespaces}/${name}`;
    await until('mirrored', async () => (await plane.api.ok('GET', `${path}/pods`)).items.length === 1);
    await plane.api.ok('DELETE', path);
    await until('the set is gone', async () => (await plane.api.ok('GET', sets)).items.length === 0);
    expect(await status(path)).toBe(200);
    member.report({ pods: [] });
    await until('gone', async () => (await status(path)) === 404);
    member.leave();
  });

  it('says what is left of it, and since when', async () => {
    const name = await newNamespace(plane.api);
    const path = `${namespaces}/${name}`;
    for (const map of ['a', 'b'])
      await plane.api.ok('POST', `${path}/configmaps`, configMap(map, {}, { finalizers: ['example.com/a'] }));
    const held = { metadata: { name: 's', finalizers: ['example.com/a', 'example.com/b'] } };
    await plane.api.ok('POST', `${path}/secrets`, held);
    await setFinalizers(path, ['example.com/own']);
    await plane.api.ok('DELETE', path);
    const told = (what: string) =>
      until(what, async () => {
        const { status, spec } = await plane.api.ok('GET', path);
        const byType = new Map<string, Json>(status.conditions?.map((one: Json) => [one.type, one]));
        return byType.get('NamespaceContentRemaining')?.message === what && { byType, spec, status };
      });
    const first = await told(
      'Some resources are remaining: configmaps. has 2 resource instances, secrets. has 1 resource instances',
    );
    expect(first.byType.get('NamespaceFinalizersRemaining')).toEqual({
      type: 'NamespaceFinalizersRemaining',
      status: 'True',
      reason: 'SomeFinalizersRemain',
      message:
        'Some content in the namespace has finalizers remaining: example.com/a in 3 resource instances, example.com/b in 1 resource instances',
      lastTransitionTime: expect.stringMatching(/Z$/),
    });
    await plane.api.ok('DELETE', path);
    await setFinalizers(`${path}/secrets/s`, null);
    await told('Some resources are remaining: configmaps. has 2 resource instances');
    for (const map of ['a', 'b']) await setFinalizers(`${path}/configmaps/${map}`, null);
    const last = await told('All content successfully removed');
    expect([...last.byType.values()].map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['NamespaceDeletionDiscoveryFailure', 'False', 'ResourcesDiscovered'],
      ['NamespaceDeletionGroupVersionParsingFailure', 'False', 'ParsedGroupVersions'],
      ['NamespaceDeletionContentFailure', 'False', 'ContentDeleted'],
      ['NamespaceContentRemaining', 'False', 'ContentRemoved'],
      ['NamespaceFinalizersRemaining', 'False', 'ContentHasNoFinalizers'],
    ]);
    expect([last.spec, last.status.phase]).toEqual([{}, 'Terminating']);
    expect(last.byType.get('NamespaceDeletionContentFailure')).toEqual(
      first.byType.get('NamespaceDeletionContentFailure'),
    );
    await setFinalizers(path, null);
    expect(await status(path)).toBe(404);
  });

  it('is held by the finalizers of its spec, which only finalize writes', async () => {
    const name = await newNamespace(plane.api);
    const path = `${namespaces}/${name}`;
    const finalizers = ['kubernetes', 'example.com/own'];
    const body = { ...(await plane.api.ok('GET', path)), spec: { finalizers }, status: { phase: 'Odd' } };
    expect((await plane.api.ok('PUT', path, body)).spec).toEqual({ finalizers: ['kubernetes'] });
    const changed = await plane.api.ok('PUT', `${path}/finalize`, body);
    expect([changed.spec, changed.status]).toEqual([{ finalizers }, { phase: 'Active' }]);
    const stale = await plane.api.call('PUT', `${path}/finalize`, body);
    expect([stale.status, stale.json.reason]).toEqual([409, 'Conflict']);
    const odd = { metadata: { name }, spec: { finalizers: ['kubernetes', 'odd'] } };
    expect((await plane.api.call('PUT', `${path}/finalize`, odd)).json.message).toBe(
      `Namespace "${name}" is invalid: spec.finalizers[1]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified`,
    );
    await plane.api.ok('DELETE', path);
    const left = { spec: { finalizers: ['example.com/own'] } };
    await until('emptied', async () => {
      const { spec } = await plane.api.ok('GET', path);
      return JSON.stringify(spec) === JSON.stringify(left.spec);
    });
    await plane.api.ok('PUT', `${path}/finalize`, { metadata: { name }, spec: {} });
    expect(await status(path)).toBe(404);
  });

  it('goes on going after a restart of the plane', async () => {
    const name = await newNamespace(plane.api);
    const maps = `${namespaces}/${name}/configmaps`;
    await plane.api.ok('POST', maps, configMap('held', {}, { finalizers: ['example.com/a'] }));
    await plane.api.ok('DELETE', `${namespaces}/${name}`);
    await plane.restart();
    expect((await plane.api.ok('GET', `${namespaces}/${name}`)).status.phase).toBe('Terminating');
    await setFinalizers(`${maps}/held`, null);
    await until('gone', async () => (await status(`${namespaces}/${name}`)) === 404);
  });

  it('carries its name as a label, that nobody can take off', async () => {
    const name = await newNamespace(plane.api);
    const path = `${namespaces}/${name}`;
    const labels = { 'kubernetes.io/metadata.name': name };
    expect((await plane.api.ok('GET', path)).metadata.labels).toEqual(labels);
    const changed = await plane.api.ok('PATCH', path, { metadata: { labels: null } }, { type: MERGE });
    expect(changed.metadata.labels).toEqual(labels);
  });

  it('its events go with it, and those of nodes stay', async () => {
    const name = await newNamespace(plane.api);
    const set = await plane.api.ok('POST', `/apis/apps/v1/namespaces/${name}/daemonsets`, daemonSet('web'));
    const fleet = createHollowFleet(plane);
    await fleet.add(1);
    await until('an event', async () =>
      (await plane.api.ok('GET', `${namespaces}/${name}/events`)).items.some(
        ({ involvedObject }: Json) => involvedObject.uid === set.metadata.uid,
      ),
    );
    const before = (await plane.api.ok('GET', EVENTS)).items.length;
    await plane.api.ok('DELETE', `${namespaces}/${name}`);
    await until('gone', async () => (await status(`${namespaces}/${name}`)) === 404);
    expect(
      (await plane.api.ok('GET', `/api/v1/events?fieldSelector=metadata.namespace%3D${name}`)).items,
    ).toEqual([]);
    expect((await plane.api.ok('GET', EVENTS)).items.length).toBeGreaterThanOrEqual(before);
    fleet.stop();
  });
});

describe('a DaemonSet that is replaced by another of its name', () => {
  it('(kubectl replace --force) leaves nothing of the first on the nodes', async () => {
    const fleet = createHollowFleet(plane);
    const [node] = await fleet.add(1);
    const name = fresh();
    const labels = { only: node?.name ?? '' };
    await plane.api.ok('PATCH', `${NODES}/${node?.name}`, { metadata: { labels } }, { type: STRATEGIC });
    const manifest = daemonSet(name, {
      pod: { nodeSelector: labels, containers: [{ name: 'main', image: 'i' }] },
    });
    const first = await plane.api.ok('POST', SETS, manifest);
    await untilRolledOut(plane, name, 1);
    await plane.api.ok('DELETE', `${SETS}/${name}`);
    const second = await plane.api.ok('POST', SETS, manifest);
    await untilRolledOut(plane, name, 1);
    expect(node?.podOf(first.metadata.uid)).toBeUndefined();
    expect(node?.podOf(second.metadata.uid)?.available).toBe(true);
    const pods = (await plane.api.ok('GET', `${PODS}?labelSelector=app%3D${name}`)).items;
    expect(pods.map(({ metadata }: Json) => metadata.ownerReferences[0].uid)).toEqual([second.metadata.uid]);
    fleet.stop();
  });
});
