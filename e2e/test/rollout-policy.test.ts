// Rollouts that mind themselves, on the real fleet: what crashes goes back by itself, a canary waits for its watcher,
// a pause holds.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf, watchDowntime } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import { addressOf, apply, fleetset, getJson, kubectl, NODES } from '../src/fleet.ts';
import { web } from '../src/manifests.ts';

const namespace = 'rollouts';
const PORT = 8107;
let urls: string[];

const texts = async () => Promise.all(urls.map(textOf));
const rollout = (...args: string[]) => fleetset('rollout', ...args, '-n', namespace);
const rolledOut = () => kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');

beforeAll(async () => {
  await kubectl('create', 'namespace', namespace);
  await apply(web({ namespace, port: PORT }));
  await rolledOut();
  urls = await Promise.all(NODES.map(async (node) => `http://${await addressOf(node)}:${PORT}/index.html`));
});

afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
});

describe('an update that crashes', () => {
  it('goes back by itself, with one node down at most, and says why wherever one looks', async () => {
    const watch = watchDowntime(urls);
    await apply(web({ namespace, port: PORT, command: ['sh', '-c', 'exit 3'] }));
    const status = await rollout('status', 'ds/web');
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/web: RolledBack \[#{20}\] 3\/3 .*CrashLoopBackOff/);
    await eventually('all answer', async () => String(await texts()) === 'one,one,one');
    await watch.stop();
    expect(watch.worst()).toBeLessThanOrEqual(1);
    expect(await kubectl('rollout', 'history', 'ds/web', '-n', namespace)).toMatch(
      /2 +failed, back to \w+: 1 failed .*CrashLoopBackOff/,
    );
    expect(await kubectl('describe', 'ds', 'web', '-n', namespace)).toMatch(/Warning +RollingBack/);
    expect(await kubectl('get', 'rollouts', '-n', namespace)).toMatch(/web +RolledBack/);
    const { status: shown } = await getJson<{ status: { conditions: { type: string; reason: string }[] } }>(
      'ds',
      'web',
      '-n',
      namespace,
    );
    expect(shown.conditions).toContainEqual(
      expect.objectContaining({ type: 'Progressing', status: 'False', reason: 'FailureThresholdExceeded' }),
    );
  });

  it('is followed by one that works', async () => {
    await apply(web({ namespace, port: PORT, text: 'two' }));
    const status = await rollout('status', 'web');
    expect(status).toMatchObject({ code: 0 });
    expect(status.stdout).toMatch(/web: Complete/);
    expect(await texts()).toEqual(['two', 'two', 'two']);
  });
});

describe('a canary that somebody watches', () => {
  it('is one node until it is approved', async () => {
    await apply({
      apiVersion: 'fleetset.dev/v1',
      kind: 'RolloutPolicy',
      metadata: { name: 'careful', namespace },
      spec: {
        daemonSets: ['web'],
        steps: [
          { name: 'canary', nodes: 1, soakSeconds: 2 },
          { name: 'all', approval: 'Manual' },
        ],
      },
    });
    await apply(web({ namespace, port: PORT, text: 'three' }));
    await eventually('it waits for approval', async () =>
      /step 2 \(all\) waits for approval/.test((await rollout('status', 'web', '--no-watch')).stdout),
    );
    expect(await texts()).toEqual(['three', 'two', 'two']);
    const why = await fleetset('why', 'node2', 'web', '-n', namespace);
    expect(why.stdout).toContain('Waiting: step all waits for approval');
    expect(await rollout('approve', 'web')).toMatchObject({ code: 0 });
    await rolledOut();
    expect(await texts()).toEqual(['three', 'three', 'three']);
    await kubectl('delete', 'rolloutpolicy', 'careful', '-n', namespace);
  });
});

describe('a pause', () => {
  it('moves no node until it is over', async () => {
    expect(await rollout('pause', 'web')).toMatchObject({ code: 0 });
    await apply(web({ namespace, port: PORT, text: 'four' }));
    await eventually('it is shown', async () =>
      /paused/.test((await rollout('status', 'web', '--no-watch')).stdout),
    );
    expect(await texts()).toEqual(['three', 'three', 'three']);
    expect(await rollout('resume', 'web')).toMatchObject({ code: 0 });
    await rolledOut();
    expect(await texts()).toEqual(['four', 'four', 'four']);
  });
});

describe('an image that cannot be pulled', () => {
  it('goes back when its deadline is over, stops at the budget, and no node was ever down', async () => {
    const watch = watchDowntime(urls);
    await apply(web({ namespace, port: PORT, text: 'five', image: 'fleetset-test/busybox:none' }));
    await eventually('one node tries it', async () =>
      /ErrImagePull|ImagePullBackOff/.test(await kubectl('get', 'pods', '-n', namespace, '--no-headers')),
    );
    const { stdout } = await rollout('status', 'web', '--no-watch');
    expect(stdout.match(/Updating/g)).toHaveLength(1);
    expect(stdout.match(/Waiting/g)).toHaveLength(NODES.length - 1);
    await apply({
      apiVersion: 'fleetset.dev/v1',
      kind: 'RolloutPolicy',
      metadata: { name: 'hasty', namespace },
      spec: { daemonSets: ['web'], progressDeadlineSeconds: 8 },
    });
    const status = await rollout('status', 'web');
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/web: RolledBack \[#{20}\] 3\/3 /);
    await watch.stop();
    expect(watch.worst()).toBe(0);
    expect(await texts()).toEqual(['four', 'four', 'four']);
    expect(await kubectl('describe', 'ds', 'web', '-n', namespace)).toMatch(
      /no node came nearer in 8 s|did not become available in 8 s/,
    );
    await kubectl('delete', 'rolloutpolicy', 'hasty', '-n', namespace);
  });
});
