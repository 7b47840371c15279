// kubectl delete pod and drain: the node is told until it shows the pod no more (rule 66).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, NODES, PODS, SETS } from '../support/manifests.ts';
import { generationOf, newest, placement, podReport, podStatus } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

let count = 0;

interface Running {
  readonly set: Json;
  readonly member: HollowMember;
  readonly pod: Json;
  readonly path: string;
  readonly show: (pods: Json[]) => void;
}

async function running(pod: Json = {}): Promise<Running> {
  const containers = [{ name: 'main', image: 'i' }];
  const set = await plane.api.ok('POST', SETS, daemonSet(`d${++count}`, { pod: { containers, ...pod } }));
  const member = await joinMember(plane);
  const show = (pods: Json[]) => member.report({ placements: [placement(set, 'Run')], pods: pods as never });
  show([]);
  const report = podReport(set, await member.granted(set));
  show([report]);
  const path = `${PODS}/${report.name}`;
  await until('mirrored', async () => (await plane.api.call('GET', path)).status === 200);
  return { set, member, pod: report, path, show };
}

const told = ({ member, pod }: Running) =>
  until('the deletion is told', () =>
    newest(member.stream)?.tombstones.find(({ podUid }) => podUid === pod.uid),
  );
const isGone = (path: string) => async () => (await plane.api.call('GET', path)).status === 404;

describe('deleting a pod', () => {
  it('shows it Terminating for its own grace, and tells the node', async () => {
    const here = await running({ terminationGracePeriodSeconds: 45 });
    const before = Date.now();
    const object = await plane.api.ok('DELETE', here.path, { propagationPolicy: 'Background' });
    expect(object.kind).toBe('Pod');
    expect(object.metadata.deletionGracePeriodSeconds).toBe(45);
    const at = Date.parse(object.metadata.deletionTimestamp);
    expect(at).toBeGreaterThanOrEqual(before + 44_000);
    expect(at).toBeLessThanOrEqual(Date.now() + 45_000);
    expect(await told(here)).toEqual({ podUid: here.pod.uid });
    // The node shows it still, terminating: the same deletion.
    here.show([{ ...here.pod, terminating: true, graceSeconds: 45 }]);
    await turns();
    expect((await plane.api.ok('GET', here.path)).metadata.deletionTimestamp).toBe(
      object.metadata.deletionTimestamp,
    );
    here.show([]);
    await until('gone', isGone(here.path));
    here.member.leave();
  });

  it.each([
    ['a given grace is told as it is', 7, 7, 7],
    ['a grace below zero is one second', -1, 1, 1],
  ])('%s', async (_, given, shown, sent) => {
    const here = await running();
    const object = await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: given });
    expect(object.metadata.deletionGracePeriodSeconds).toBe(shown);
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: sent });
    here.member.leave();
  });

  // The bug this found: such a number did not fit into the wire's field, and the rollout loop failed over it for ever.
  it('with a grace of more than a lifetime is told as the longest there is', async () => {
    const here = await running({ terminationGracePeriodSeconds: 1e15 });
    await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: 5_000_000_000 });
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: 2147483647 });
    here.member.leave();
    const own = await running({ terminationGracePeriodSeconds: 1e15 });
    await plane.api.ok('DELETE', own.path);
    expect(await told(own)).toEqual({ podUid: own.pod.uid });
    own.member.leave();
  });

  it('with a grace that is no number is refused', async () => {
    const here = await running();
    for (const gracePeriodSeconds of ['soon', '', 1.5, true, {}])
      expect((await plane.api.call('DELETE', here.path, { gracePeriodSeconds })).status).toBe(400);
    expect((await plane.api.call('DELETE', `${here.path}?gracePeriodSeconds=`)).status).toBe(400);
    expect((await plane.api.ok('GET', here.path)).metadata).not.toHaveProperty('deletionTimestamp');
    here.member.leave();
  });

  // The bug this found: a second, patient deletion lengthened the grace that the node was told, though not the shown one.
  it('again may shorten the grace, never lengthen it', async () => {
    const here = await running();
    await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: 20 });
    await told(here);
    for (const later of [{ gracePeriodSeconds: 600 }, {}]) {
      const object = await plane.api.ok('DELETE', here.path, later);
      expect(object.metadata.deletionGracePeriodSeconds).toBe(20);
    }
    await turns();
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: 20 });
    await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: 3 });
    await until('shorter', () =>
      newest(here.member.stream)?.tombstones.some((one) => one.graceSeconds === 3),
    );
    here.member.leave();
  });

  it('that has failed is at once, whatever the grace (rule 66)', async () => {
    const here = await running({ terminationGracePeriodSeconds: 45 });
    const statusJson = JSON.stringify({ phase: 'Failed', reason: 'PodOSNotSupported' });
    here.show([{ ...here.pod, ready: false, available: false, statusJson }]);
    await until('it has', async () => (await plane.api.ok('GET', here.path)).status.phase === 'Failed');
    await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: 20 });
    expect((await plane.api.call('GET', here.path)).status).toBe(404);
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: 0 });
    here.member.leave();
  });

  it('with a grace of 0 forgets it at once and tells the node', async () => {
    const here = await running();
    const reply = await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: 0 });
    expect(reply).toMatchObject({ kind: 'Status', status: 'Success', details: { uid: here.pod.uid } });
    expect(await isGone(here.path)()).toBe(true);
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: 0 });
    here.member.leave();
  });

  // The bug this found: the next report of the node brought the forgotten pod back, and with it a watch event.
  it('with a grace of 0 is not undone by a report from before the node obeyed', async () => {
    const here = await running();
    const { resourceVersion } = (await plane.api.ok('GET', here.path)).metadata;
    const watch = await plane.api.watch(`${PODS}?watch=true&resourceVersion=${resourceVersion}`);
    await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: 0 });
    here.show([{ ...here.pod, statusJson: JSON.stringify(podStatus(false)) }]);
    await told(here);
    here.show([{ ...here.pod, terminating: true }]);
    const replacement = podReport(here.set, here.pod.revision);
    here.show([replacement]);
    await watch.next('its replacement', ({ object }) => object.metadata.uid === replacement.uid);
    const ofIt = watch.events.filter(({ object }) => object.metadata.uid === here.pod.uid);
    expect(ofIt.map(({ type }) => type)).toEqual(['DELETED']);
    watch.close();
    here.member.leave();
  });
});

