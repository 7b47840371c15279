// A plane that was killed knows of no pod until its node says so: what it issued before is good until then.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiClient, type Json } from '../support/api-client.ts';
import { caOf, type HollowStream, joinPlane, openSync } from '../support/hollow-agent.ts';
import { daemonSet, NODES, PODS, SETS } from '../support/manifests.ts';
import { type MortalPlane, startMortalPlane } from '../support/mortal-plane.ts';
import { generationOf, newest, placement, podReport, report } from '../support/reports.ts';
import { until } from '../support/until.ts';

let plane: MortalPlane;
beforeAll(async () => {
  plane = await startMortalPlane();
});
afterAll(() => plane.close());

it('a token is good for as long as its pod may be there', async () => {
  const set = await plane.api.ok('POST', SETS, daemonSet('web'));
  const identity = await joinPlane(plane, 'node');
  const tell = (stream: HollowStream, pods: Json[]) =>
    stream.say({
      $case: 'report',
      value: report('node', {
        generation: generationOf(stream),
        placements: [placement(set, 'Run')],
        pods: pods as never,
      }),
    });
  let stream = openSync(plane, identity);
  await stream.hear('desired');
  tell(stream, []);
  const revision = await until('it is granted', () => newest(stream)?.daemonSets[0]?.revision || undefined);
  const pod = podReport(set, revision, { accountVolume: 'kube-api-access-abcde' });
  tell(stream, [pod]);
  stream.say({
    $case: 'tokenWanted',
    value: { podUid: pod.uid, audience: '', expirationSeconds: 3607 },
  });
  const { token } = await stream.hear('tokenIssued');
  const isGood = async () => {
    const holder = createApiClient(plane.apiPort, { ca: caOf(plane.dataDir) });
    const headers = { Authorization: `Bearer ${token}` };
    const { status } = await holder.call('GET', '/version', undefined, { headers });
    holder.close();
    return status === 200;
  };
  expect(await isGood()).toBe(true);
  const restart = async () => {
    plane.kill();
    await plane.untilDead();
    stream.close();
    await plane.start();
  };
  await restart();
  expect((await plane.api.ok('GET', PODS)).items).toEqual([]);
  expect(await isGood()).toBe(true);
  stream = openSync(plane, identity);
  await stream.hear('desired');
  tell(stream, [pod]);
  await until('the pod is shown', async () => (await plane.api.ok('GET', PODS)).items.length === 1);
  expect(await isGood()).toBe(true);
  tell(stream, []);
  await until('the token is void', async () => !(await isGood()));
  await restart();
  // Nothing is known of the node; but a node that is no more has no pods.
  expect(await isGood()).toBe(true);
  await plane.api.ok('DELETE', `${NODES}/node`);
  expect(await isGood()).toBe(false);
  stream.close();
});
