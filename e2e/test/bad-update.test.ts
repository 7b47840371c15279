// Two bad updates in a row: never more than maxUnavailable nodes are down, and a good update mends all.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DowntimeWatch, textOf, watchDowntime } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import { addressOf, apply, getJson, kubectl, NODES, tryKubectl } from '../src/fleet.ts';
import { web } from '../src/manifests.ts';

const namespace = 'bad-update';
const PORT = 8102;
let urls: string[];
let watch: DowntimeWatch;

const statusTexts = async () => kubectl('get', 'pods', '-n', namespace, '--no-headers');
const rolledOut = () => kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
const rollout = async () =>
  (await getJson<{ status: { newestRevision: string; phase: string } }>('rollouts', 'web', '-n', namespace))
    .status;
/** Long enough for every node to be wrongly moved, if the plane were to move them. */
const planeHasSettled = async () => {
  const result = await tryKubectl(['rollout', 'status', 'ds/web', '-n', namespace, '--timeout=8s']);
  expect(result.code).not.toBe(0);
  return result.stderr;
};

beforeAll(async () => {
  await kubectl('create', 'namespace', namespace);
  await apply(web({ namespace, port: PORT }));
  await rolledOut();
  urls = await Promise.all(NODES.map(async (node) => `http://${await addressOf(node)}:${PORT}/index.html`));
});

afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
});

describe('an image that cannot be pulled, twice', () => {
  it('takes no node down at all, and says what is wrong', async () => {
    watch = watchDowntime(urls);
    for (const tag of ['none', 'neither']) {
      await apply(web({ namespace, port: PORT, text: tag, image: `fleetset-test/busybox:${tag}` }));
      await eventually('the failed pull is shown', async () =>
        /ErrImagePull|ImagePullBackOff/.test(await statusTexts()),
      );
      await planeHasSettled();
    }
    await watch.stop();
    expect(watch.worst()).toBe(0);
    for (const url of urls) expect(await textOf(url)).toBe('one');
    expect(await kubectl('get', 'events', '-n', namespace)).toMatch(
      /Failed to pull image "fleetset-test\/busybox:neither"/,
    );
  });

  it('is mended by an update that works', async () => {
    await apply(web({ namespace, port: PORT, text: 'two' }));
    await rolledOut();
    for (const url of urls) expect(await textOf(url)).toBe('two');
  });
});

describe('a container that ends at once, twice', () => {
  it('takes one node down and no more, whatever is applied next, and goes back', async () => {
    watch = watchDowntime(urls);
    for (const code of ['3', '4']) {
      const { newestRevision: before } = await rollout();
      await apply(web({ namespace, port: PORT, command: ['sh', '-c', `exit ${code}`] }));
      await eventually('it has failed and gone back', async () => {
        const { newestRevision, phase } = await rollout();
        return newestRevision !== before && phase === 'RolledBack';
      });
      await planeHasSettled();
    }
    await eventually('what worked is back', async () => {
      const { status } = await getJson<{ status: { numberAvailable?: number } }>(
        'ds',
        'web',
        '-n',
        namespace,
      );
      return status.numberAvailable === 3;
    });
    for (const url of urls) expect(await textOf(url)).toBe('two');
    expect(await kubectl('get', 'events', '-n', namespace)).toMatch(/RolloutNodeFailed.*CrashLoopBackOff/);
  });

  it('is followed by an update that works, still within the budget', async () => {
    await apply(web({ namespace, port: PORT, text: 'three' }));
    await rolledOut();
    await watch.stop();
    for (const url of urls) expect(await textOf(url)).toBe('three');
    expect(watch.worst()).toBe(1);
  });
});
