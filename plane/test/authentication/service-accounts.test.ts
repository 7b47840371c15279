// ServiceAccounts and their tokens: made on request, judged by what they are bound to, shown to others as a key.
import { createPublicKey, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { newNamespace } from '../support/manifests.ts';
import { account, actingAs, give, holderOf, rule } from '../support/people.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let clockOffMs = 0;
beforeAll(async () => {
  plane = await startTestPlane({ clockOffMs: () => clockOffMs });
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const ACCOUNTS = '/api/v1/namespaces/default/serviceaccounts';
const WHO = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const REVIEW = '/apis/authentication.k8s.io/v1/tokenreviews';

let count = 0;
async function newAccount(): Promise<string> {
  count += 1;
  await plane.api.ok('POST', ACCOUNTS, { metadata: { name: `bot-${count}` } });
  return `bot-${count}`;
}
const request = (name: string, spec: Json = {}, namespace = 'default') =>
  plane.api.call('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, { spec });
const tokenOf = async (name: string, spec: Json = {}): Promise<string> => {
  const { status, json } = await request(name, spec);
  expect([status, json.message]).toEqual([201, undefined]);
  return json.status.token;
};
const claimsOf = (token: string): Json =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
const whoIs = async (token: string): Promise<Json> => {
  const holder = holderOf(plane, token);
  const { status, json } = await holder.call('POST', WHO, {});
  holder.close();
  return status === 201 ? json.status.userInfo : status;
};

describe('the account default', () => {
  it('is in every namespace from its first moment, and comes back when it is deleted', async () => {
    for (const namespace of [
      'default',
      'kube-system',
      'kube-public',
      'kube-node-lease',
      await newNamespace(plane.api),
    ]) {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default`;
      const { uid } = (await plane.api.ok('GET', path)).metadata;
      await plane.api.ok('DELETE', path);
      await until(`${namespace} has a new one`, async () => {
        const { json } = await plane.api.call('GET', path);
        return json.metadata.uid !== undefined && json.metadata.uid !== uid;
      });
    }
  });

  it('keeps no namespace from going', async () => {
    const namespace = await newNamespace(plane.api);
    await plane.api.ok('DELETE', `/api/v1/namespaces/${namespace}`);
    await until(
      'it is gone',
      async () => (await plane.api.call('GET', `/api/v1/namespaces/${namespace}`)).status === 404,
    );
    const { items } = await plane.api.ok('GET', '/api/v1/serviceaccounts');
    expect(items.map(({ metadata }: Json) => metadata.namespace)).not.toContain(namespace);
  });
});

describe('a token', () => {
  it('makes its holder the account, which may do what it was given', async () => {
    const name = await newAccount();
    await give(plane, {
      namespace: 'default',
      rules: [rule('list', 'pods')],
      subjects: [account('default', name)],
    });
    const token = await tokenOf(name);
    const { uid } = (await plane.api.ok('GET', `${ACCOUNTS}/${name}`)).metadata;
    expect(await whoIs(token)).toEqual({
      username: `system:serviceaccount:default:${name}`,
      uid,
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claimsOf(token).jti}`] },
    });
    const holder = holderOf(plane, token);
    expect((await holder.call('GET', '/api/v1/namespaces/default/pods')).status).toBe(200);
    const { json } = await holder.call('GET', '/api/v1/namespaces/kube-system/pods');
    expect(json.message).toContain(
      `User "system:serviceaccount:default:${name}" cannot list resource "pods"`,
    );
    holder.close();
  });

  it('says what Kubernetes’ say, lasts an hour unless asked otherwise, and then is void', async () => {
    const name = await newAccount();
    const { json } = await request(name);
    const claims = claimsOf(json.status.token);
    const { uid } = (await plane.api.ok('GET', `${ACCOUNTS}/${name}`)).metadata;
    expect(claims).toMatchObject({
      iss: 'https://kubernetes.default.svc',
      aud: ['https://kubernetes.default.svc'],
      sub: `system:serviceaccount:default:${name}`,
      'kubernetes.io': { namespace: 'default', serviceaccount: { name, uid } },
    });
    expect(claims.exp - claims.iat).toBe(3600);
    expect(json.spec).toEqual({ audiences: claims.aud, expirationSeconds: 3600 });
    expect(Date.parse(json.status.expirationTimestamp)).toBe(claims.exp * 1000);
    const short = await tokenOf(name, { expirationSeconds: 600 });
    clockOffMs = 601_000;
    expect(await whoIs(short)).toBe(401);
    expect((await whoIs(json.status.token)).username).toBe(claims.sub);
    clockOffMs = -60_000;
    expect(await whoIs(short)).toBe(401);
    clockOffMs = 0;
  });

  it.each<[string, Json, number, string]>([
    [
      'too short',
      { expirationSeconds: 599 },
      422,
      'spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes',
    ],
    [
      'too long',
      { expirationSeconds: 2 ** 32 + 1 },
      422,
      'may not specify a duration larger than 2^32 seconds',
    ],
    [
      'bound to a kind',
      { boundObjectRef: { kind: 'ConfigMap', apiVersion: 'v1', name: 'x' } },
      400,
      'cannot bind token to object of type /v1, Kind=ConfigMap',
    ],
    [
      'bound to nothing',
      { boundObjectRef: { kind: 'Secret', apiVersion: 'v1', name: 'x' } },
      404,
      'secrets "x" not found',
    ],
    ['of wrong types', { audiences: 'me' }, 400, 'spec.audiences: expected a list'],
  ])('%s is refused', async (_, spec, status, message) => {
    const reply = await request('default', spec);
    expect(reply.status).toBe(status);
    expect(reply.json.message).toContain(message);
  });

  it('that names another account than its path is refused', async () => {
    const ask = async (metadata: Json) =>
      (await plane.api.call('POST', `${ACCOUNTS}/default/token`, { metadata, spec: {} })).json;
    expect(await ask({ name: 'other' })).toMatchObject({
      code: 422,
      message:
        'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "other": must match the service account name if specified',
    });
    expect(await ask({ namespace: 'other' })).toMatchObject({
      code: 400,
      message: 'the namespace of the provided object does not match the namespace sent on the request',
    });
    const { status } = await ask({ name: 'default', namespace: 'default' });
    expect(status.token).toMatch(/^ey/);
  });

  it('of an account that is not there is refused, as for who may not ask', async () => {
    expect((await request('nobody')).json.message).toBe('serviceaccounts "nobody" not found');
    const { json } = await actingAs(plane, 'jane').call('POST', `${ACCOUNTS}/default/token`, { spec: {} });
    expect(json.message).toBe(
      'serviceaccounts "default" is forbidden: User "jane" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default"',
    );
  });

  it('ends with its account, also when another of its name comes', async () => {
    const name = await newAccount();
    const token = await tokenOf(name);
    await plane.api.ok('DELETE', `${ACCOUNTS}/${name}`);
    expect(await whoIs(token)).toBe(401);
    await plane.api.ok('POST', ACCOUNTS, { metadata: { name } });
    expect(await whoIs(token)).toBe(401);
  });

  it('bound to a Secret ends with it', async () => {
    const secrets = '/api/v1/namespaces/default/secrets';
    const name = await newAccount();
    const { metadata } = await plane.api.ok('POST', secrets, { metadata: { name: 'anchor' } });
    const boundObjectRef = { kind: 'Secret', apiVersion: 'v1', name: 'anchor' };
    const wrong = await request(name, { boundObjectRef: { ...boundObjectRef, uid: 'other' } });
    expect(wrong.status).toBe(409);
    expect(wrong.json.message).toContain('does not match the UID in record');
    const token = await tokenOf(name, { boundObjectRef: { ...boundObjectRef, uid: metadata.uid } });
    expect((await whoIs(token)).username).toContain(name);
    await plane.api.ok('DELETE', `${secrets}/anchor`);
    expect(await whoIs(token)).toBe(401);
  });

  it('survives a restart of the plane; its key is for the plane alone', async () => {
    const token = await tokenOf(await newAccount());
    await plane.restart();
    expect((await whoIs(token)).username).toMatch(/^system:serviceaccount:/);
  });

  it('for somebody else is not good here, and good there', async () => {
    const name = await newAccount();
    const token = await tokenOf(name, { audiences: ['vault'] });
    expect(await whoIs(token)).toBe(401);
    const review = (audiences?: string[]) =>
      plane.api.ok('POST', REVIEW, { spec: { token, ...(audiences ? { audiences } : {}) } });
    expect((await review(['vault', 'other'])).status).toMatchObject({
      authenticated: true,
      audiences: ['vault'],
      user: { username: `system:serviceaccount:default:${name}` },
    });
    expect((await review(['other'])).status.authenticated).toBeUndefined();
    expect((await review()).status).toMatchObject({ user: {}, error: expect.stringContaining('not good') });
  });

  it('can be checked by whoever has the published key', async () => {
    const token = await tokenOf('default', { audiences: ['vault'] });
    const holder = holderOf(plane, await tokenOf('default'));
    const { json: document } = await holder.call('GET', '/.well-known/openid-configuration');
    expect(document.issuer).toBe(claimsOf(token).iss);
    const jwks = await holder.call('GET', new URL(document.jwks_uri).pathname);
    holder.close();
    expect(jwks.headers['content-type']).toBe('application/jwk-set+json');
    const [jwk] = jwks.json.keys;
    const [header = '', body = '', signature = ''] = token.split('.');
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const bytes = Buffer.from(`${header}.${body}`);
    expect(
      verify('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')),
    ).toBe(true);
  });
});
