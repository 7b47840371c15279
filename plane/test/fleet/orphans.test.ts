// Deleting a DaemonSet without its pods, and taking over what was left behind (rules 22, 63 and 64), on nodes that
// behave: nothing is restarted that need not be, and the budget holds for what must.

import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ORPHANS } from '../../src/fleet/orphans.ts';
import { GRANTS } from '../../src/rollout/grants.ts';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import { type Json, MERGE } from '../support/api-client.ts';
import { createHollowFleet, type HollowFleet, untilQuiet, untilRolledOut } from '../support/hollow-fleet.ts';
import { joinMember } from '../support/hollow-member.ts';
import { daemonSet, NODES, PODS, REVISIONS, SETS } from '../support/manifests.ts';
import { newest, placement, podReport } from '../support/reports.ts';
import { PLACEMENTS, rolloutOf } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
let fleet: HollowFleet;
let name = '';
let count = 0;
beforeAll(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
  await fleet.add(4);
});
afterAll(async () => {
  fleet.stop();
  expect(plane.complaints.filter(({ msg }) => !msg.includes('was removed from the fleet'))).toEqual([]);
  await plane.stop();
  expect(leftOver(plane.dataDir)).toEqual([]);
});
beforeEach(() => {
  name = `web${++count}`;
});

/** Grants and records that nothing stands for any more. */
function leftOver(dataDir: string): string[] {
  const store = openSqliteStore(join(dataDir, 'plane.db'));
  const known = (uid: string) =>
    [...store.list('apps/daemonsets')].some(({ value }) => (value as Json).metadata.uid === uid) ||
    store.get(ORPHANS, uid) !== undefined;
  const grants = [...store.list(GRANTS)].filter(({ value }) => !known(String(value.daemonSetUid)));
  const records = [...store.list(ORPHANS)].filter(({ value }) => {
    const { adopter } = value as Json;
    return adopter && !known(adopter.uid);
  });
  void store.close();
  return [...grants, ...records].map(({ id }) => id);
}

const NOBODY = undefined;
const size = () => fleet.nodes.length;
const apply = async (setName: string, options: Json = {}): Promise<Json> => {
  const spec = { selector: { matchLabels: { app: name } }, ...options.spec };
  const made = daemonSet(setName, { image: 'web:1', ...options, spec });
  made.spec.template.metadata.labels = { app: name, ...options.labels };
  return plane.api.ok('POST', SETS, made);
};
const remove = (setName: string, cascade: string) =>
  plane.api.ok('DELETE', `${SETS}/${setName}`, { propagationPolicy: cascade });
const items = async (path: string): Promise<Json[]> =>
  (await plane.api.ok('GET', `${path}?labelSelector=app%3D${name}`)).items;
const ownersOf = async (path: string) =>
  new Set((await items(path)).map(({ metadata }) => metadata.ownerReferences?.[0]?.uid));
const uids = (objects: Json[]) => objects.map(({ metadata }) => metadata.uid).sort();
const untilOwned = (path: string, owner: string | undefined) =>
  until(`all of ${path} belong to ${owner}`, async () => {
    const owners = await ownersOf(path);
    return owners.size === 1 && owners.has(owner);
  });
const runningOf = ({ metadata }: Json) => fleet.nodes.filter((node) => node.podOf(metadata.uid));
const births = (set: Json) => fleet.births(set).reduce((sum, one) => sum + one, 0);

/** What each node of the fleet may run of it. */
async function granted({ metadata }: Json): Promise<string[]> {
  const placements: Json[] = (await plane.api.ok('GET', PLACEMENTS)).items;
  return placements
    .filter(({ spec }) => spec.daemonSetName === metadata.name && fleet.node(spec.nodeName))
    .map(({ status }) => status.grantedRevision);
}

/** A node for one test. */
async function guest() {
  const member = await joinMember(plane);
  onTestFinished(async () => {
    await plane.api.call('DELETE', `${NODES}/${member.name}`);
    member.leave();
  });
  return member;
}

/** A DaemonSet that ran everywhere and was deleted without its pods. */
async function orphaned(options: Json = {}): Promise<Json> {
  await apply(name, options);
  const set = await untilRolledOut(plane, name, size());
  await remove(name, 'Orphan');
  return set;
}

