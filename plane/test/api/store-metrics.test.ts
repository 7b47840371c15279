// What the plane's memory consists of, as its metrics tell it. Real HTTPS.
import { afterEach, expect, it } from 'vitest';
import { configMap } from '../support/manifests.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
let plane: TestPlane;
afterEach(() => plane.stop());

it('the metrics count what is kept of each resource, and what is remembered of its past', async () => {
  plane = await startTestPlane();
  const figuresOf = async (resource: string) => {
    const { text } = await plane.api.call('GET', '/metrics');
    const figure = (name: string) =>
      Number(new RegExp(`^${name}\\{resource="${resource}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
    return {
      objects: figure('apiserver_storage_objects'),
      changes: figure('fleetset_plane_history_changes'),
      bytes: figure('fleetset_plane_history_bytes'),
    };
  };
  const before = await figuresOf('configmaps');
  await plane.api.call('POST', MAPS, configMap('a', { text: 'x'.repeat(5000) }));
  const made = await figuresOf('configmaps');
  expect([made.objects - before.objects, made.changes - before.changes]).toEqual([1, 1]);
  await plane.api.call('DELETE', `${MAPS}/a`);
  const gone = await figuresOf('configmaps');
  expect([gone.objects - before.objects, gone.changes - before.changes]).toEqual([0, 2]);
  // The history alone keeps it now.
  expect(gone.bytes - made.bytes).toBeGreaterThan(5000);
  expect((await figuresOf('clusterroles.rbac.authorization.k8s.io')).objects).toBeGreaterThan(0);
});
