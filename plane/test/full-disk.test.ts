// A plane whose disk is full: it says so where it was asked, keeps serving, loses nothing, and goes on by itself when
// there is room again.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE } from './support/api-client.ts';
import { callJoin, createToken, joinRequest, newKey } from './support/hollow-agent.ts';
import { joinMember } from './support/hollow-member.ts';
import { configMap, daemonSet, NODES, PODS, SETS } from './support/manifests.ts';
import { facts, placement, podReport } from './support/reports.ts';
import { startTestPlane, type TestPlane } from './support/test-plane.ts';
import { canMount, mountTinyDisk, type TinyDisk } from './support/tiny-disk.ts';
import { turns, until } from './support/until.ts';

const mountable = canMount();
const why = mountable ? '' : ' (skipped: no tmpfs can be mounted here)';
const MAPS = '/api/v1/namespaces/default/configmaps';
const LARGE = { text: 'x'.repeat(100_000) };

describe.skipIf(!mountable)(`a plane with a full disk${why}`, () => {
  let disk: TinyDisk;
  let plane: TestPlane;
  beforeEach(async () => {
    disk = mountTinyDisk(8192) as TinyDisk;
    plane = await startTestPlane({ dataDir: disk.directory });
  });
  afterEach(async () => {
    disk.free();
    await plane.stop();
    disk.unmount();
  });

  it('refuses writes with the reason, shows what it has, and takes the same write later', async () => {
    await plane.api.ok('POST', MAPS, configMap('before'));
    const { resourceVersion } = (await plane.api.ok('GET', MAPS)).metadata;
    const watch = await plane.api.watch(`${MAPS}?watch=true&resourceVersion=${resourceVersion}`);
    disk.fillBut(0);
    const reply = await plane.api.call('POST', MAPS, configMap('new', LARGE));
    expect(reply.json).toMatchObject({
      kind: 'Status',
      code: 500,
      reason: 'InternalError',
      message: 'configmaps "new" was not written: the store could not write: database or disk is full',
    });
    const changed = await plane.api.call('PATCH', `${MAPS}/before`, { data: LARGE }, { type: MERGE });
    expect(changed.status).toBe(500);
    const { items } = await plane.api.ok('GET', MAPS);
    expect(items.map(({ metadata, data }: Json) => [metadata.name, data])).toEqual([
      ['before', { key: 'value' }],
      ['kube-root-ca.crt', expect.anything()],
    ]);
    disk.free();
    await plane.api.ok('POST', MAPS, configMap('new', LARGE));
    const event = await watch.next('the first that was written');
    expect([event.type, event.object.metadata.name]).toEqual(['ADDED', 'new']);
    expect(plane.complaints.map(({ msg }) => msg)).toContain('a request failed');
    watch.close();
  });

  it('lets no machine join that it could not remember', async () => {
    const token = await createToken(plane.api);
    disk.fillBut(0);
    await pressDown(plane);
    const join = () => callJoin(plane.agentAddress, plane.admin.ca, joinRequest(token, 'late', newKey()));
    await expect(join()).rejects.toMatchObject({
      details: 'the plane could not serve the request: see its log',
    });
    expect((await plane.api.call('GET', `${NODES}/late`)).status).toBe(404);
    disk.free();
    await join();
  });

  // The bug this found: a report whose facts could not be written was dropped, and the agent had no reason to repeat it.
  it('takes in by itself, when it can, what a node said meanwhile', async () => {
    const set = await plane.api.ok('POST', SETS, daemonSet('web'));
    const member = await joinMember(plane);
    member.report({ placements: [placement(set, 'Run')] });
    const pod = podReport(set, await member.granted(set));
    disk.fillBut(0);
    await pressDown(plane);
    member.report({
      facts: facts(member.name, { labels: { disk: 'ssd' } }),
      placements: [placement(set, 'Run')],
      pods: [pod],
    });
    await until('it fails', () =>
      plane.complaints.some(({ msg }) => msg === 'a report could not be taken in'),
    );
    disk.free();
    await until(
      'its label is there',
      async () => (await plane.api.ok('GET', `${NODES}/${member.name}`)).metadata.labels.disk,
    );
    await until(
      'its pod is there',
      async () => (await plane.api.call('GET', `${PODS}/${pod.name}`)).status === 200,
    );
    member.leave();
  });

  it('grants nothing that it could not remember, and grants it later', async () => {
    const member = await joinMember(plane);
    const set = await plane.api.ok('POST', SETS, daemonSet('web'));
    await member.stream.hear('desired', ({ daemonSets }) => daemonSets.length === 1);
    disk.fillBut(0);
    await pressDown(plane);
    member.report({ placements: [placement(set, 'Run')] });
    await until('the loop fails', () => plane.complaints.some(({ loop }) => loop === 'rollout'));
    await turns();
    const revisions = () =>
      member.stream.desired().flatMap(({ daemonSets }) => daemonSets.map(({ revision }) => revision));
    expect(new Set(revisions())).toEqual(new Set(['']));
    disk.free();
    expect(await member.granted(set)).not.toBe('');
    member.leave();
  });
});

/** Uses up the room that the log has left in what it holds already. */
async function pressDown({ api }: TestPlane): Promise<void> {
  for (let n = 0; ; n++) {
    const { status } = await api.call('POST', MAPS, configMap(`press-${n}`, { text: 'x'.repeat(2000) }));
    if (status === 500) return;
  }
}