describe('rule 63: a DaemonSet that is deleted with cascade orphan', () => {
  it('is gone at once, and its pods and revisions are nobody’s', async () => {
    await apply(name);
    const set = await untilRolledOut(plane, name, size());
    const before = [await items(PODS), await items(REVISIONS)];
    expect(await remove(name, 'Orphan')).toMatchObject({ kind: 'Status', status: 'Success' });
    expect((await plane.api.call('GET', `${SETS}/${name}`)).status).toBe(404);
    expect([await ownersOf(PODS), await ownersOf(REVISIONS)]).toEqual([new Set([NOBODY]), new Set([NOBODY])]);
    await untilQuiet(fleet);
    expect([runningOf(set).length, births(set)]).toEqual([size(), size()]);
    expect([uids(await items(PODS)), uids(await items(REVISIONS))]).toEqual(before.map(uids));
  });

  it('leaves them through a restart of the plane, whole, and on a node that was away', async () => {
    await apply(name);
    const set = await untilRolledOut(plane, name, size());
    const [away] = fleet.nodes;
    away?.unplug();
    await remove(name, 'Orphan');
    await plane.restart();
    away?.thaw();
    await until('all are back', () => fleet.nodes.every((node) => plane.hasHeard(node.name)));
    await untilQuiet(fleet);
    expect(births(set)).toBe(size());
    const pods = await items(PODS);
    expect(pods.map(({ spec }) => spec.containers[0].image)).toEqual(Array(size()).fill('web:1'));
    expect(await ownersOf(PODS)).toEqual(new Set([NOBODY]));
  });

  it('may be asked for in the words of old clients, or by a finalizer', async () => {
    await apply(name);
    await plane.api.ok('DELETE', `${SETS}/${name}?orphanDependents=true`);
    expect(await ownersOf(REVISIONS)).toEqual(new Set([NOBODY]));
    const other = `${name}b`;
    await apply(other, { metadata: { finalizers: ['orphan'] }, labels: { b: 'b' } });
    await untilOwned(REVISIONS, (await plane.api.ok('GET', `${SETS}/${other}`)).metadata.uid);
    await plane.api.ok('DELETE', `${SETS}/${other}`);
    expect((await plane.api.call('GET', `${SETS}/${other}`)).status).toBe(404);
    expect(await ownersOf(REVISIONS)).toEqual(new Set([NOBODY]));
  });

  it('and is held by somebody’s finalizer has left its pods all the same', async () => {
    await apply(name, { metadata: { finalizers: ['example.com/a'] } });
    const set = await untilRolledOut(plane, name, size());
    await remove(name, 'Orphan');
    expect(await ownersOf(PODS)).toEqual(new Set([NOBODY]));
    await untilQuiet(fleet);
    await plane.api.ok('PATCH', `${SETS}/${name}`, { metadata: { finalizers: null } }, { type: MERGE });
    expect((await plane.api.call('GET', `${SETS}/${name}`)).status).toBe(404);
    await untilQuiet(fleet);
    expect([runningOf(set).length, births(set)]).toEqual([size(), size()]);
  });

  it('of which a pod is deleted has one less, for good', async () => {
    const set = await orphaned();
    const [pod] = await items(PODS);
    await plane.api.ok('DELETE', `${PODS}/${pod.metadata.name}`);
    await until('it is gone', () => runningOf(set).length === size() - 1);
    await untilQuiet(fleet);
    expect([(await items(PODS)).length, births(set)]).toEqual([size() - 1, size()]);
  });

  it('shows no pod of its by the template of another', async () => {
    const set = await orphaned();
    const other = await apply(`${name}-other`, {
      image: 'other:1',
      labels: { app: 'other' },
      spec: {
        selector: { matchLabels: { app: 'other' } },
      },
    });
    const revision = await until('its revision', async () => {
      const all: Json[] = (await plane.api.ok('GET', REVISIONS)).items;
      return all.find(({ metadata }) => metadata.ownerReferences?.[0]?.uid === other.metadata.uid);
    });
    const liar = await guest();
    const lie = podReport(set, revision.metadata.labels['controller-revision-hash']);
    liar.report({ pods: [lie] });
    const shown = await until('it is shown', async () => {
      const { status, json } = await plane.api.call('GET', `${PODS}/${lie.name}`);
      return status === 200 && json;
    });
    // No more than the node itself says.
    expect(shown.spec.containers).toEqual([{ name: 'main', image: 'i' }]);
    await remove(`${name}-other`, 'Background');
  });

  it('is told to nodes until none shows a pod of it any more', async () => {
    const set = await orphaned();
    const member = await guest();
    const told = () => newest(member.stream)?.orphans.includes(set.metadata.uid);
    member.report({});
    await turns();
    expect(told()).toBe(true);
    const [away, ...others] = fleet.nodes;
    away?.unplug();
    for (const { metadata } of await items(PODS)) await plane.api.ok('DELETE', `${PODS}/${metadata.name}`);
    await until('the others’ are gone', () => others.every((node) => !node.podOf(set.metadata.uid)));
    await turns(100);
    expect(told()).toBe(true);
    away?.thaw();
    await until('it is over', () => told() === false);
  });

  it('leaves also the pod that a node had only just begun', async () => {
    const member = await guest();
    const pod = { nodeSelector: { 'kubernetes.io/hostname': member.name } };
    const set = await apply(name, { pod: { containers: [{ name: 'main', image: 'i' }], ...pod } });
    member.report({ placements: [placement(set, 'Run')] });
    const revision = await member.granted(set);
    member.report({ placements: [placement(set, 'Run')] });
    await turns();
    await remove(name, 'Orphan');
    const told = () => newest(member.stream)?.orphans.includes(set.metadata.uid);
    await until('it is told', told);
    await turns(100);
    expect(told()).toBe(true);
    member.report({ pods: [podReport(set, revision)] });
    await until('mirrored', async () => (await items(PODS)).length === 1);
    expect([told(), await ownersOf(PODS)]).toEqual([true, new Set([NOBODY])]);
    member.report({});
    await until('it is over', () => told() === false);
  });

  it('is forgotten with the last node that had it', async () => {
    const member = await guest();
    const pod = { nodeSelector: { 'kubernetes.io/hostname': member.name } };
    const set = await apply(name, { pod: { containers: [{ name: 'main', image: 'i' }], ...pod } });
    member.report({ placements: [placement(set, 'Run')] });
    member.report({
      placements: [placement(set, 'Run')],
      pods: [podReport(set, await member.granted(set))],
    });
    await until('mirrored', async () => (await items(PODS)).length === 1);
    await remove(name, 'Orphan');
    const other = await guest();
    const told = () => newest(other.stream)?.orphans.includes(set.metadata.uid);
    expect(told()).toBe(true);
    await plane.api.ok('DELETE', `${NODES}/${member.name}`);
    await until('it is over', () => told() === false);
  });
});

