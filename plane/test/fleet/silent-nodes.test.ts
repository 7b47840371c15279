// A node that falls silent turns Unknown after the grace, with Kubernetes' conditions and taints, and comes back.
// Nothing is moved for it and nothing is told to it. Nobody falls silent before the test lets the grace pass.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { isAnswered } from '../support/hollow-agent.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, EVENTS, NODES, PODS, SETS } from '../support/manifests.ts';
import { facts, placement, podReport } from '../support/reports.ts';
import { startClock } from '../support/test-clock.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

/** It is looked at again after so long by this machine's clock, so it is short. */
const GRACE_MS = 300;
const clock = startClock();
clock.hold();
const passGrace = () => clock.pass(GRACE_MS);
let plane: TestPlane;
let count = 0;
beforeAll(async () => {
  plane = await startTestPlane({ graceMs: GRACE_MS, monotonicNow: clock.now });
});
afterAll(async () => {
  expect(plane.complaints.filter(({ level }: Json) => level >= 50)).toEqual([]);
  await plane.stop();
});
interface Running {
  readonly member: HollowMember;
  readonly setNow: () => Promise<Json>;
  readonly pod: Json;
  /** Resolves when the plane has heard it. */
  readonly beat: () => Promise<void>;
  readonly show: () => void;
}

/** A node of its own kind, with a DaemonSet of its own. */
async function running(pod: Json = {}): Promise<Running> {
  const kind = `kind${++count}`;
  const template = { nodeSelector: { kind }, containers: [{ name: 'main', image: 'i' }], ...pod };
  const set = await plane.api.ok('POST', SETS, daemonSet(kind, { pod: template }));
  const setNow = (): Promise<Json> => plane.api.ok('GET', `${SETS}/${kind}`);
  const member = await joinMember(plane);
  const own = facts(member.name, { labels: { kind } });
  member.report({ facts: own, placements: [placement(set, 'Run')] });
  const report = podReport(set, await member.granted(set));
  const show = () => member.report({ facts: own, placements: [placement(set, 'Run')], pods: [report] });
  show();
  const beat = async () => {
    member.stream.say({ $case: 'heartbeat', value: { generation: undefined } });
    await isAnswered(member.stream);
  };
  await until('available', async () => (await setNow()).status.numberAvailable === 1);
  return { member, pod: report, beat, show, setNow };
}

const nodeNow = ({ name }: HollowMember): Promise<Json> => plane.api.ok('GET', `${NODES}/${name}`);
const ready = (object: Json) => object.status.conditions.find(({ type }: Json) => type === 'Ready');
const isUnknown = (member: HollowMember) => async () => ready(await nodeNow(member)).status === 'Unknown';
const isReady = (member: HollowMember) => async () => ready(await nodeNow(member)).status === 'True';

