// A pod and its ServiceAccount on the node: what it is born with stays with it, and without its account it is not born.
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { template, toldConfig, toldSet } from '../desired.ts';
import { fakeClock, type NodeWorld, openNodeWorld } from '../node-world.ts';

let world: NodeWorld;
beforeEach(async () => {
  fakeClock();
  world = await openNodeWorld();
});
afterEach(() => {
  vi.useRealTimers();
});

const DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
const GIVEN = { name: 'default', missing: false, mount: true, pullSecrets: [] as string[] };
const CA = toldConfig('ConfigMap', 'kube-root-ca.crt', { 'ca.crt': 'a certificate' });
const api = { host: '192.0.2.1', port: 6443 };
const web = (account: typeof GIVEN, revision = 'web-1') =>
  toldSet('web', { revision, account, template: template({ priorityClassName: revision }) });
const tell = (account: typeof GIVEN, revision?: string) =>
  world.tell({ daemonSets: [web(account, revision)], configs: [CA], api });

const runs = (...titles: readonly string[]) =>
  world.until(
    `these run: ${titles.join(', ')}`,
    () => String(world.running()) === String([...titles].sort()),
  );
const mountsOf = (title: string) =>
  world.container(title).settings.mounts.filter(({ target }) => target === DIRECTORY);
const podReport = () => world.report().pods[0];
const failures = () =>
  world
    .now()
    .events.take()
    .filter(({ reason }) => reason === 'FailedCreate')
    .map(({ message, daemonSetUid }) => `${daemonSetUid} ${message}`);
const REFUSED =
  'uid-of-web Error creating: pods "web-" is forbidden: error looking up service account default/bot: serviceaccount "bot" not found';

describe('a pod that is born with its account', () => {
  it('has its files, knows where the API is, and says so to the plane', async () => {
    await tell(GIVEN);
    await runs('web-1/app#0');
    const [mount] = mountsOf('web-1/app#0');
    expect(mount).toMatchObject({ readOnly: true });
    expect(world.container('web-1/app#0').settings.env).toEqual([
      'KUBERNETES_SERVICE_HOST=192.0.2.1',
      'KUBERNETES_SERVICE_PORT=6443',
      'KUBERNETES_SERVICE_PORT_HTTPS=6443',
    ]);
    const { uid = '', accountVolume = '' } = podReport() ?? {};
    expect(accountVolume).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    const files = join(world.directory, 'pods', uid, 'volumes', accountVolume);
    expect((await readdir(files)).filter((name) => !name.startsWith('..')).sort()).toEqual([
      'ca.crt',
      'namespace',
    ]);
    expect(await readFile(join(files, 'namespace'), 'utf8')).toBe('default');
    expect(await readFile(join(files, 'ca.crt'), 'utf8')).toBe('a certificate');
  });

  it('finds the API where it was when its container was made; the next container where it is then', async () => {
    const hostOf = (title: string) => world.container(title).settings.env[0];
    await tell(GIVEN);
    await runs('web-1/app#0');
    await world.tell({ daemonSets: [web(GIVEN)], configs: [CA], api: { host: '192.0.2.2', port: 6443 } });
    await world.pass(30);
    expect(world.running()).toEqual(['web-1/app#0']);
    expect(hostOf('web-1/app#0')).toBe('KUBERNETES_SERVICE_HOST=192.0.2.1');
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    expect(hostOf('web-1/app#1')).toBe('KUBERNETES_SERVICE_HOST=192.0.2.2');
  });

  it('keeps them when the account changes; one that is born later goes by that', async () => {
    await tell(GIVEN);
    await runs('web-1/app#0');
    const before = podReport();
    await tell({ ...GIVEN, mount: false });
    await world.pass(30);
    expect(world.running()).toEqual(['web-1/app#0']);
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    expect(mountsOf('web-1/app#1')).toHaveLength(1);
    expect(podReport()?.accountVolume).toBe(before?.accountVolume);
    await tell({ ...GIVEN, mount: false }, 'web-2');
    await runs('web-2/app#0');
    expect([mountsOf('web-2/app#0'), podReport()?.accountVolume]).toEqual([[], '']);
  });

  it('keeps them over a restart, also when the book of pods is lost', async () => {
    await tell(GIVEN);
    await runs('web-1/app#0');
    const { uid, accountVolume } = podReport() ?? {};
    await world.restart({ meanwhile: () => rm(join(world.directory, 'pods.json')) });
    await world.until('it is known again', () => podReport()?.accountVolume === accountVolume);
    expect([podReport()?.uid, world.running()]).toEqual([uid, ['web-1/app#0']]);
    world.engine.end(world.container('web-1/app#0').id);
    await runs('web-1/app#1');
    expect(mountsOf('web-1/app#1')).toHaveLength(1);
  });
});

it.each([
  { what: 'is told of at once: the plane gives a token only to what it has heard of', mount: true },
  { what: 'is no news while it only waits, if it needs no token', mount: false },
])('a successor that is prepared $what', async ({ mount }) => {
  await tell({ ...GIVEN, mount });
  await runs('web-1/app#0');
  world.engine.setLatency('create', 5000);
  await tell({ ...GIVEN, mount }, 'web-2');
  await world.pass(1);
  expect(world.running()).toEqual(['web-1/app#0']);
  const revisions = world.report().pods.map(({ revision }) => revision);
  expect(revisions.sort()).toEqual(mount ? ['web-1', 'web-2'] : ['web-1']);
});

it('a pod whose config came with its revision has the CA that is told now', async () => {
  const config = [toldConfig('ConfigMap', 'app', { a: 'b' })];
  const set = toldSet('web', { account: GIVEN, config });
  await world.tell({ daemonSets: [set], configs: [CA], api });
  await runs('web-1/app#0');
});

describe('without its account', () => {
  const MISSING = { name: 'bot', missing: true, mount: false, pullSecrets: [] };

  it('no pod is born, which is said once, until the account is there', async () => {
    await tell(MISSING);
    await world.until('it is said', () => world.report().placements[0]?.progress.includes('not found'));
    await world.pass(300);
    expect([failures(), world.report().pods]).toEqual([[REFUSED], []]);
    await tell({ ...GIVEN, name: 'bot' });
    await runs('web-1/app#0');
    expect(world.report().placements[0]?.progress).not.toContain('not found');
  });

  it('the pod that is there stays, and its successor comes when it can', async () => {
    await tell(GIVEN);
    await runs('web-1/app#0');
    await tell(MISSING, 'web-2');
    await world.pass(60);
    expect([world.running(), failures()]).toEqual([['web-1/app#0'], [REFUSED]]);
    await tell({ ...GIVEN, name: 'bot' }, 'web-2');
    await runs('web-2/app#0');
  });
});
