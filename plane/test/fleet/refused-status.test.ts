// Statuses of the wrong shape: a broken or foreign agent harms nobody but itself, and people are told which field.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, TABLE } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, EVENTS, NODES, PODS, SETS } from '../support/manifests.ts';
import { facts, nodeStatus, placement, podReport, podStatus } from '../support/reports.ts';
import { startClock } from '../support/test-clock.ts';
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

const eventAbout = (uid: string, reason: string): Promise<Json> =>
  until(`the event ${reason}`, async () => {
    const query = `?fieldSelector=involvedObject.uid%3D${uid},reason%3D${reason}`;
    return (await plane.api.ok('GET', EVENTS + query)).items[0];
  });
const nodeNow = ({ name }: HollowMember): Promise<Json> => plane.api.ok('GET', `${NODES}/${name}`);
const ready = (object: Json) => object.status.conditions?.find(({ type }: Json) => type === 'Ready')?.status;

describe('the status of a node', () => {
  it.each<[string, string, string]>([
    ['a list that is a number', '{"addresses":5}', 'status.addresses: expected a list, got a number'],
    [
      'a condition that is none',
      '{"conditions":[7]}',
      'status.conditions[0]: expected an object, got a number',
    ],
    [
      'several at once',
      '{"conditions":{},"nodeInfo":{"osImage":1}}',
      'status.conditions: expected a list, got an object, status.nodeInfo.osImage: expected a string, got a number',
    ],
    ['a list', '[]', 'status: expected an object, got a list'],
    ['no JSON', '{"broken', 'status: it is not JSON'],
  ])(
    '%s is refused with words, keeps the last good one, and labels are taken',
    async (_, statusJson, why) => {
      const member = await joinMember(plane);
      member.report();
      await until('Ready', async () => ready(await nodeNow(member)) === 'True');
      // The bug this found: whoever watched nodes then, and with them the whole plane, ended.
      const watch = await plane.api.watch(`${NODES}?watch=true`, { headers: { Accept: TABLE } });
      const before = await nodeNow(member);
      const broken = { ...facts(member.name, { labels: { new: 'label' } }), statusJson };
      member.report({ facts: broken });
      const event = await eventAbout(before.metadata.uid, 'NodeStatusRefused');
      expect(event).toMatchObject({
        type: 'Warning',
        message: `the status that the agent reports is left out: ${why}`,
      });
      const after = await nodeNow(member);
      expect(after.status).toEqual(before.status);
      expect(after.metadata.labels.new).toBe('label');
      await watch.next('the label', ({ object }) => object.rows[0].object.metadata.labels?.new === 'label');
      watch.close();
      member.leave();
    },
  );

  it('with fields of a newer agent is taken without them', async () => {
    const member = await joinMember(plane);
    const status = { ...nodeStatus(), hologram: { any: 'thing' }, nodeInfo: { osImage: 'New', shoeSize: 9 } };
    member.report({ facts: facts(member.name, { status }) });
    await until('Ready', async () => ready(await nodeNow(member)) === 'True');
    const shown = (await nodeNow(member)).status;
    expect(shown.nodeInfo).toEqual({ osImage: 'New' });
    expect(shown).not.toHaveProperty('hologram');
    member.leave();
  });
});

describe('the status of a pod', () => {
  const running = async (name: string) => {
    const set = await plane.api.ok('POST', SETS, daemonSet(name));
    const member = await joinMember(plane);
    member.report({ placements: [placement(set, 'Run')] });
    const pod = podReport(set, await member.granted(set));
    const show = (one: Json) => member.report({ placements: [placement(set, 'Run')], pods: [one] });
    return { member, pod, show, shown: (): Promise<Json> => plane.api.ok('GET', `${PODS}/${pod.name}`) };
  };

  it('of the wrong shape is refused with words, and the pod keeps its last', async () => {
    const { member, pod, show, shown } = await running('refused-pod');
    show({ ...pod, statusJson: '{"containerStatuses":"none"}' });
    const event = await eventAbout(pod.uid, 'PodStatusRefused');
    expect(event.message).toBe(
      'the status that the agent reports is left out: status.containerStatuses: expected a list, got a string',
    );
    // It is a pod all the same.
    expect((await shown()).status).toEqual({});
    show(pod);
    await until('good', async () => ready(await shown()) === 'True');
    show({ ...pod, statusJson: '{"conditions":5}' });
    await until('the second refusal', async () => {
      const query = `?fieldSelector=involvedObject.uid%3D${pod.uid},reason%3DPodStatusRefused`;
      return (await plane.api.ok('GET', EVENTS + query)).items.length === 2;
    });
    expect((await shown()).status).toEqual(podStatus(true));
    expect((await plane.api.call('GET', PODS, undefined, { headers: { Accept: TABLE } })).status).toBe(200);
    member.leave();
  });

  // The bug this found: the loop that notices silence failed over such a pod, for every node and for ever.
  it('of the wrong shape hides no silence, of its node or of others', async () => {
    await plane.stop();
    const clock = startClock();
    clock.hold();
    plane = await startTestPlane({ graceMs: 300, monotonicNow: clock.now });
    const { member, pod, show } = await running('silent-pod');
    const other = await joinMember(plane);
    other.report();
    show({ ...pod, statusJson: '{"conditions":5}' });
    await eventAbout(pod.uid, 'PodStatusRefused');
    await until('the other is heard', () => plane.hasHeard(other.name));
    clock.pass(300);
    for (const silent of [member, other])
      await until('Unknown', async () => ready(await nodeNow(silent)) === 'Unknown');
    member.leave();
    other.leave();
  });
});