describe('rule 22: a DaemonSet whose selector matches pods that are nobody’s', () => {
  it('of the same template takes them over, history and all, and restarts nothing', async () => {
    const set = await orphaned();
    const before = [await items(PODS), await items(REVISIONS)];
    await apply(`${name}-heir`);
    const heir = await untilRolledOut(plane, `${name}-heir`, size());
    await untilOwned(PODS, heir.metadata.uid);
    expect([births(set), births(heir)]).toEqual([size(), 0]);
    expect([uids(await items(PODS)), uids(await items(REVISIONS))]).toEqual(before.map(uids));
    expect(await ownersOf(REVISIONS)).toEqual(new Set([heir.metadata.uid]));
    // It runs under its grants, and whose pods they are is told as long as it lives.
    const hash = (await items(REVISIONS))[0].metadata.labels['controller-revision-hash'];
    expect(await granted(heir)).toEqual(Array(size()).fill(hash));
    expect(newest((await guest()).stream)?.daemonSets).toContainEqual(
      expect.objectContaining({ uid: heir.metadata.uid, adopts: [set.metadata.uid] }),
    );
    const [owner] = (await items(PODS))[0].metadata.ownerReferences;
    expect(owner).toMatchObject({ kind: 'DaemonSet', name: `${name}-heir`, controller: true });
    // What is known of them outlives the plane's memory.
    await plane.restart();
    await untilRolledOut(plane, `${name}-heir`, size());
    await untilQuiet(fleet);
    expect([births(set), births(heir)]).toEqual([size(), 0]);
    // A new pod is made from the revision that still has its first owner's name.
    await plane.api.ok('DELETE', `${PODS}/${(await items(PODS))[0].metadata.name}`);
    await until('another is made', () => births(heir) === 1);
    await untilRolledOut(plane, `${name}-heir`, size());
    const images = (await items(PODS)).map(({ spec }) => spec.containers[0]?.image);
    expect(images).toEqual(Array(size()).fill('web:1'));
  });

  it('of the same name does so too', async () => {
    const set = await orphaned();
    await apply(name);
    const heir = await untilRolledOut(plane, name, size());
    expect(heir.metadata.uid).not.toBe(set.metadata.uid);
    expect([births(set), births(heir)]).toEqual([size(), 0]);
    expect((await items(REVISIONS)).length).toBe(1);
  });

  it('of another template counts them as its own before their nodes have heard of it', async () => {
    await orphaned();
    const [old] = await items(REVISIONS);
    for (const node of fleet.nodes) node.freeze();
    const heir = await apply(`${name}-heir`, { image: 'web:2' });
    const isOld = (hash: string) => hash === old.metadata.labels['controller-revision-hash'];
    await until('they are taken over', async () => (await granted(heir)).some(isOld));
    await turns(100);
    // None has said yet that it heard of it, so each may be on its way to anything.
    expect((await granted(heir)).filter(isOld)).toHaveLength(size());
    for (const node of fleet.nodes) node.thaw();
    await untilRolledOut(plane, `${name}-heir`, size());
  });

  it('of another template replaces them within its budget, as outdated', async () => {
    await orphaned();
    const annotations = { 'fleetset.dev/paused': 'true' };
    const heir = await apply(`${name}-heir`, { image: 'web:2', metadata: { annotations } });
    await until('all are taken over', () => runningOf(heir).length === size());
    await untilQuiet(fleet);
    expect(births(heir)).toBe(0);
    const guard = fleet.guard(heir);
    const path = `${SETS}/${name}-heir`;
    await plane.api.ok('PATCH', path, { metadata: { annotations: null } }, { type: MERGE });
    await untilRolledOut(plane, `${name}-heir`, size());
    guard.end();
    expect(fleet.births(heir)).toEqual(Array(size()).fill(1));
    expect(guard.worst()).toBe(1);
    expect((await items(REVISIONS)).map(({ revision }) => revision).sort()).toEqual([1, 2]);
  });

  it('that fails goes back to what it took over', async () => {
    const set = await orphaned();
    await apply(`${name}-heir`, { image: 'web:broken' });
    const heir = (await plane.api.ok('GET', `${SETS}/${name}-heir`)) as Json;
    await until('a node has the new one', () => births(heir) > 0);
    const [old] = (await items(REVISIONS)).filter(({ revision }) => revision === 1);
    expect((await rolloutOf(plane, `${name}-heir`)).stableRevision).toBe(
      old.metadata.labels['controller-revision-hash'],
    );
    expect(births(set)).toBe(size());
  });

  it('takes those of a node that was away when it comes back', async () => {
    await apply(name);
    const set = await untilRolledOut(plane, name, size());
    const [away] = fleet.nodes;
    away?.unplug();
    await remove(name, 'Orphan');
    await apply(`${name}-heir`);
    await turns(100);
    away?.thaw();
    const heir = await untilRolledOut(plane, `${name}-heir`, size());
    expect([births(set), births(heir)]).toEqual([size(), 0]);
    await untilOwned(PODS, heir.metadata.uid);
  });

  it('that was there before takes over what is left behind later', async () => {
    await apply(name, { pod: { containers: [{ name: 'main', image: 'web:1' }] } });
    const set = await untilRolledOut(plane, name, size());
    const heir = await apply(`${name}-heir`, { pod: { nodeSelector: { nobody: 'has' } } });
    await remove(name, 'Orphan');
    // Its own rules count from then on: no node is eligible.
    await until('all are gone', () => runningOf(set).length + runningOf(heir).length === 0);
  });

  it('but is being deleted leaves them alone', async () => {
    await apply(`${name}-held`, { metadata: { finalizers: ['example.com/a'] }, labels: { held: 'y' } });
    await remove(`${name}-held`, 'Background');
    const set = await orphaned();
    await untilQuiet(fleet);
    expect([runningOf(set).length, births(set)]).toEqual([size(), size()]);
    expect(await ownersOf(PODS)).toEqual(new Set([NOBODY]));
    await plane.api.ok('PATCH', `${SETS}/${name}-held`, { metadata: { finalizers: null } }, { type: MERGE });
  });

  it('in part only, or in another namespace, leaves them alone', async () => {
    const set = await orphaned();
    await apply(`${name}-narrow`, {
      spec: { selector: { matchLabels: { app: name, extra: 'x' } } },
      labels: { extra: 'x' },
      pod: { containers: [{ name: 'main', image: 'web:1' }], nodeSelector: { nobody: 'has' } },
    });
    await untilQuiet(fleet);
    expect(runningOf(set).length).toBe(size());
  });

  it('and is deleted takes them along, also where no node has heard of it', async () => {
    await apply(name);
    const set = await untilRolledOut(plane, name, size());
    const [away] = fleet.nodes;
    away?.unplug();
    await remove(name, 'Orphan');
    const heir = await apply(`${name}-heir`);
    await until('the others are taken over', () => runningOf(heir).length === size() - 1);
    await remove(`${name}-heir`, 'Background');
    away?.thaw();
    await until('all are gone', () => runningOf(set).length + runningOf(heir).length === 0);
    await until('revisions too', async () => (await items(REVISIONS)).length === 0);
  });

  it('and is deleted without them leaves them to the next, also where no node has heard of it', async () => {
    await apply(name);
    const set = await untilRolledOut(plane, name, size());
    const [away] = fleet.nodes;
    away?.unplug();
    await remove(name, 'Orphan');
    const heir = await apply(`${name}-heir`);
    await until('the others are taken over', () => runningOf(heir).length === size() - 1);
    await remove(`${name}-heir`, 'Orphan');
    const third = await apply(`${name}-third`);
    away?.thaw();
    await untilRolledOut(plane, `${name}-third`, size());
    expect([births(set), births(heir), births(third)]).toEqual([size(), 0, 0]);
  });
});

