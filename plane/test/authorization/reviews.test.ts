// What the reviews answer: who may do what, by any client's question.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { actingAs, give, RBAC, rule, user } from '../support/people.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

let plane: TestPlane;
let given: string;
beforeAll(async () => {
  plane = await startTestPlane();
  given = await give(plane, {
    namespace: 'default',
    rules: [rule('get,list', 'pods,pods/log')],
    subjects: [user('jane')],
  });
  await give(plane, { rules: [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }], subjects: [user('jane')] });
});
afterAll(() => plane.stop());

const AUTHORIZATION = '/apis/authorization.k8s.io/v1';
const pods = (more: Json = {}) => ({ namespace: 'default', verb: 'get', resource: 'pods', ...more });
const ask = async (plural: string, spec: Json, as = 'jane', namespace?: string): Promise<Json> => {
  const path = `${AUTHORIZATION}${namespace ? `/namespaces/${namespace}` : ''}/${plural}`;
  const { status, json } = await actingAs(plane, as).call('POST', path, { spec });
  return status === 201 ? json.status : json;
};
const self = (spec: Json, as?: string) => ask('selfsubjectaccessreviews', spec, as);
const subject = async (spec: Json): Promise<Json> =>
  (await plane.api.call('POST', `${AUTHORIZATION}/subjectaccessreviews`, { spec })).json;

describe('SelfSubjectAccessReview', () => {
  it('says yes, and by what', async () => {
    expect(await self({ resourceAttributes: pods() })).toEqual({
      allowed: true,
      reason: `RBAC: allowed by RoleBinding "${given}/default" of Role "${given}" to User "jane"`,
    });
    expect((await self({ nonResourceAttributes: { verb: 'get', path: '/metrics' } })).allowed).toBe(true);
    expect((await self({ resourceAttributes: pods({ subresource: 'log' }) })).allowed).toBe(true);
  });

  it.each<[string, Json]>([
    ['another verb', pods({ verb: 'delete' })],
    ['another namespace', pods({ namespace: 'kube-system' })],
    ['all namespaces', pods({ namespace: '' })],
    ['a subresource', pods({ subresource: 'exec' })],
    ['everything', pods({ verb: '*', resource: '*', group: '*' })],
  ])('says no to %s', async (_, resourceAttributes) => {
    expect(await self({ resourceAttributes })).toEqual({ allowed: false });
  });

  it('wants one question, and knows its fields', async () => {
    const both = { resourceAttributes: pods(), nonResourceAttributes: { verb: 'get', path: '/' } };
    for (const spec of [{}, both]) expect((await self(spec)).reason).toBe('Invalid');
    const path = `${AUTHORIZATION}/selfsubjectaccessreviews?fieldValidation=Strict`;
    const { status } = await plane.api.call('POST', path, { spec: { resourceAttributes: { what: 1 } } });
    expect(status).toBe(400);
    expect((await plane.api.call('GET', `${AUTHORIZATION}/selfsubjectaccessreviews`)).status).toBe(405);
  });
});

describe('SubjectAccessReview', () => {
  it('asks for another, by user and groups', async () => {
    const spec = { resourceAttributes: pods() };
    expect((await subject({ ...spec, user: 'jane' })).status.allowed).toBe(true);
    expect((await subject({ ...spec, user: 'tom' })).status.allowed).toBe(false);
    expect((await subject({ ...spec, groups: ['system:masters'] })).status.allowed).toBe(true);
    expect((await subject(spec)).details.causes[0].field).toBe('spec.user');
  });

  it('is for who may ask it', async () => {
    const { message } = await ask('subjectaccessreviews', { user: 'x', resourceAttributes: pods() });
    expect(message).toContain('User "jane" cannot create resource "subjectaccessreviews"');
  });

  it('in a namespace stays there', async () => {
    const local = async (spec: Json) =>
      (
        await plane.api.call('POST', `${AUTHORIZATION}/namespaces/default/localsubjectaccessreviews`, {
          spec,
        })
      ).json;
    expect((await local({ user: 'jane', resourceAttributes: pods() })).status.allowed).toBe(true);
    const elsewhere = await local({ user: 'jane', resourceAttributes: pods({ namespace: 'kube-system' }) });
    expect(elsewhere.details.causes[0].field).toBe('spec.resourceAttributes.namespace');
    const path = await local({ user: 'jane', nonResourceAttributes: { verb: 'get', path: '/' } });
    expect(path.details.causes[0].field).toBe('spec.nonResourceAttributes');
  });
});

describe('SelfSubjectRulesReview', () => {
  it('lists what one holds in a namespace', async () => {
    const { resourceRules, nonResourceRules, incomplete } = await ask('selfsubjectrulesreviews', {
      namespace: 'default',
    });
    expect(resourceRules).toContainEqual({
      verbs: ['get', 'list'],
      apiGroups: [''],
      resources: ['pods', 'pods/log'],
    });
    expect(nonResourceRules).toContainEqual({ verbs: ['get'], nonResourceURLs: ['/metrics'] });
    expect(incomplete).toBe(false);
    const elsewhere = await ask('selfsubjectrulesreviews', { namespace: 'kube-system' });
    expect(JSON.stringify(elsewhere)).not.toContain('pods/log');
    expect((await ask('selfsubjectrulesreviews', {})).reason).toBe('BadRequest');
  });
});

describe('SelfSubjectReview', () => {
  it('answers kubectl 1.27 in the only version it knows', async () => {
    const apiVersion = 'authentication.k8s.io/v1beta1';
    const path = '/apis/authentication.k8s.io/v1beta1/selfsubjectreviews';
    const { json } = await plane.api.call('POST', path, { apiVersion, kind: 'SelfSubjectReview' });
    expect([json.apiVersion, json.status.userInfo.username]).toEqual([apiVersion, 'fleetset-admin']);
    expect((await plane.api.call('GET', '/apis/authentication.k8s.io/v1beta1')).status).toBe(404);
  });
});

describe('every review', () => {
  it('agrees with what the API does', async () => {
    const jane = actingAs(plane, 'jane');
    for (const [verb, method, path, attributes] of [
      ['list', 'GET', '/api/v1/namespaces/default/pods', pods({ verb: 'list' })],
      ['watch', 'GET', '/api/v1/namespaces/default/pods?watch=1', pods({ verb: 'watch' })],
      ['list', 'GET', '/api/v1/pods', pods({ verb: 'list', namespace: '' })],
      ['delete', 'DELETE', '/api/v1/namespaces/default/pods/x', pods({ verb: 'delete', name: 'x' })],
      [
        'get',
        'GET',
        `${RBAC}/clusterroles/view`,
        { verb: 'get', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
      ],
    ] as const) {
      const { allowed } = await self({ resourceAttributes: attributes });
      const { status } = await jane.call(method, path);
      expect([verb, path, status !== 403]).toEqual([verb, path, allowed]);
    }
  });
});
