// maxSurge on the real fleet: the new pod serves before the old one stops, so that no node has a gap; what is bad goes
// back while the old pods run on.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DowntimeWatch, textOf, watchDowntime } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import {
  addressOf,
  apply,
  containersOn,
  fingerprint,
  fleetset,
  getJson,
  inNode,
  kubectl,
  NODES,
} from '../src/fleet.ts';
import { type WebOptions, web } from '../src/manifests.ts';

const namespace = 'surge';
/** Two pods of a node's own network cannot listen on one port: each revision has its own. */
const [FIRST, SECOND] = [8111, 8112];
const surging = (options: Pick<WebOptions, 'port' | 'text' | 'command' | 'container'>) =>
  web({ namespace, maxSurge: 1, ...options });

let addresses: string[];
const urlsAt = (port: number) => addresses.map((address) => `http://${address}:${port}/index.html`);
const texts = (port: number) => Promise.all(urlsAt(port).map(textOf));
const watchBoth = (): DowntimeWatch =>
  watchDowntime(urlsAt(FIRST).map((url, index) => [url, urlsAt(SECOND)[index] ?? '']));
const rolledOut = () => kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
const phase = async () =>
  (await getJson<{ status: { phase: string } }>('rollouts', 'web', '-n', namespace)).status.phase;
const backAgain = () => eventually('it has gone back', async () => (await phase()) === 'RolledBack');
const setPolicy = (spec: object) =>
  apply({
    apiVersion: 'fleetset.dev/v1',
    kind: 'RolloutPolicy',
    metadata: { name: 'policy', namespace },
    spec: { daemonSets: ['web'], ...spec },
  });
const podCount = async () =>
  (await kubectl('get', 'pods', '-n', namespace, '--no-headers')).trim().split('\n').length;

beforeAll(async () => {
  await kubectl('create', 'namespace', namespace);
  addresses = await Promise.all(NODES.map(addressOf));
  await apply(surging({ port: FIRST }));
  await rolledOut();
});

afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
});

describe('an update', () => {
  it('has no gap on any node', async () => {
    const watch = watchBoth();
    await apply(surging({ port: SECOND, text: 'two' }));
    await rolledOut();
    await eventually('the old pods are gone', async () => (await podCount()) === NODES.length);
    await watch.stop();
    expect(await texts(SECOND)).toEqual(['two', 'two', 'two']);
    expect(watch.rounds()).toBeGreaterThan(10);
    expect(watch.worst()).toBe(0);
  });
});

describe('a bad update', () => {
  it('that crashes leaves the old pods as they are, and goes back', async () => {
    const before = await fingerprint(namespace);
    const watch = watchBoth();
    await apply(surging({ port: FIRST, command: ['sh', '-c', 'exit 3'] }));
    await backAgain();
    await eventually('no new pod is left', async () => (await podCount()) === NODES.length);
    await watch.stop();
    expect(watch.worst()).toBe(0);
    expect(await fingerprint(namespace)).toBe(before);
    expect(await kubectl('get', 'events', '-n', namespace)).toMatch(/RolloutNodeFailed.*CrashLoopBackOff/);
  });

  it('that wants the port of the old pod waits for it, says so, and goes back', async () => {
    const before = await fingerprint(namespace);
    const watch = watchBoth();
    await apply(surging({ port: SECOND, text: 'three' }));
    await eventually('the first node says why it waits', async () =>
      (await fleetset('why', 'node1', 'web', '-n', namespace)).stdout.includes(
        `waits for port TCP/${SECOND} of the node: the pod before it has it`,
      ),
    );
    await setPolicy({ progressDeadlineSeconds: 5 });
    await backAgain();
    await watch.stop();
    expect(watch.worst()).toBe(0);
    expect(await fingerprint(namespace)).toBe(before);
    expect(await texts(SECOND)).toEqual(['two', 'two', 'two']);
  });

  it('that goes bad after the canary, when its old pod is gone, comes back by itself', async () => {
    await setPolicy({
      failureThreshold: 1,
      soakSeconds: 60,
      steps: [{ name: 'canary', nodes: 1, soakSeconds: 1 }],
    });
    const onNode2 = async () =>
      ((await containersOn('node2', namespace)).get('web/web') ?? []).map(({ id }) => id);
    const [old] = await onNode2();
    const watch = watchBoth();
    await apply(surging({ port: FIRST, text: 'three' }));
    const next = await eventually('only the new one is left on node2', async () => {
      const [one, ...others] = await onNode2();
      return others.length === 0 && one !== old && one;
    });
    await inNode('node2', 'docker', 'exec', next, 'rm', '/tmp/index.html');
    const status = await fleetset('rollout', 'status', 'ds/web', '-n', namespace, '--timeout', '180s');
    expect(status).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/web: RolledBack .*node2: it became unavailable while it was watched/),
    });
    await watch.stop();
    expect(await texts(SECOND)).toEqual(['two', 'two', 'two']);
    const gaps = urlsAt(FIRST).map((url) => watch.failedOf(url) > 0);
    expect(gaps).toEqual([false, true, false]);
  });
});
