// Pods and their ServiceAccounts: what a node is told before a pod is born, what the pod then shows, and the tokens that
// its node may have for it.
import { once } from 'node:events';
import { connect } from 'node:tls';
import type { TokenIssued } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { caOf } from '../support/hollow-agent.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { configMap, daemonSet, newNamespace, PODS, SETS } from '../support/manifests.ts';
import { holderOf } from '../support/people.ts';
import { newest, placement, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
const clockOffMs = 0;
beforeAll(async () => {
  plane = await startTestPlane({ clockOffMs: () => clockOffMs });
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const CA_MAPS = (namespace: string) => `/api/v1/namespaces/${namespace}/configmaps/kube-root-ca.crt`;
const VOLUME = 'kube-api-access-abcde';

let count = 0;
const newSet = (pod: Json = {}): Promise<Json> =>
  plane.api.ok('POST', SETS, daemonSet(`a${++count}`, { pod }));
const toldAccount = (member: HollowMember, set: Json) =>
  newest(member.stream)?.daemonSets.find(({ uid }) => uid === set.metadata.uid)?.account;

/** A node on which a pod of the set was born with the volume. */
async function born(set: Json, member?: HollowMember, more: Json = {}) {
  const on = member ?? (await joinMember(plane));
  on.report({ placements: [placement(set, 'Run')] });
  const report = podReport(set, await on.granted(set), { accountVolume: VOLUME, ...more });
  const tell = () => on.report({ placements: [placement(set, 'Run')], pods: [report] });
  return { member: on, report, tell };
}
const shown = (name: string): Promise<Json> =>
  until('the pod is mirrored', async () => {
    const { status, json } = await plane.api.call('GET', `${PODS}/${name}`);
    return status === 200 && json;
  });
const wanted = (podUid: string, audience = '', expirationSeconds = 3607) => ({
  podUid,
  audience,
  expirationSeconds,
});
const ask = (member: HollowMember, value: ReturnType<typeof wanted>): Promise<TokenIssued> => {
  const before = member.stream.heard.filter(({ $case }) => $case === 'tokenIssued').length;
  member.stream.say({ $case: 'tokenWanted', value });
  return until(
    'the plane answers',
    () =>
      member.stream.heard.filter(({ $case }) => $case === 'tokenIssued')[before]?.value as
        | TokenIssued
        | undefined,
  );
};
const whoIs = async (token: string): Promise<Json> => {
  const holder = holderOf(plane, token);
  const { status, json } = await holder.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
  holder.close();
  return status === 201 ? json.status.userInfo : status;
};

describe('a node is told', () => {
  it('where pods find the API, and the account of each template as it is now', async () => {
    const set = await newSet({ serviceAccountName: 'late' });
    const member = await joinMember(plane);
    member.report({ placements: [placement(set, 'Run')] });
    await member.granted(set);
    expect(newest(member.stream)?.api).toEqual({ host: '127.0.0.1', port: plane.apiPort });
    expect(toldAccount(member, set)).toEqual({ name: 'late', missing: true, mount: false, pullSecrets: [] });
    await plane.api.ok('POST', ACCOUNTS, { metadata: { name: 'late' } });
    await until('it is there', () => toldAccount(member, set)?.missing === false);
    expect(toldAccount(member, set)?.mount).toBe(true);
    const never = { automountServiceAccountToken: false };
    await plane.api.ok('PATCH', `${ACCOUNTS}/late`, never, { type: 'application/merge-patch+json' });
    await until('it mounts nothing', () => toldAccount(member, set)?.mount === false);
    await plane.api.ok('DELETE', `${ACCOUNTS}/late`);
    await until('it is gone', () => toldAccount(member, set)?.missing === true);
    member.leave();
  });

  it('another address when the plane has another, which its certificate then names', async () => {
    const moving = await startTestPlane();
    onTestFinished(moving.stop);
    const member = await joinMember(moving);
    onTestFinished(member.leave);
    await until('it is told', () => newest(member.stream)?.api);
    const moved = { host: '192.0.2.77', port: 443 };
    await moving.restart({ advertiseApi: moved });
    await member.reconnect();
    await until('it is told where the API is now', () => newest(member.stream)?.api?.host === moved.host);
    expect(newest(member.stream)?.api).toEqual(moved);
    const socket = connect({ port: moving.apiPort, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    expect(socket.getPeerCertificate().subjectaltname).toContain(`IP Address:${moved.host}`);
    socket.destroy();
  });

  it('the CA of the API, in every namespace where it has to do', async () => {
    const set = await newSet();
    const member = await joinMember(plane);
    member.report({ placements: [placement(set, 'Run')] });
    await member.granted(set);
    const told = await until('it is told', () =>
      newest(member.stream)?.configs.find(({ name }) => name === 'kube-root-ca.crt'),
    );
    expect(told).toMatchObject({ kind: 'ConfigMap', namespace: 'default' });
    member.stream.say({ $case: 'bodiesWanted', value: { hashes: [told.hash] } });
    const has = ({ hash }: { readonly hash: string }) => hash === told.hash;
    const { bodies } = await member.stream.hear('bodies', (heard) => heard.bodies.some(has));
    expect(JSON.parse(Buffer.from(bodies.find(has)?.content ?? '').toString())).toEqual({
      data: { 'ca.crt': caOf(plane.dataDir) },
    });
    member.leave();
  });
});

describe('the ConfigMap kube-root-ca.crt', () => {
  it('is in a namespace from its first moment, and comes back as it was', async () => {
    const namespace = await newNamespace(plane.api);
    const path = CA_MAPS(namespace);
    const whole = { 'ca.crt': caOf(plane.dataDir) };
    expect((await plane.api.ok('GET', path)).data).toEqual(whole);
    const isWhole = async () => {
      const { json } = await plane.api.call('GET', path);
      return json.data?.['ca.crt'] === whole['ca.crt'] && Object.keys(json.data).length === 1;
    };
    await plane.api.ok('PUT', path, configMap('kube-root-ca.crt', { 'ca.crt': 'mine', more: 'x' }));
    await until('its data is back', isWhole);
    await plane.api.ok('DELETE', path);
    await until('it is back', isWhole);
    await plane.api.ok('DELETE', `/api/v1/namespaces/${namespace}`);
    await until('the namespace is gone', async () => (await plane.api.call('GET', path)).status === 404);
  });
});

describe('a pod', () => {
  it('shows what it was born with', async () => {
    const set = await newSet();
    const { member, report, tell } = await born(set);
    tell();
    const { spec } = await shown(report.name);
    expect(spec).toMatchObject({ serviceAccountName: 'default', serviceAccount: 'default' });
    expect(spec.volumes.map(({ name }: Json) => name)).toEqual([VOLUME]);
    expect(spec.containers[0].volumeMounts).toEqual([
      { name: VOLUME, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ]);
    member.leave();
  });

  it('shows the Secrets that its images are pulled with', async () => {
    const set = await newSet();
    const { member, report, tell } = await born(set, undefined, { pullSecrets: ['login'] });
    tell();
    expect((await shown(report.name)).spec.imagePullSecrets).toEqual([{ name: 'login' }]);
    member.leave();
  });

  it('that was born without shows none', async () => {
    const set = await newSet();
    const { member, report, tell } = await born(set, undefined, { accountVolume: '' });
    tell();
    const { spec } = await shown(report.name);
    expect([spec.serviceAccountName, spec.volumes]).toEqual(['default', undefined]);
    member.leave();
  });
});

describe('a token of a pod', () => {
  it('is its account’s, bound to pod and node, and void a minute after the pod is gone', async () => {
    await plane.api.ok('POST', ACCOUNTS, { metadata: { name: 'bot' } });
    const set = await newSet({ serviceAccountName: 'bot' });
    const { member, report, tell } = await born(set);
    tell();
    const issued = await ask(member, wanted(report.uid));
    expect(issued).toMatchObject({ ...wanted(report.uid), failure: '', lifetimeMs: 3_607_000 });
    const node = await plane.api.ok('GET', `/api/v1/nodes/${member.name}`);
    expect(await whoIs(issued.token)).toMatchObject({
      username: 'system:serviceaccount:default:bot',
      extra: {
        'authentication.kubernetes.io/pod-name': [report.name],
        'authentication.kubernetes.io/pod-uid': [report.uid],
        'authentication.kubernetes.io/node-name': [member.name],
        'authentication.kubernetes.io/node-uid': [node.metadata.uid],
      },
    });
    member.report({ placements: [placement(set, 'Run')], pods: [] });
    await until('the token is void', async () => (await whoIs(issued.token)) === 401);
    member.leave();
  });

  it('that is asked for before the pod is known comes with the report', async () => {
    const set = await newSet();
    const { member, report, tell } = await born(set);
    const answer = ask(member, wanted(report.uid));
    await turns();
    expect(member.stream.heard.some(({ $case }) => $case === 'tokenIssued')).toBe(false);
    tell();
    expect((await answer).token).not.toBe('');
    member.leave();
  });

  it.each<[string, string, number, string]>([
    ['another audience', 'vault', 3607, 'the pod has no volume with a token of 3607 s for vault'],
    ['another time', '', 99_999, 'the pod has no volume with a token of 99999 s for the API'],
  ])('for %s than its volumes name is refused', async (_case, audience, seconds, failure) => {
    const set = await newSet();
    const { member, report, tell } = await born(set);
    tell();
    expect(await ask(member, wanted(report.uid, audience, seconds))).toMatchObject({ token: '', failure });
    member.leave();
  });

  it('is had for whom a volume of the manifest is meant', async () => {
    const set = await newSet({
      containers: [{ name: 'main', image: 'i:1', volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
      volumes: [
        {
          name: 'v',
          projected: {
            sources: [{ serviceAccountToken: { path: 't', audience: 'vault', expirationSeconds: 600 } }],
          },
        },
      ],
    });
    const { member, report, tell } = await born(set, undefined, { accountVolume: '' });
    tell();
    const { token } = await ask(member, wanted(report.uid, 'vault', 600));
    expect(await whoIs(token)).toBe(401);
    const review = { spec: { token, audiences: ['vault'] } };
    const { status } = await plane.api.ok('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review);
    expect(status.audiences).toEqual(['vault']);
    member.leave();
  });

  it('is refused when its account is gone', async () => {
    await plane.api.ok('POST', ACCOUNTS, { metadata: { name: 'short' } });
    const set = await newSet({ serviceAccountName: 'short' });
    const { member, report, tell } = await born(set);
    tell();
    await plane.api.ok('DELETE', `${ACCOUNTS}/short`);
    expect((await ask(member, wanted(report.uid))).failure).toBe('serviceaccounts "short" not found');
    member.leave();
  });

  it('is not for a pod that a node makes up, of a DaemonSet that does not belong there', async () => {
    const set = await newSet({ nodeSelector: { 'node-restriction.kubernetes.io/vault': 'yes' } });
    const { member, report, tell } = await born(set);
    tell();
    expect(await ask(member, wanted(report.uid))).toMatchObject({
      token: '',
      failure: 'its DaemonSet does not belong on this node',
    });
    member.leave();
  });

  it('is never another node’s to have', async () => {
    const set = await newSet();
    const { member, report, tell } = await born(set);
    tell();
    await shown(report.name);
    const thief = await joinMember(plane);
    thief.stream.say({ $case: 'tokenWanted', value: wanted(report.uid) });
    thief.report({});
    // The answer to what was asked later has come.
    thief.stream.say({ $case: 'bodiesWanted', value: { hashes: [] } });
    await thief.stream.hear('bodies');
    await turns();
    expect(thief.stream.heard.some(({ $case }) => $case === 'tokenIssued')).toBe(false);
    member.leave();
    thief.leave();
  });
});
