// What a node may do at the API with its own certificate: what is its own, and nothing of another node.
import type { PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admitWrite } from '../../src/authorization/admit-write.ts';
import { createAuthorizer } from '../../src/authorization/authorizer.ts';
import { configMapKind } from '../../src/kinds/plain-kinds.ts';
import { type ApiClient, createApiClient, type Json, STRATEGIC } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { configMap, daemonSet, NODES, PODS, SETS } from '../support/manifests.ts';
import { holderOf } from '../support/people.ts';
import { newest, placement, podReport } from '../support/reports.ts';
import { storeFile } from '../support/store.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';
const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';

let plane: TestPlane;
let mine: HollowMember;
let other: HollowMember;
let node: ApiClient;
let reported: PodReport[];
const podOf: { [node: string]: Json } = {};

beforeAll(async () => {
  plane = await startTestPlane();
  for (const name of ['settings', 'registry', 'unnamed']) {
    await plane.api.ok('POST', MAPS, configMap(name));
    await plane.api.ok('POST', SECRETS, { metadata: { name } });
  }
  await plane.api.ok('POST', ACCOUNTS, { metadata: { name: 'web' } });
  const containers = [
    {
      name: 'main',
      image: 'example/web:1',
      envFrom: [{ configMapRef: { name: 'settings' } }, { secretRef: { name: 'settings' } }],
    },
  ];
  const pod = { containers, imagePullSecrets: [{ name: 'registry' }], serviceAccountName: 'web' };
  const options = { pod, maxUnavailable: 2 };
  const set = await plane.api.ok('POST', SETS, daemonSet('web', options));
  mine = await joinMember(plane);
  other = await joinMember(plane);
  for (const member of [mine, other]) {
    member.report({ placements: [placement(set, 'Run')] });
    const pod = podReport(set, await member.granted(set));
    member.report({ placements: [placement(set, 'Run')], pods: [pod] });
    if (member === mine) reported = [pod];
    podOf[member.name] = await until('the pod is there', async () => {
      const { status, json } = await plane.api.call('GET', `${PODS}/${pod.name}`);
      return status === 200 && json;
    });
  }
  const { caCertificate: ca, key, certificate: cert } = mine.identity;
  node = createApiClient(() => plane.apiPort, { ca, key, cert });
});
afterAll(async () => {
  node.close();
  mine.leave();
  other.leave();
  await plane.stop();
});

const nameOf = (member: HollowMember): string => podOf[member.name].metadata.name;
const boundTo = (pod: Json) => ({
  spec: { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: pod.metadata.name, uid: pod.metadata.uid } },
});

