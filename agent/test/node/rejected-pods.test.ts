// Pods that the node does not take (rules 10, 19 and 20): they fail, are told, are deleted and made again, ever more
// seldom, and what ran before runs on.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld({ labels: { 'kubernetes.io/os': 'linux' } });
});
afterEach(() => {
  vi.useRealTimers();
});

const forWindows = toldSet('web', { revision: 'web-2', template: template({ os: { name: 'windows' } }) });
/** By revision. */
const shown = () =>
  world
    .report()
    .pods.map(({ revision, statusJson, ready, terminating }) => {
      const { phase, reason } = JSON.parse(statusJson);
      return [revision, phase, reason, ready, terminating];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
const failed = ['web-2', 'Failed', 'PodOSNotSupported', false, false];
/** How often each event was told since the last look. */
function events(): { [reason: string]: number } {
  const counts: { [reason: string]: number } = {};
  for (const { reason } of world.now().events.take()) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

it('are reported as Failed with the reason, and nothing is made of them', async () => {
  await world.tell({ daemonSets: [forWindows] });
  await world.pass(0.5);
  expect(shown()).toEqual([failed]);
  expect(world.engine.containers()).toEqual([]);
  const [first] = world.now().events.take();
  expect(first).toMatchObject({ type: 'Warning', reason: 'PodOSNotSupported', podUid: expect.any(String) });
  const [pod] = world.report().pods;
  expect(pod).toMatchObject({ graceSeconds: 0, available: false, unknown: false });
});

it('are deleted and made again after 1, 2, 4 ... seconds, each deletion an event of the DaemonSet', async () => {
  await world.tell({ daemonSets: [forWindows] });
  const uids = new Set<string>();
  const born: number[] = [];
  for (let second = 0; second < 40; second += 0.5) {
    await world.pass(0.5);
    for (const { uid } of world.report().pods)
      if (!uids.has(uid)) {
        uids.add(uid);
        born.push(second);
      }
  }
  // The first is deleted at once and was not seen; the others stay for as long as the back-off is.
  expect(born.map((at) => Math.round(at))).toEqual([0, 1, 3, 7, 15, 31]);
  expect(events()).toEqual({ PodOSNotSupported: 7, FailedDaemonPod: 6 });
});

it('are told with the pod’s name, the node and why', async () => {
  await world.tell({ daemonSets: [forWindows] });
  await world.pass(0.5);
  const found = world
    .now()
    .events.take()
    .find(({ reason }) => reason === 'FailedDaemonPod');
  expect(found).toMatchObject({ type: 'Warning', daemonSetUid: 'uid-of-web', podUid: '' });
  expect(found?.message).toMatch(/^Pod default\/web-\w+ on node node-1 has failed \(PodOSNotSupported: /);
});

it('never take the place of the pod that runs', async () => {
  await world.tell({ daemonSets: ['web'] });
  await world.until('it runs', () => String(world.running()) === 'web-1/app#0');
  await world.pass(5);
  const before = world.engine.calls.length;
  await world.tell({ daemonSets: [forWindows] });
  await world.pass(300);
  expect(world.running()).toEqual(['web-1/app#0']);
  expect(world.engine.calls.slice(before)).toEqual([]);
  expect(shown()).toEqual([['web-1', 'Running', undefined, true, false], failed]);
  // Back to what runs: nothing is left of it, and nothing was restarted.
  await world.tell({ daemonSets: ['web'] });
  await world.pass(5);
  expect(shown()).toEqual([['web-1', 'Running', undefined, true, false]]);
  expect(world.engine.calls.slice(before)).toEqual([]);
});

it('are known as failed by an agent that starts anew', async () => {
  await world.tell({ daemonSets: [forWindows] });
  await world.pass(4);
  const [pod] = world.report().pods;
  await world.restart({ told: undefined });
  await world.pass(1);
  expect(world.report().pods.map(({ uid }) => uid)).toEqual([pod?.uid]);
  expect(shown()).toEqual([failed]);
});

it('make way at once for a template that the node takes', async () => {
  await world.tell({ daemonSets: [forWindows] });
  await world.pass(60);
  await world.tell({ daemonSets: [toldSet('web', { revision: 'web-3' })] });
  await world.until('the new one runs', () => String(world.running()) === 'web-3/app#0');
  expect(shown().map(([revision]) => revision)).toEqual(['web-3']);
});
