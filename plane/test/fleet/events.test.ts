// Events: what happened, counted up instead of repeated, about the right object.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, EVENTS, NODES, PODS, SETS } from '../support/manifests.ts';
import { agentEvent, placement, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
let set: Json;
let member: HollowMember;
let pod: Json;
beforeAll(async () => {
  plane = await startTestPlane();
  set = await plane.api.ok('POST', SETS, daemonSet('web'));
  member = await joinMember(plane);
  member.report({ placements: [placement(set, 'Run')] });
  pod = podReport(set, await member.granted(set));
  tell([]);
  await until('mirrored', async () => (await plane.api.call('GET', `${PODS}/${pod.name}`)).status === 200);
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  member.leave();
  await plane.stop();
});

const tell = (events: Json[]) =>
  member.report({ placements: [placement(set, 'Run')], pods: [pod] as never, events: events as never });
const eventsOf = async (reason: string): Promise<Json[]> =>
  (await plane.api.ok('GET', `${EVENTS}?fieldSelector=reason%3D${reason}`)).items;
const event = (reason: string, more: Json = {}) => agentEvent({ reason, ...more });

describe('an event of an agent', () => {
  it('about a pod names the pod and the container, and where it comes from', async () => {
    tell([
      event('Back', { type: 'Warning', message: 'm', podUid: pod.uid, fieldPath: 'spec.containers{main}' }),
    ]);
    const [shown] = await until('the event', async () => {
      const found = await eventsOf('Back');
      return found.length > 0 ? found : undefined;
    });
    expect(shown).toMatchObject({
      kind: 'Event',
      apiVersion: 'v1',
      metadata: {
        namespace: 'default',
        name: expect.stringMatching(new RegExp(`^${pod.name}\\.[0-9a-f]{16}$`)),
      },
      involvedObject: {
        kind: 'Pod',
        apiVersion: 'v1',
        namespace: 'default',
        name: pod.name,
        uid: pod.uid,
        fieldPath: 'spec.containers{main}',
      },
      type: 'Warning',
      reason: 'Back',
      message: 'm',
      source: { component: 'fleetset-agent', host: member.name },
      reportingComponent: 'fleetset-agent',
      reportingInstance: member.name,
      count: 1,
    });
    expect(shown.firstTimestamp).toBe(shown.lastTimestamp);
  });

  it('about nothing is about the node, in namespace default, without one of its own', async () => {
    tell([event('Rebooted')]);
    const shown = await until('the event', async () => (await eventsOf('Rebooted'))[0]);
    const node = await plane.api.ok('GET', `${NODES}/${member.name}`);
    expect(shown.involvedObject).toEqual({
      kind: 'Node',
      apiVersion: 'v1',
      name: member.name,
      uid: node.metadata.uid,
    });
    expect(shown.metadata.namespace).toBe('default');
    // As `kubectl describe node` asks: with an empty namespace among the terms.
    const query = `?fieldSelector=involvedObject.namespace%3D%2CinvolvedObject.name%3D${member.name}%2Creason%3DRebooted%2CinvolvedObject.kind%3DNode`;
    expect((await plane.api.ok('GET', `/api/v1/events${query}`)).items).toHaveLength(1);
  });

  it('about a DaemonSet is about that', async () => {
    tell([event('SetTrouble', { daemonSetUid: set.metadata.uid })]);
    const shown = await until('the event', async () => (await eventsOf('SetTrouble'))[0]);
    expect(shown.involvedObject).toMatchObject({ kind: 'DaemonSet', apiVersion: 'apps/v1', name: 'web' });
  });

  it('about what the plane does not know is dropped, and the others of its report are not', async () => {
    tell([
      event('Ghost', { podUid: 'no-such-pod' }),
      event('Ghost', { daemonSetUid: 'no-such-set' }),
      event('NotGhost'),
    ]);
    await until('the other', async () => (await eventsOf('NotGhost'))[0]);
    expect(await eventsOf('Ghost')).toEqual([]);
  });

  it('of no known type is a normal one', async () => {
    tell([event('Typeless', { type: 'Catastrophe' })]);
    expect((await until('the event', async () => (await eventsOf('Typeless'))[0])).type).toBe('Normal');
  });
});

describe('the same thing again', () => {
  it('counts up, keeps its first time and its name, and moves its last', async () => {
    tell([event('Again')]);
    const first = await until('the event', async () => (await eventsOf('Again'))[0]);
    for (const count of [2, 3, 4]) {
      tell([event('Again')]);
      await until(`count ${count}`, async () => (await eventsOf('Again'))[0].count === count);
    }
    const [last, ...more] = await eventsOf('Again');
    expect(more).toEqual([]);
    expect(last.metadata.uid).toBe(first.metadata.uid);
    expect(last.firstTimestamp).toBe(first.firstTimestamp);
  });

  // The bug this found: events of one report were each counted from what the store held before the report.
  it('counts also within one report', async () => {
    tell([event('Thrice'), event('Thrice'), event('Thrice')]);
    await until('the event', async () => (await eventsOf('Thrice')).length > 0);
    await turns();
    expect((await eventsOf('Thrice')).map(({ count }) => count)).toEqual([3]);
  });

  it('with another message, type or container is another', async () => {
    tell([
      event('Varied', { message: 'a' }),
      event('Varied', { message: 'b' }),
      event('Varied', { message: 'a', type: 'Warning' }),
      event('Varied', { message: 'a', podUid: pod.uid, fieldPath: 'spec.containers{x}' }),
      event('Varied', { message: 'a', podUid: pod.uid, fieldPath: 'spec.containers{y}' }),
    ]);
    await until('five events', async () => (await eventsOf('Varied')).length === 5);
  });

  // The bug this found: the number that makes a repeated event known (node.proto) was not looked at.
  it('sent again with the same number, because its report may have been lost, is the same occurrence', async () => {
    const once = event('Repeated');
    tell([once]);
    await until('the event', async () => (await eventsOf('Repeated'))[0]);
    tell([once]);
    tell([once, event('Later')]);
    await until('the later one', async () => (await eventsOf('Later'))[0]);
    expect((await eventsOf('Repeated')).map(({ count }) => count)).toEqual([1]);
  });

  it('with a small number from a new start of the agent is news', async () => {
    tell([event('Numbered')]);
    await until('the event', async () => (await eventsOf('Numbered'))[0]);
    await member.reconnect();
    tell([event('Numbered', { sequence: 1 })]);
    await until('count 2', async () => (await eventsOf('Numbered'))[0].count === 2);
  });
});

describe('events in the store', () => {
  it('survive a restart of the plane', async () => {
    tell([event('Durable')]);
    const before = await until('the event', async () => (await eventsOf('Durable'))[0]);
    await plane.restart();
    expect((await eventsOf('Durable'))[0]).toEqual(before);
    await member.reconnect();
  });
});
