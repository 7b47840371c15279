// Kubernetes' own client library for Node against a plane: what programs do all day, and an informer that lives through
// a restart of the plane and through a past that the plane no longer knows.
import {
  AppsV1Api,
  CoreV1Api,
  type Informer,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  type ObjectCache,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  type V1DaemonSet,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { type LonePlane, startLonePlane } from '../src/lone-plane.ts';

let plane: LonePlane;
const config = new KubeConfig();
let core: CoreV1Api;
beforeAll(async () => {
  plane = await startLonePlane();
  config.loadFromFile(plane.kubeconfig);
  core = config.makeApiClient(CoreV1Api);
});
afterAll(() => plane.remove());

const namespace = 'default';
const mapOf = (name: string, data: { [key: string]: string } = { key: 'value' }): V1ConfigMap => ({
  metadata: { name, namespace, labels: { part: 'test' } },
  data,
});
const daemonSet = (name: string, image = 'example/web:1'): V1DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image }] },
    },
  },
});

describe('typed calls', () => {
  it('create, read, list, replace, patch and delete', async () => {
    const made = await core.createNamespacedConfigMap({ namespace, body: mapOf('crud') });
    expect(made.metadata?.creationTimestamp).toBeInstanceOf(Date);
    const read = await core.readNamespacedConfigMap({ name: 'crud', namespace });
    expect(read.data).toEqual({ key: 'value' });
    const replaced = await core.replaceNamespacedConfigMap({
      name: 'crud',
      namespace,
      body: { ...read, data: { key: 'other' } },
    });
    expect(replaced.data).toEqual({ key: 'other' });
    const patched = await core.patchNamespacedConfigMap(
      { name: 'crud', namespace, body: { data: { more: 'yes' } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    expect(patched.data).toEqual({ key: 'other', more: 'yes' });
    const listed = await core.listNamespacedConfigMap({ namespace, labelSelector: 'part=test' });
    expect(listed.items.map(({ metadata }) => metadata?.name)).toEqual(['crud']);
    await core.deleteNamespacedConfigMap({ name: 'crud', namespace });
    await expect(core.readNamespacedConfigMap({ name: 'crud', namespace })).rejects.toMatchObject({
      code: 404,
    });
  });

  it('conflict with an older version, as the library tells it', async () => {
    const made = await core.createNamespacedConfigMap({ namespace, body: mapOf('conflict') });
    await core.replaceNamespacedConfigMap({
      name: 'conflict',
      namespace,
      body: { ...made, data: { a: '1' } },
    });
    await expect(
      core.replaceNamespacedConfigMap({ name: 'conflict', namespace, body: { ...made, data: { a: '2' } } }),
    ).rejects.toMatchObject({ code: 409 });
    await core.deleteNamespacedConfigMap({ name: 'conflict', namespace });
  });

  it('page through a list', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `page-${index}`);
    for (const name of names) await core.createNamespacedConfigMap({ namespace, body: mapOf(name) });
    const found: (string | undefined)[] = [];
    let token: string | undefined;
    do {
      const page = await core.listNamespacedConfigMap({
        namespace,
        // Every namespace has kube-root-ca.crt.
        labelSelector: 'part=test',
        limit: 3,
        ...(token ? { _continue: token } : {}),
      });
      found.push(...page.items.map(({ metadata }) => metadata?.name));
      token = page.metadata?._continue;
    } while (token);
    expect(found).toEqual(names);
    const labelSelector = 'part=test';
    await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector });
    expect((await core.listNamespacedConfigMap({ namespace, labelSelector })).items).toEqual([]);
  });

  it('read a DaemonSet with its defaults', async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const made = await apps.createNamespacedDaemonSet({ namespace, body: daemonSet('typed') });
    expect(made.spec?.updateStrategy).toEqual({
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
    });
    await apps.deleteNamespacedDaemonSet({ name: 'typed', namespace });
  });
});

describe('untyped calls', () => {
  it('apply on the server: created, unchanged, in conflict, taken over', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const apply = (image: string, manager: string, force?: boolean) =>
      objects.patch(
        daemonSet('applied', image),
        undefined,
        undefined,
        manager,
        force,
        PatchStrategy.ServerSideApply,
      );
    const made = await apply('example/web:1', 'alpha');
    const again = await apply('example/web:1', 'alpha');
    // The plane writes the status meanwhile: the version says nothing here.
    expect(again.metadata?.generation).toBe(1);
    expect(again.metadata?.managedFields).toEqual(made.metadata?.managedFields);
    await expect(apply('example/web:2', 'beta')).rejects.toMatchObject({ code: 409 });
    const taken = await apply('example/web:2', 'beta', true);
    expect(taken.metadata?.managedFields?.map(({ manager }) => manager)).toEqual(['alpha', 'beta']);
    await objects.delete(daemonSet('applied'));
  });
});

