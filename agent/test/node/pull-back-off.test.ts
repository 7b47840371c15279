// Rule 98: an image that cannot be pulled is tried ever more rarely; another one of a changed spec is tried at once.
import { beforeEach, expect, it, vi } from 'vitest';
import { template, toldConfig, toldSet } from '../desired.ts';
import { fakeClock, openNodeWorld } from '../node-world.ts';
import { OBEYS } from '../test-programs.ts';

beforeEach(() => {
  fakeClock();
  return () => vi.useRealTimers();
});

const revision = (number: number, image: string) =>
  toldSet('web', {
    revision: `web-${number}`,
    template: template({
      containers: [{ name: 'app', image, command: [...OBEYS.command], imagePullPolicy: 'IfNotPresent' }],
    }),
  });

it('a changed spec does not wait for the back-off of the one before', async () => {
  const world = await openNodeWorld();
  const pulls = () =>
    world.engine.calls.filter((call) => call.startsWith('pull ')).map((call) => call.slice(5));
  await world.tell({ daemonSets: [revision(1, 'gone:1')] });
  await world.pass(400);
  const tried = pulls().length;
  expect(tried).toBeGreaterThan(3);
  // It waits for minutes now.
  await world.pass(100);
  expect(pulls()).toHaveLength(tried);
  world.engine.addImage('there:1', { pullable: true });
  await world.tell({ daemonSets: [revision(2, 'there:1')] });
  await world.pass(1);
  expect(pulls().slice(tried)).toEqual(['there:1']);
  expect(world.running()).toEqual(['web-2/app#0']);
});

it('a changed pull secret does not wait for it either, and a changed ConfigMap of another pod does', async () => {
  const world = await openNodeWorld();
  const pulls = () => world.engine.calls.filter((call) => call.startsWith('pull ')).length;
  const set = toldSet('web', {
    template: template({
      imagePullSecrets: [{ name: 'login' }],
      containers: [{ name: 'app', image: 'gone:1', imagePullPolicy: 'IfNotPresent' }],
    }),
  });
  const tell = (login: string, other: string) =>
    world.tell({
      daemonSets: [set],
      configs: [
        toldConfig('Secret', 'login', { '.dockerconfigjson': login }),
        toldConfig('ConfigMap', 'other', { text: other }),
      ],
    });
  await tell('{}', 'a');
  await world.pass(400);
  const tried = pulls();
  await tell('{}', 'b');
  await world.pass(20);
  expect(pulls()).toBe(tried);
  await tell('{"auths":{}}', 'b');
  await world.pass(1);
  expect(pulls()).toBe(tried + 1);
});