describe('a deletion is told', () => {
  it('until a report of the current generation lacks the pod, then no more', async () => {
    const here = await running();
    const { stream } = here.member;
    const before = generationOf(stream);
    await plane.api.ok('DELETE', here.path);
    await told(here);
    // A report from before the node knew, with the pod still in it.
    stream.say({
      $case: 'report',
      value: {
        generation: before,
        facts: undefined,
        placements: [placement(here.set, 'Run')],
        pods: [here.pod as never],
        events: [],
      },
    });
    await turns();
    expect(newest(stream)?.tombstones).toHaveLength(1);
    here.show([]);
    await until('no longer told', () => newest(stream)?.tombstones.length === 0);
    expect(here.member.stream.ended()).toBeUndefined();
    here.member.leave();
  });

  // Seen failing when finishedTombstones() does not compare generations.
  it('also after a report of an older generation that lacks the pod by accident', async () => {
    const here = await running();
    const { stream } = here.member;
    const before = generationOf(stream);
    await plane.api.ok('DELETE', here.path);
    await told(here);
    const stale = { facts: undefined, placements: [], pods: [], events: [] };
    stream.say({ $case: 'report', value: { ...stale, generation: before } });
    stream.say({ $case: 'report', value: { ...stale, generation: undefined } });
    await turns();
    expect(newest(stream)?.tombstones).toHaveLength(1);
    here.member.leave();
  });

  it('again after a restart of the plane, and once more after the agent was away', async () => {
    const here = await running();
    await plane.api.ok('DELETE', here.path, { gracePeriodSeconds: 9 });
    await told(here);
    await plane.restart();
    await here.member.reconnect();
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: 9 });
    await here.member.reconnect();
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: 9 });
    here.show([]);
    await until('no longer told', () => newest(here.member.stream)?.tombstones.length === 0);
    await until('gone', isGone(here.path));
    here.member.leave();
  });

  it('of a node that is away, when it comes back', async () => {
    const here = await running();
    here.member.leave();
    await until('noticed', () => !plane.hasHeard(here.member.name));
    const object = await plane.api.ok('DELETE', here.path);
    expect(object.metadata.deletionTimestamp).toBeDefined();
    await here.member.reconnect();
    await told(here);
    here.member.leave();
  });

  it('to no other node, and no more once its node is removed', async () => {
    const here = await running();
    const other = await joinMember(plane);
    await plane.api.ok('DELETE', here.path);
    await told(here);
    expect(other.stream.desired().flatMap(({ tombstones }) => tombstones)).toEqual([]);
    await plane.api.ok('DELETE', `${NODES}/${here.member.name}`);
    await until('gone', isGone(here.path));
    here.member.leave();
    other.leave();
  });
});

describe('evicting a pod', () => {
  const eviction = (name: string, deleteOptions: Json = {}): Json => ({
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace: 'default' },
    deleteOptions,
  });

  it('is a deletion, answered as drain wants it', async () => {
    const here = await running();
    const reply = await plane.api.call('POST', `${here.path}/eviction`, eviction(here.pod.name));
    expect(reply.status).toBe(201);
    expect(reply.json).toMatchObject({ kind: 'Status', status: 'Success' });
    expect(await told(here)).toEqual({ podUid: here.pod.uid });
    here.member.leave();
  });

  it('takes its grace and dry run from the options in its body', async () => {
    const here = await running();
    await plane.api.ok('POST', `${here.path}/eviction`, eviction(here.pod.name, { dryRun: ['All'] }));
    expect((await plane.api.ok('GET', here.path)).metadata).not.toHaveProperty('deletionTimestamp');
    await plane.api.ok('POST', `${here.path}/eviction`, eviction(here.pod.name, { gracePeriodSeconds: 4 }));
    expect(await told(here)).toEqual({ podUid: here.pod.uid, graceSeconds: 4 });
    here.member.leave();
  });

  it('of a pod that is not there: 404; of something else: 400', async () => {
    expect((await plane.api.call('POST', `${PODS}/nope/eviction`, eviction('nope'))).status).toBe(404);
    const here = await running();
    for (const body of ['[]', '"x"', '{"deleteOptions":"soon"}', 'not json'])
      expect((await plane.api.call('POST', `${here.path}/eviction`, body)).status, body).toBe(400);
    const { json } = await plane.api.call('POST', `${here.path}/eviction`, eviction('another'));
    expect([json.code, json.message]).toEqual([400, 'name in URL does not match name in Eviction object']);
    expect((await plane.api.ok('GET', here.path)).metadata).not.toHaveProperty('deletionTimestamp');
    here.member.leave();
  });
});