const versionOf = ({ metadata }: V1ConfigMap): string => metadata?.resourceVersion ?? '';

describe('a watch', () => {
  it('tells what happens, in order', async () => {
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    const seen: string[] = [];
    const ended: unknown[] = [];
    const request = await new Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { resourceVersion: metadata?.resourceVersion, allowWatchBookmarks: true },
      (type, object: V1ConfigMap) => {
        // One comes each minute.
        if (type !== 'BOOKMARK') seen.push(`${type} ${object.metadata?.name} ${object.data?.key}`);
      },
      (error) => ended.push(error),
    );
    await core.createNamespacedConfigMap({ namespace, body: mapOf('watched', { key: '1' }) });
    await core.replaceNamespacedConfigMap({
      name: 'watched',
      namespace,
      body: mapOf('watched', { key: '2' }),
    });
    await core.deleteNamespacedConfigMap({ name: 'watched', namespace });
    await eventually('three events', () => seen.length >= 3);
    expect(seen).toEqual(['ADDED watched 1', 'MODIFIED watched 2', 'DELETED watched 2']);
    request.abort();
    await eventually('its end', () => ended.length > 0);
  });
});

/** What a plane remembers of one collection is bounded: so much is beyond it. */
async function outgrowThePast(): Promise<void> {
  const big = 'x'.repeat(900 * 1024);
  await core.createNamespacedConfigMap({ namespace, body: mapOf('big') });
  for (let number = 0; number < 90; number++)
    await core.replaceNamespacedConfigMap({
      name: 'big',
      namespace,
      body: mapOf('big', { big, number: String(number) }),
    });
  await core.deleteNamespacedConfigMap({ name: 'big', namespace });
}

describe('an informer', () => {
  let informer: Informer<V1ConfigMap> & ObjectCache<V1ConfigMap>;
  const heard: string[] = [];
  const holds = () =>
    Object.fromEntries(informer.list().map((object) => [object.metadata?.name ?? '', versionOf(object)]));
  const settles = () =>
    eventually('it holds what is there', async () => {
      const { items } = await core.listNamespacedConfigMap({ namespace });
      const there = Object.fromEntries(
        items.map((object) => [object.metadata?.name ?? '', versionOf(object)]),
      );
      expect(holds()).toEqual(there);
      return true;
    });

  beforeAll(async () => {
    informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, () =>
      core.listNamespacedConfigMap({ namespace }),
    );
    for (const verb of ['add', 'update', 'delete'] as const)
      informer.on(verb, (object) => void heard.push(`${verb} ${object.metadata?.name}`));
    // As the library's documentation has it.
    informer.on('error', () => void setTimeout(() => void informer.start().catch(() => {}), 200));
    await core.createNamespacedConfigMap({ namespace, body: mapOf('first') });
    await informer.start();
  });
  afterAll(() => informer.stop());

  it('hears of what is there and what happens', async () => {
    await settles();
    await core.createNamespacedConfigMap({ namespace, body: mapOf('second') });
    await eventually('it hears', () => heard.includes('add second'));
    await settles();
  });

  it('goes on after a restart of the plane', async () => {
    await plane.stop();
    await plane.start();
    await core.replaceNamespacedConfigMap({
      name: 'first',
      namespace,
      body: mapOf('first', { key: 'after' }),
    });
    await core.deleteNamespacedConfigMap({ name: 'second', namespace });
    await settles();
  });

  it('goes on when its past is no longer known', async () => {
    const { metadata } = await core.listNamespacedConfigMap({ namespace });
    await informer.stop();
    await outgrowThePast();
    await core.createNamespacedConfigMap({ namespace, body: mapOf('meanwhile') });
    const ended: { code?: number; statusCode?: number; message?: string }[] = [];
    await new Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { resourceVersion: metadata?.resourceVersion },
      () => {},
      (error) => ended.push(error),
    );
    await eventually('its end', () => ended.length > 0);
    expect(JSON.stringify([ended[0], ended[0]?.message])).toMatch(/410|Gone|Expired/);
    await informer.start();
    await settles();
  });
});