describe('a node', () => {
  it('sees itself, its pods, and the config and secrets that they name', async () => {
    for (const path of [
      `${NODES}/${mine.name}`,
      `${NODES}?fieldSelector=metadata.name%3D${mine.name}`,
      `${PODS}/${nameOf(mine)}`,
      `/api/v1/pods?fieldSelector=spec.nodeName%3D${mine.name}`,
      `${MAPS}/settings`,
      `${SECRETS}/settings`,
      `${SECRETS}/registry`,
      '/api',
      '/version',
    ])
      expect([path, (await node.call('GET', path)).status]).toEqual([path, 200]);
  });

  it('sees nothing of others', async () => {
    for (const path of [
      NODES,
      `${NODES}/${other.name}`,
      PODS,
      `${PODS}/${nameOf(other)}`,
      `/api/v1/pods?fieldSelector=spec.nodeName%3D${other.name}`,
      `/api/v1/pods?fieldSelector=spec.nodeName!%3D${mine.name}`,
      `${PODS}/${nameOf(mine)}/log`,
      MAPS,
      SECRETS,
      `${MAPS}/unnamed`,
      `${SECRETS}/unnamed`,
      '/api/v1/namespaces/kube-system/secrets/settings',
      SETS,
    ])
      expect([path, (await node.call('GET', path)).status]).toEqual([path, 403]);
    expect((await node.call('GET', `${SECRETS}/unnamed`)).json.message).toBe(
      `secrets "unnamed" is forbidden: User "system:node:${mine.name}" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node '${mine.name}' and this object`,
    );
  });

  it('sees the Secrets that its pods are pulled with by their account, and none that it makes up', async () => {
    await plane.api.ok(
      'PATCH',
      `${ACCOUNTS}/default`,
      { imagePullSecrets: [{ name: 'given' }] },
      { type: STRATEGIC },
    );
    await plane.api.ok('POST', SECRETS, { metadata: { name: 'given' } });
    const seen = async () =>
      Promise.all(
        ['given', 'unnamed'].map(async (name) => (await node.call('GET', `${SECRETS}/${name}`)).status),
      );
    expect(await seen()).toEqual([403, 403]);
    const set = await plane.api.ok('POST', SETS, daemonSet('given', {}));
    const revision = await mine.granted(set);
    const pod = podReport(set, revision, { pullSecrets: ['given', 'unnamed'] });
    mine.report({ placements: [placement(set, 'Run')], pods: [...reported, pod] });
    await until(
      'it is shown',
      async () => (await plane.api.call('GET', `${PODS}/${pod.name}`)).status === 200,
    );
    expect(await seen()).toEqual([200, 403]);
    await plane.api.ok(
      'PATCH',
      `${ACCOUNTS}/default`,
      { imagePullSecrets: [] },
      { type: 'application/merge-patch+json' },
    );
    expect(await seen()).toEqual([403, 403]);
    mine.report({ placements: [placement(set, 'Run')], pods: reported });
    await plane.api.ok('DELETE', `${SETS}/given`);
  });

  it('writes nothing but events', async () => {
    const merge = { type: 'application/merge-patch+json' };
    for (const [method, path] of [
      ['PATCH', `${NODES}/${mine.name}`],
      ['DELETE', `${NODES}/${mine.name}`],
      ['DELETE', `${PODS}/${nameOf(mine)}`],
      ['PATCH', `${SECRETS}/settings`],
      ['POST', SETS],
    ] as const)
      expect([path, (await node.call(method, path, {}, merge)).status]).toEqual([path, 403]);
    const event = {
      metadata: { name: 'e' },
      involvedObject: { kind: 'Pod', name: 'x', namespace: 'default' },
    };
    expect((await node.call('POST', '/api/v1/namespaces/default/events', event)).status).toBe(201);
  });

  it('gets tokens for the accounts of its own pods', async () => {
    const reply = await node.call('POST', `${ACCOUNTS}/web/token`, boundTo(podOf[mine.name]));
    expect(reply.status).toBe(201);
    expect((await node.call('POST', `${ACCOUNTS}/default/token`, { spec: {} })).status).toBe(403);
    // The bug this found: a node that was taken over could get one for a century, of no pod or of another node's.
    for (const [asked, why] of [
      [{ spec: { expirationSeconds: 3_000_000_000 } }, 'not bound to a pod'],
      [
        { spec: { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'settings' } } },
        'not bound to a pod',
      ],
      [
        { spec: { boundObjectRef: { kind: 'Node', apiVersion: 'v1', name: mine.name } } },
        'not bound to a pod',
      ],
      [boundTo(podOf[other.name]), 'bound to a pod scheduled on a different node'],
    ] as const) {
      const { status, json } = await node.call('POST', `${ACCOUNTS}/web/token`, asked);
      expect([status, json.message]).toEqual([
        403,
        `serviceaccounts "web" is forbidden: node requested token ${why}`,
      ]);
    }
    const wrong = await plane.api.call('POST', `${ACCOUNTS}/default/token`, boundTo(podOf[mine.name]));
    expect(wrong.json.message).toContain('to pod running with different serviceaccount name');
  });
});

