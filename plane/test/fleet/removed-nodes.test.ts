// kubectl delete node: the agent is told, its key never comes back, the name is free again.
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { callJoin, createToken, joinPlane, joinRequest, openSync } from '../support/hollow-agent.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, NODES, PODS, SETS } from '../support/manifests.ts';
import { placement, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let set: Json;
beforeAll(async () => {
  plane = await startTestPlane();
  set = await plane.api.ok('POST', SETS, daemonSet('web'));
});
afterAll(() => plane.stop());

async function running(name?: string): Promise<HollowMember> {
  const member = await joinMember(plane, name);
  member.report({ placements: [placement(set, 'Run')] });
  const pod = podReport(set, await member.granted(set));
  member.report({ placements: [placement(set, 'Run')], pods: [pod] });
  await until('mirrored', async () => (await plane.api.call('GET', `${PODS}/${pod.name}`)).status === 200);
  return member;
}

const remove = ({ name }: HollowMember) => plane.api.ok('DELETE', `${NODES}/${name}`);
const message = ({ name }: HollowMember) => `node ${name} was removed from the fleet (kubectl delete node)`;
const desiredCount = async () =>
  (await plane.api.ok('GET', `${SETS}/web`)).status.desiredNumberScheduled as number;

describe('a removed node', () => {
  it('is told so, and its stream ends with the same words', async () => {
    const member = await running();
    expect(await remove(member)).toMatchObject({ kind: 'Status', status: 'Success' });
    const end = await member.stream.untilEnd();
    expect(member.stream.heard.at(-1)).toEqual({ $case: 'removed', value: { message: message(member) } });
    expect(end).toEqual({ code: status.PERMISSION_DENIED, details: message(member) });
    member.leave();
  });

  it('takes its pods along, and its DaemonSets count it no more (rule 60)', async () => {
    const member = await running();
    await until('counted', async () => (await desiredCount()) === 1);
    await remove(member);
    await until('no pods', async () => (await plane.api.ok('GET', PODS)).items.length === 0);
    await until('not counted', async () => (await desiredCount()) === 0);
    member.leave();
  });

  it('that was away learns it when it comes back, also after a restart of the plane', async () => {
    const member = await running();
    member.leave();
    await until('noticed', () => !plane.hasHeard(member.name));
    await remove(member);
    for (const restarted of [false, true]) {
      if (restarted) await plane.restart();
      const stream = openSync(plane, member.identity);
      expect(await stream.hear('removed')).toEqual({ message: message(member) });
      expect((await stream.untilEnd()).code).toBe(status.PERMISSION_DENIED);
      expect(stream.heard.map(({ $case }) => $case)).toEqual(['removed']);
      stream.close();
    }
  });

  it('cannot join again with its key, under no name, with no token', async () => {
    const member = await running();
    await remove(member);
    for (const name of [member.name, 'another-name']) {
      const request = joinRequest(await createToken(plane.api), name, member.identity.key);
      await expect(callJoin(plane.agentAddress, plane.admin.ca, request)).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
        details: 'this key was removed from the fleet: join with a new one',
      });
    }
    member.leave();
  });
});

describe('the name of a removed node', () => {
  it('is free for another key, which is another node, with nothing of the first', async () => {
    const first = await running('reused');
    await plane.api.ok(
      'PATCH',
      `${NODES}/reused`,
      { metadata: { labels: { rack: '7' } } },
      { type: 'application/merge-patch+json' },
    );
    const before = await plane.api.ok('GET', `${NODES}/reused`);
    await remove(first);
    const second = await joinMember(plane, 'reused');
    const now = await plane.api.ok('GET', `${NODES}/reused`);
    expect(now.metadata.uid).not.toBe(before.metadata.uid);
    expect(now.metadata.labels).toEqual({ 'kubernetes.io/hostname': 'reused' });
    // The first knocks again: told, and the second does not notice.
    const knocking = openSync(plane, first.identity);
    expect((await knocking.untilEnd()).code).toBe(status.PERMISSION_DENIED);
    expect(second.stream.ended()).toBeUndefined();
    second.report({ placements: [placement(set, 'Run')] });
    await second.granted(set);
    knocking.close();
    first.leave();
    second.leave();
  });

  it('cannot be had by its old certificate, which is still a good one', async () => {
    const identity = await joinPlane(plane, 'old-certificate');
    await plane.api.ok('DELETE', `${NODES}/old-certificate`);
    await joinPlane(plane, 'old-certificate');
    const stream = openSync(plane, identity);
    expect((await stream.untilEnd()).code).toBe(status.PERMISSION_DENIED);
    stream.close();
  });
});
