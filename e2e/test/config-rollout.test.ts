// A bad ConfigMap on the real fleet, where config is rolled out: one node down at most, and the old config comes back by
// itself.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf, watchDowntime } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import { addressOf, apply, fingerprint, fleetset, kubectl, NODES } from '../src/fleet.ts';
import { web } from '../src/manifests.ts';

const namespace = 'config-rollout';
const PORT = 8109;
let urls: string[];

const texts = () => Promise.all(urls.map(textOf));
const status = () => fleetset('rollout', 'status', 'ds/web', '-n', namespace);
const setText = (text: string) =>
  kubectl('patch', 'configmap', 'app', '-n', namespace, '-p', JSON.stringify({ data: { text } }));
const history = () => kubectl('rollout', 'history', 'ds/web', '-n', namespace);

beforeAll(async () => {
  await kubectl('create', 'namespace', namespace);
  await kubectl('create', 'configmap', 'app', '-n', namespace, '--from-literal=text=one');
  // It crashes when its file says so.
  const serve = `grep -v crash /conf/text || exit 3; mkdir /srv && cp /conf/text /srv/index.html && exec httpd -f -p ${PORT} -h /srv`;
  await apply(
    web({
      namespace,
      port: PORT,
      command: ['sh', '-c', serve],
      container: { volumeMounts: [{ name: 'conf', mountPath: '/conf' }] },
      pod: { volumes: [{ name: 'conf', configMap: { name: 'app' } }] },
    }),
  );
  await kubectl('rollout', 'status', 'ds/web', '-n', namespace, '--timeout=180s');
  urls = await Promise.all(NODES.map(async (node) => `http://${await addressOf(node)}:${PORT}/index.html`));
});
afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
});

describe('a DaemonSet whose config is rolled out', () => {
  it('is switched to it without a restart', async () => {
    const before = await fingerprint(namespace);
    await apply({
      apiVersion: 'fleetset.dev/v1',
      kind: 'RolloutPolicy',
      metadata: { name: 'config', namespace },
      spec: { daemonSets: ['web'], configRollout: true },
    });
    await eventually('its revision holds its config', async () =>
      /fleetset.dev\/config/.test(await kubectl('get', 'controllerrevisions', '-n', namespace, '-o', 'yaml')),
    );
    expect(await fingerprint(namespace)).toBe(before);
  });

  it('gets a good change node by node', async () => {
    const watch = watchDowntime(urls);
    await setText('two');
    await eventually('all have it', async () => String(await texts()) === 'two,two,two');
    await watch.stop();
    expect(watch.worst()).toBeLessThanOrEqual(1);
    expect(await history()).toMatch(/2 +configmap\/app changed/);
    expect(await status()).toMatchObject({ code: 0 });
  });

  it('goes back to the old config by itself when the new one crashes', async () => {
    const watch = watchDowntime(urls);
    await setText('crash');
    await eventually(
      'the rollout has failed',
      async () => /RolledBack/.test(await kubectl('get', 'rollouts', '-n', namespace)),
      120_000,
    );
    await eventually('all answer', async () => String(await texts()) === 'two,two,two');
    await watch.stop();
    expect(watch.worst()).toBeLessThanOrEqual(1);
    expect(await history()).toMatch(/3 +configmap\/app changed \[failed, back to \w+: .*CrashLoopBackOff/);
    expect(await status()).toMatchObject({ code: 1 });
  });

  it('is brought back by kubectl rollout undo', async () => {
    await setText('three');
    await eventually('all have it', async () => String(await texts()) === 'three,three,three');
    await kubectl('rollout', 'undo', 'ds/web', '-n', namespace, '--to-revision=1');
    await eventually('the first config is back', async () => String(await texts()) === 'one,one,one');
  });
});