describe('a node that says it runs what is not for it', () => {
  // The bug this found: by a pod that it made up it got every Secret that any DaemonSet names, and their accounts.
  it('is told and given no Secret of it, and no token', async () => {
    const vault = { 'node-restriction.kubernetes.io/vault': 'yes' };
    await plane.api.ok('POST', SECRETS, { metadata: { name: 'vault-key' } });
    await plane.api.ok('POST', ACCOUNTS, { metadata: { name: 'vault' } });
    const containers = [{ name: 'main', image: 'v:1', envFrom: [{ secretRef: { name: 'vault-key' } }] }];
    const pod = { containers, nodeSelector: vault, serviceAccountName: 'vault' };
    const set = await plane.api.ok('POST', SETS, daemonSet('vault', { pod }));
    const revision = await until('its revision', async () => {
      const { items } = await plane.api.ok('GET', '/apis/apps/v1/namespaces/default/controllerrevisions');
      const [own] = items.filter(({ metadata }: Json) => metadata.ownerReferences[0].name === 'vault');
      return own?.metadata.labels['controller-revision-hash'];
    });
    const liar = await joinMember(plane);
    liar.report({ placements: [placement(set, 'Run')], pods: [podReport(set, revision)] });
    const made = await until('the pod is shown', async () => {
      const { items } = await plane.api.ok('GET', `${PODS}?fieldSelector=spec.nodeName%3D${liar.name}`);
      return items[0];
    });
    const { caCertificate: ca, key, certificate: cert } = liar.identity;
    const asked = createApiClient(() => plane.apiPort, { ca, key, cert });
    const code = async (...request: Parameters<ApiClient['call']>) => (await asked.call(...request)).status;
    const token = () => code('POST', `${ACCOUNTS}/vault/token`, boundTo(made));
    expect([await code('GET', `${SECRETS}/vault-key`), await token()]).toEqual([403, 403]);
    await untilTold(liar, set);
    expect(secretsTold(liar)).not.toContain('vault-key');
    // Once an operator says so it is for it.
    await plane.api.ok(
      'PATCH',
      `${NODES}/${liar.name}`,
      { metadata: { labels: vault } },
      { type: STRATEGIC },
    );
    expect([await code('GET', `${SECRETS}/vault-key`), await token()]).toEqual([200, 201]);
    await until('it is told', () => secretsTold(liar).includes('vault-key'));
    asked.close();
    liar.leave();
  });

  const untilTold = (member: HollowMember, set: Json) =>
    until('the DaemonSet is told', () =>
      newest(member.stream)?.daemonSets.some(({ uid }) => uid === set.metadata.uid),
    );
  const secretsTold = (member: HollowMember): string[] =>
    (newest(member.stream)?.configs ?? []).map(({ name }) => name);
});

describe('a token bound to a pod', () => {
  it('says where the pod is, and ends with it', async () => {
    const pod = podOf[mine.name];
    const { status } = await plane.api.ok('POST', `${ACCOUNTS}/web/token`, boundTo(pod));
    const holder = holderOf(plane, status.token);
    const who = () => holder.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
    const { uid } = (await plane.api.ok('GET', `${NODES}/${mine.name}`)).metadata;
    expect((await who()).json.status.userInfo.extra).toMatchObject({
      'authentication.kubernetes.io/pod-name': [pod.metadata.name],
      'authentication.kubernetes.io/pod-uid': [pod.metadata.uid],
      'authentication.kubernetes.io/node-name': [mine.name],
      'authentication.kubernetes.io/node-uid': [uid],
    });
    await plane.api.ok('DELETE', `${PODS}/${pod.metadata.name}`, { gracePeriodSeconds: 0 });
    await until('the token is void', async () => (await who()).status === 401);
    holder.close();
  });
});

describe('a write that is admitted', () => {
  const write = { kind: configMapKind, object: configMap('x'), old: undefined };
  it('makes an object only for who may create it, whatever the request was called', async () => {
    const store = storeFile().open();
    const authorizer = createAuthorizer(store);
    const jane = { name: 'jane', groups: [] };
    expect(() => admitWrite(authorizer, jane, { ...write, isCreate: false })).toThrow(
      /cannot create resource/,
    );
    admitWrite(authorizer, jane, { ...write, isCreate: true });
    admitWrite(authorizer, jane, { ...write, old: configMap('x'), isCreate: false });
    authorizer.close();
    await store.close();
  });

  it('of a Lease is that of the node itself', async () => {
    const store = storeFile().open();
    const authorizer = createAuthorizer(store);
    const self = { name: 'system:node:a', groups: ['system:nodes'] };
    const lease = { ...configMapKind, group: 'coordination.k8s.io', kind: 'Lease', plural: 'leases' };
    const named = (name: string) => ({ ...write, kind: lease, object: configMap(name), isCreate: true });
    admitWrite(authorizer, self, named('a'));
    expect(() => admitWrite(authorizer, self, named('b'))).toThrow(
      /can only access node lease with the same name/,
    );
    authorizer.close();
    await store.close();
  });
});
