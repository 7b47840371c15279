// Which ConfigMaps and Secrets a node is told of: those that its pods' templates name, at once when they change, and
// never a Secret that is not its own.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE } from '../support/api-client.ts';
import { isAnswered } from '../support/hollow-agent.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { configMap, daemonSet, NODES, PODS, SETS } from '../support/manifests.ts';
import { newest, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const SECRETS = '/api/v1/namespaces/default/secrets';

let plane: TestPlane;
let inside: HollowMember;
let outside: HollowMember;
beforeAll(async () => {
  plane = await startTestPlane();
  inside = await joinMember(plane, 'inside');
  outside = await joinMember(plane, 'outside');
  for (const member of [inside, outside]) member.report();
  await plane.api.ok('PATCH', `${NODES}/inside`, { metadata: { labels: { place: 'in' } } }, { type: MERGE });
});
afterAll(async () => {
  for (const member of [inside, outside]) member.leave();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const secret = (name: string, password: string): Json => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  stringData: { password },
});
/** Told wherever a DaemonSet belongs. */
const ROOT_CA = 'kube-root-ca.crt';
const names = (member: HollowMember) =>
  newest(member.stream)
    ?.configs.filter(({ name }) => name !== ROOT_CA)
    .map(({ kind, name, hash }) => `${kind}/${name}${hash === '' ? ' missing' : ''}`);
const hashOf = (member: HollowMember, name: string) =>
  newest(member.stream)?.configs.find((config) => config.name === name)?.hash;
const untilTold = (member: HollowMember, wanted: readonly string[]) =>
  until(
    `${member.name} is told of ${wanted}, not ${names(member)}`,
    () => String(names(member)) === String(wanted),
  );
/** How many desired states it has heard. */
const heard = (member: HollowMember) => member.stream.desired().length;
const settle = async () => {
  await turns(60);
  for (const { stream } of [inside, outside]) await isAnswered(stream);
};

const container = {
  name: 'main',
  image: 'web:1',
  envFrom: [{ configMapRef: { name: 'app' } }],
  volumeMounts: [{ name: 'key', mountPath: '/key' }],
};
const web = daemonSet('web', {
  pod: {
    nodeSelector: { place: 'in' },
    containers: [container],
    volumes: [
      { name: 'key', secret: { secretName: 'login' } },
      { name: 'unused', secret: { secretName: 'other' } },
    ],
  },
});

describe('a node', () => {
  beforeEach(async () => {
    for (const name of ['login', 'other']) await plane.api.ok('POST', SECRETS, secret(name, 's3cret'));
    await plane.api.ok('POST', SETS, web);
    await untilTold(inside, ['ConfigMap/app missing', 'Secret/login']);
  });
  afterEach(async () => {
    await plane.api.ok('DELETE', `${SETS}/web`);
    await untilTold(inside, []);
    for (const name of ['login', 'other']) await plane.api.ok('DELETE', `${SECRETS}/${name}`);
    await plane.api.call('DELETE', `${MAPS}/app`);
  });

  it('is told of what its pods name, what is missing included; others of nothing', async () => {
    expect(names(outside)).toEqual([]);
    await plane.api.ok('POST', MAPS, configMap('app', { level: 'debug' }));
    await untilTold(inside, ['ConfigMap/app', 'Secret/login']);
    inside.stream.say({ $case: 'bodiesWanted', value: { hashes: [hashOf(inside, 'app') ?? ''] } });
    const { bodies } = await inside.stream.hear('bodies', (value) => value.bodies.length === 1);
    expect(JSON.parse(Buffer.from(bodies[0]?.content ?? '').toString('utf8'))).toEqual({
      data: { level: 'debug' },
    });
    expect(names(outside)).toEqual([]);
  });

  it('hears of a change, of its own objects only, and only of one of what pods see', async () => {
    await plane.api.ok('POST', MAPS, configMap('app', { level: 'debug' }));
    await plane.api.ok('POST', MAPS, configMap('nobodys'));
    await untilTold(inside, ['ConfigMap/app', 'Secret/login']);
    await settle();
    const before = [heard(inside), heard(outside)];
    const [map, key] = [hashOf(inside, 'app'), hashOf(inside, 'login')];
    await plane.api.ok('PATCH', `${MAPS}/nobodys`, { data: { key: 'other' } }, { type: MERGE });
    await plane.api.ok('PATCH', `${MAPS}/app`, { metadata: { labels: { a: 'b' } } }, { type: MERGE });
    await plane.api.ok('PATCH', `${SECRETS}/other`, { stringData: { password: 'x' } }, { type: MERGE });
    await settle();
    expect([heard(inside), heard(outside)]).toEqual(before);
    await plane.api.ok('PATCH', `${MAPS}/app`, { data: { level: 'info' } }, { type: MERGE });
    await until('the new map is told', () => hashOf(inside, 'app') !== map);
    await plane.api.ok('PATCH', `${SECRETS}/login`, { stringData: { password: 'new' } }, { type: MERGE });
    await until('the new secret is told', () => hashOf(inside, 'login') !== key);
    await plane.api.ok('DELETE', `${MAPS}/app`);
    await untilTold(inside, ['ConfigMap/app missing', 'Secret/login']);
    expect(heard(outside)).toBe(before[1]);
    await plane.api.ok('DELETE', `${MAPS}/nobodys`);
  });

  it('is told of the Secrets that images are pulled with', async () => {
    const pulled = {
      ...web,
      metadata: { name: 'pulled' },
      spec: {
        ...web.spec,
        template: {
          ...web.spec.template,
          spec: { ...web.spec.template.spec, imagePullSecrets: [{ name: 'other' }, { name: 'none' }] },
        },
      },
    };
    await plane.api.ok('POST', SETS, pulled);
    await untilTold(inside, ['ConfigMap/app missing', 'Secret/login', 'Secret/none missing', 'Secret/other']);
    expect(names(outside)).toEqual([]);
    await plane.api.ok('DELETE', `${SETS}/pulled`);
    await untilTold(inside, ['ConfigMap/app missing', 'Secret/login']);
  });

  describe('of the Secrets of an account', () => {
    const account = (...secrets: string[]) => ({ imagePullSecrets: secrets.map((name) => ({ name })) });
    const pod = {
      nodeSelector: { place: 'in' },
      serviceAccountName: 'puller',
      containers: [{ name: 'a', image: 'a:1' }],
    };
    const given = daemonSet('given', { pod });
    const own = ['ConfigMap/app missing', 'Secret/login'];
    beforeEach(() => plane.api.ok('POST', ACCOUNTS, { metadata: { name: 'puller' }, ...account('other') }));
    afterEach(async () => {
      await plane.api.ok('DELETE', `${SETS}/given`);
      inside.report();
      await untilTold(inside, own);
      await plane.api.ok('DELETE', `${ACCOUNTS}/puller`);
    });
    const change = (...secrets: string[]) =>
      plane.api.ok('PATCH', `${ACCOUNTS}/puller`, account(...secrets), { type: MERGE });

    it('is told, where the DaemonSet belongs, and of others when they change', async () => {
      const set = await plane.api.ok('POST', SETS, given);
      await untilTold(inside, [...own, 'Secret/other']);
      const told = () =>
        newest(inside.stream)?.daemonSets.find(({ uid }) => uid === set.metadata.uid)?.account;
      expect(told()).toMatchObject({ name: 'puller', pullSecrets: ['other'] });
      expect(names(outside)).toEqual([]);
      await change('none', 'other', 'other');
      await untilTold(inside, [...own, 'Secret/none missing', 'Secret/other']);
      expect(told()?.pullSecrets).toEqual(['none', 'other']);
      await change();
      await untilTold(inside, own);
    });

    it('is not told where the pods name their own', async () => {
      const imagePullSecrets = [{ name: 'mine' }];
      await plane.api.ok('POST', SETS, daemonSet('given', { pod: { ...pod, imagePullSecrets } }));
      await untilTold(inside, [...own, 'Secret/mine missing']);
    });

    it('is told of what a pod was born with, as long as its account has it, and never of what a node makes up', async () => {
      const set = await plane.api.ok('POST', SETS, given);
      const born = { pullSecrets: ['other', 'made-up'] };
      inside.report({ pods: [podReport(set, await inside.granted(set), born)] });
      await plane.api.ok(
        'PATCH',
        `${SETS}/given`,
        { spec: { template: { spec: { serviceAccountName: 'default' } } } },
        { type: MERGE },
      );
      await until('the next is granted', () => {
        const told = newest(inside.stream)?.daemonSets.find(({ uid }) => uid === set.metadata.uid);
        return told?.account?.name === 'default';
      });
      expect(names(inside)).toEqual([...own, 'Secret/other']);
      await change('none');
      await untilTold(inside, own);
      await change('other');
      await untilTold(inside, [...own, 'Secret/other']);
    });

    it('is told of what a pod was born with that its DaemonSet left behind', async () => {
      const set = await plane.api.ok('POST', SETS, given);
      const report = podReport(set, await inside.granted(set), { pullSecrets: ['other'] });
      inside.report({ pods: [report] });
      const mirrored = () => plane.api.call('GET', `${PODS}/${report.name}`);
      await until('the pod is mirrored', async () => (await mirrored()).status === 200);
      await plane.api.ok('DELETE', `${SETS}/given`, { propagationPolicy: 'Orphan' });
      await until('the node is told that it is an orphan', () => newest(inside.stream)?.orphans.length === 1);
      expect(names(inside)).toEqual([...own, 'Secret/other']);
      inside.report();
      await untilTold(inside, own);
      await plane.api.ok('POST', SETS, given);
    });
  });

  it('is not given a Secret of another node, even by its hash', async () => {
    const hash = hashOf(inside, 'login') ?? '';
    for (const member of [outside, inside])
      member.stream.say({ $case: 'bodiesWanted', value: { hashes: [hash] } });
    await outside.stream.hear('bodies', ({ bodies }) => bodies.length === 0);
    const isThis = ({ $case, value }: (typeof outside.stream.heard)[number]) =>
      $case === 'bodies' && value.bodies.some((body) => body.hash === hash);
    await inside.stream.hear('bodies', (value) => isThis({ $case: 'bodies', value }));
    expect(outside.stream.heard.filter(isThis)).toEqual([]);
  });

  it('is told of what pods name that their DaemonSet left behind, as long as they are there', async () => {
    const left = await plane.api.ok('POST', SETS, { ...web, metadata: { name: 'left' } });
    const revision = await inside.granted(left);
    inside.report({ pods: [podReport(left, revision)] });
    // It says so, and the DaemonSet was never for it.
    outside.report({ pods: [podReport(left, revision)] });
    await plane.api.ok('DELETE', `${SETS}/web`);
    await plane.api.ok('DELETE', `${SETS}/left`, { propagationPolicy: 'Orphan' });
    for (const { stream } of [inside, outside])
      await until('the node is told that it is an orphan', () => newest(stream)?.orphans.length === 1);
    expect(names(inside)).toEqual(['ConfigMap/app missing', 'Secret/login']);
    await settle();
    expect(names(outside)).toEqual([]);
    outside.report();
    const before = hashOf(inside, 'login');
    await plane.api.ok('PATCH', `${SECRETS}/login`, { stringData: { password: 'new' } }, { type: MERGE });
    await until('the new secret is told', () => hashOf(inside, 'login') !== before);
    inside.report();
    await untilTold(inside, []);
    await plane.api.ok('POST', SETS, web);
  });

  it('that may only keep its pod hears what it needs to keep it, and one that may not hears no more', async () => {
    const set = await plane.api.ok('GET', `${SETS}/web`);
    inside.report({ pods: [podReport(set, await inside.granted(set))] });
    const taint = (effect?: string) =>
      plane.api.ok(
        'PATCH',
        `${NODES}/inside`,
        { spec: { taints: effect ? [{ key: 'apart', effect }] : null } },
        { type: MERGE },
      );
    await taint('NoSchedule');
    await until('the node is told', () => newest(inside.stream)?.taints.length === 1);
    expect(names(inside)).toEqual(['ConfigMap/app missing', 'Secret/login']);
    const before = hashOf(inside, 'login');
    await plane.api.ok('PATCH', `${SECRETS}/login`, { stringData: { password: 'new' } }, { type: MERGE });
    await until('the new secret is told', () => hashOf(inside, 'login') !== before);
    await taint('NoExecute');
    await untilTold(inside, []);
    await taint();
    inside.report();
    await untilTold(inside, ['ConfigMap/app missing', 'Secret/login']);
  });

  it('is told of none any more when it is no place for the DaemonSet', async () => {
    await plane.api.ok(
      'PATCH',
      `${NODES}/inside`,
      { metadata: { labels: { place: null } } },
      { type: MERGE },
    );
    await untilTold(inside, []);
    await plane.api.ok(
      'PATCH',
      `${NODES}/inside`,
      { metadata: { labels: { place: 'in' } } },
      { type: MERGE },
    );
    await untilTold(inside, ['ConfigMap/app missing', 'Secret/login']);
  });
});