describe('a silent node', () => {
  it('turns Unknown with the words and taints of Kubernetes, and an event', async () => {
    const { member } = await running();
    passGrace();
    await until('Unknown', isUnknown(member));
    const node = await until('tainted', async () => {
      const now = await nodeNow(member);
      return now.spec.taints ? now : undefined;
    });
    expect(ready(node)).toMatchObject({
      reason: 'NodeStatusUnknown',
      message: 'The agent stopped reporting.',
    });
    expect(node.spec.taints).toEqual([
      { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule', timeAdded: expect.any(String) },
      { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: expect.any(String) },
    ]);
    // What it said of itself stays.
    expect(node.status.nodeInfo.osImage).toBe('Debian');
    const query = `?fieldSelector=involvedObject.name%3D${member.name},reason%3DNodeNotReady`;
    const event = await until('the event', async () => (await plane.api.ok('GET', EVENTS + query)).items[0]);
    expect(event).toMatchObject({
      type: 'Warning',
      message: `Node ${member.name} stopped reporting: status is now Unknown`,
      source: { component: 'node-controller' },
      count: 1,
    });
    member.leave();
  });

  it('has pods that are shown, not ready, and neither deleted nor moved', async () => {
    const { member, pod, setNow } = await running();
    passGrace();
    await until('Unknown', isUnknown(member));
    const shown = await until('not ready', async () => {
      const now = await plane.api.ok('GET', `${PODS}/${pod.name}`);
      return ready(now).status === 'False' ? now : undefined;
    });
    expect(ready(shown).reason).toBe('NodeNotReady');
    expect(shown.status.phase).toBe('Running');
    expect(shown.metadata).not.toHaveProperty('deletionTimestamp');
    // Rule 5: tainted NoSchedule, so it is no longer desired; the pod stays and counts as misscheduled.
    await until('the counters', async () => {
      const { desiredNumberScheduled, numberReady, numberAvailable, numberMisscheduled } = (await setNow())
        .status;
      return (
        desiredNumberScheduled === 0 &&
        numberReady === 0 &&
        numberAvailable === undefined &&
        numberMisscheduled === 1
      );
    });
    expect(member.stream.ended()).toBeUndefined();
    member.leave();
  });

  it('whose DaemonSet tolerates it stays desired, and unavailable', async () => {
    const { member, setNow } = await running({ tolerations: [{ operator: 'Exists' }] });
    passGrace();
    await until('Unknown', isUnknown(member));
    await until('the counters', async () => {
      const { desiredNumberScheduled, numberUnavailable, numberMisscheduled } = (await setNow()).status;
      return desiredNumberScheduled === 1 && numberUnavailable === 1 && numberMisscheduled === 0;
    });
    member.leave();
  });

  it('is not silent while it sends heartbeats, however little it has to say', async () => {
    const { member, beat } = await running();
    const other = await running();
    for (let round = 0; round < 4; round++) {
      clock.pass(GRACE_MS / 2);
      await beat();
    }
    // The other is called silent: a whole grace has gone by.
    await until('the other is Unknown', isUnknown(other.member));
    expect(await isReady(member)()).toBe(true);
    passGrace();
    await until('Unknown', isUnknown(member));
    member.leave();
    other.member.leave();
  });

  it.each([
    ['a heartbeat, for what it said last still holds', ({ beat }: Running) => beat()],
    ['a report', ({ show }: Running) => show()],
  ])('comes back with %s', async (_, speak) => {
    const here = await running();
    const { member, pod, setNow } = here;
    passGrace();
    await until('Unknown', isUnknown(member));
    await until('tainted', async () => (await nodeNow(member)).spec.taints);
    const uid = (await plane.api.ok('GET', `${PODS}/${pod.name}`)).metadata.uid;
    await speak(here);
    await until('Ready', isReady(member));
    await until('free of taints', async () => (await nodeNow(member)).spec.taints === undefined);
    const shown = await until('its pod is ready', async () => {
      const now = await plane.api.ok('GET', `${PODS}/${pod.name}`);
      return ready(now).status === 'True' ? now : undefined;
    });
    expect(shown.metadata.uid).toBe(uid);
    await until('counted', async () => (await setNow()).status.numberAvailable === 1);
    member.leave();
  });

  it('comes back with a new stream', async () => {
    const { member, show } = await running();
    member.leave();
    passGrace();
    await until('Unknown', isUnknown(member));
    await member.reconnect();
    show();
    await until('Ready', isReady(member));
    await until('free of taints', async () => (await nodeNow(member)).spec.taints === undefined);
    member.leave();
  });
});

describe('a plane that just started', () => {
  it('gives every node its grace before it calls it silent, and then does', async () => {
    const { member } = await running();
    clock.pass(GRACE_MS - 1);
    await plane.restart();
    clock.pass(GRACE_MS - 1);
    // A loop that takes the node for silent would do so with this, its next look.
    const change = { metadata: { labels: { looked: 'at' } } };
    await plane.api.ok('PATCH', `${NODES}/${member.name}`, change, { type: MERGE });
    await turns();
    expect(await isReady(member)()).toBe(true);
    clock.pass(1);
    await until('Unknown', isUnknown(member));
    member.leave();
  });
});

describe('labels that operators set on a silent node', () => {
  it('are taken, and reach it when it is back', async () => {
    const { member } = await running();
    member.leave();
    passGrace();
    await until('Unknown', isUnknown(member));
    const change = { metadata: { labels: { rack: '9' } } };
    await plane.api.ok('PATCH', `${NODES}/${member.name}`, change, { type: MERGE });
    await member.reconnect();
    await member.stream.hear('desired', ({ labels }) => labels.rack === '9');
    member.leave();
  });
});