describe('pods that were taken over twice', () => {
  /** Everything that a node may be told of whose pods are whose. */
  const told = (member: Awaited<ReturnType<typeof guest>>) => newest(member.stream);
  async function leftBehindTwice(): Promise<[Json, Json]> {
    const set = await orphaned();
    await apply(`${name}-heir`);
    const heir = await untilRolledOut(plane, `${name}-heir`, size());
    await until('all are taken over', () => runningOf(heir).length === size());
    await untilQuiet(fleet);
    await remove(`${name}-heir`, 'Orphan');
    await untilQuiet(fleet);
    return [set, heir];
  }

  it('are known by all that owned them: their containers name the first, and a node may lose its book', async () => {
    const [set, heir] = await leftBehindTwice();
    const both = [set.metadata.uid, heir.metadata.uid].sort();
    const member = await guest();
    expect(told(member)?.orphans.filter((uid) => both.includes(uid))).toEqual(both);
    await apply(`${name}-third`);
    const third = await untilRolledOut(plane, `${name}-third`, size());
    await untilOwned(PODS, third.metadata.uid);
    const adopts = () => told(member)?.daemonSets.find(({ uid }) => uid === third.metadata.uid)?.adopts;
    await until('it is told', () => adopts()?.length === 2);
    expect(adopts()).toEqual(both);
    await plane.restart();
    await untilRolledOut(plane, `${name}-third`, size());
    await untilQuiet(fleet);
    expect([births(set), births(heir), births(third)]).toEqual([size(), 0, 0]);
    expect(newest((await guest()).stream)?.daemonSets).toContainEqual(
      expect.objectContaining({ uid: third.metadata.uid, adopts: both }),
    );
    await remove(`${name}-third`, 'Background');
    await until('all are gone', () => runningOf(third).length === 0);
  });

  it('are forgotten together', async () => {
    const [set, heir] = await leftBehindTwice();
    const member = await guest();
    const isTold = ({ metadata }: Json) => told(member)?.orphans.includes(metadata.uid);
    for (const { metadata } of await items(PODS)) await plane.api.ok('DELETE', `${PODS}/${metadata.name}`);
    await until('both are over', () => !isTold(set) && !isTold(heir));
  });
});

it('rule 64: one of the same name that was deleted with its pods is another: they are replaced', async () => {
  await apply(name);
  await untilRolledOut(plane, name, size());
  await remove(name, 'Background');
  const again = await apply(name);
  await untilRolledOut(plane, name, size());
  expect(fleet.births(again)).toEqual(Array(size()).fill(1));
});

it('a namespace that is deleted takes along what was left behind in it', async () => {
  await plane.api.ok('POST', '/api/v1/namespaces', { metadata: { name } });
  const sets = `/apis/apps/v1/namespaces/${name}/daemonsets`;
  const set = await plane.api.ok('POST', sets, daemonSet('web', { image: 'web:1' }));
  await until('it runs', () => runningOf(set).length === size());
  await plane.api.ok('DELETE', `${sets}/web`, { propagationPolicy: 'Orphan' });
  await plane.api.ok('DELETE', `/api/v1/namespaces/${name}`);
  await until('gone', async () => (await plane.api.call('GET', `/api/v1/namespaces/${name}`)).status === 404);
  expect(runningOf(set).length).toBe(0);
});
