// What `kubectl describe pod` shows of a pod's life on its node: each thing once, in kubelet's words (rule 96).
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { template, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';
import { TEST_IMAGE } from '../pods.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const tell = (revision: string, over = {}) =>
  world.tell({
    daemonSets: [toldSet('web', { revision, template: template({ priorityClassName: revision, ...over }) })],
  });
const runs = (...titles: readonly string[]) =>
  world.until(`these run: ${titles}`, () => String(world.running()) === String([...titles].sort()));
const told = () =>
  world
    .now()
    .events.take()
    .map(({ reason, message }) => `${reason}: ${message}`);
const BORN = [
  `Pulled: Container image "${TEST_IMAGE}" already present on machine`,
  'Created: Created container: app',
  'Started: Started container app',
];

it('a pod starts, and starts again', async () => {
  await tell('web-1');
  await runs('web-1/app#0');
  await world.pass(60);
  expect(told()).toEqual(BORN);
  world.engine.end(world.container('web-1/app#0').id);
  await runs('web-1/app#1');
  await world.pass(60);
  expect(told()).toEqual(BORN);
});

it('an update tells of its image once, though it is looked for before the old pod stops', async () => {
  await tell('web-1', { hostNetwork: false });
  await runs('web-1/POD#0', 'web-1/app#0');
  told();
  // It names the address of its pod: it can be made only when that is known.
  const env = [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }];
  const [app] = template().spec?.containers ?? [];
  await tell('web-2', { hostNetwork: false, containers: [{ ...app, env }] });
  await runs('web-2/POD#0', 'web-2/app#0');
  expect(told().filter((line) => !line.startsWith('Killing'))).toEqual(BORN);
});

it('a holder that ends is made anew at once, and what was on it runs again, however often', async () => {
  await tell('web-1', { hostNetwork: false });
  await runs('web-1/POD#0', 'web-1/app#0');
  told();
  const [uid] = world.report().pods.map((pod) => pod.uid);
  for (const attempt of [0, 1, 2, 3]) {
    world.engine.end(world.container(`web-1/POD#${attempt}`).id);
    await runs(`web-1/POD#${attempt + 1}`, `web-1/app#${attempt + 1}`);
    const lines = told();
    expect(lines.filter((line) => line.startsWith('SandboxChanged'))).toEqual([
      'SandboxChanged: Pod sandbox changed, it will be killed and re-created.',
    ]);
    expect(lines.join()).not.toContain('BackOff');
    expect(JSON.stringify(world.report().pods)).not.toContain('BackOff');
  }
  expect(world.report().pods.map((pod) => pod.uid)).toEqual([uid]);
});
