// Secrets that hold a token of a ServiceAccount, for those that cannot ask for one.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addTokenKey, removeRetiredKey, retiredKeys } from '../../src/identity/token-keys.ts';
import { type Json, MERGE } from '../support/api-client.ts';
import { caOf } from '../support/hollow-agent.ts';
import { newNamespace } from '../support/manifests.ts';
import { holderOf } from '../support/people.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let clockOffMs = 0;
let namespace: string;
beforeAll(async () => {
  plane = await startTestPlane({ clockOffMs: () => clockOffMs });
  namespace = await newNamespace(plane.api);
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const secrets = () => `/api/v1/namespaces/${namespace}/secrets`;
const accounts = () => `/api/v1/namespaces/${namespace}/serviceaccounts`;
const NAME = 'kubernetes.io/service-account.name';
const text = (base64: string) => Buffer.from(base64 ?? '', 'base64').toString();
let count = 0;
const newAccount = async (): Promise<string> => {
  count += 1;
  await plane.api.ok('POST', accounts(), { metadata: { name: `bot-${count}` } });
  return `bot-${count}`;
};
const manifest = (account: string, name = `of-${account}`): Json => ({
  metadata: { name, annotations: { [NAME]: account } },
  type: 'kubernetes.io/service-account-token',
});
const post = (account: string, more: Json = {}) =>
  plane.api.call('POST', secrets(), { ...manifest(account), ...more });
const find = async (account: string) => (await plane.api.call('GET', `${secrets()}/of-${account}`)).json;
const filled = (account: string): Promise<Json> =>
  until('filled', async () => {
    const secret = await find(account);
    return secret.data?.token ? secret : undefined;
  });
const isGone = (account: string) => until('gone', async () => (await find(account)).code === 404);
const whoIs = async (token: string): Promise<Json> => {
  const holder = holderOf(plane, token);
  const { status, json } = await holder.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {});
  holder.close();
  return status === 201 ? json.status.userInfo.username : status;
};

describe('a Secret for the token of an account', () => {
  it('is filled with a token that does not expire, the CA and the namespace', async () => {
    const account = await newAccount();
    const { uid } = (await plane.api.ok('GET', `${accounts()}/${account}`)).metadata;
    expect((await post(account)).status).toBe(201);
    const { data, metadata } = await filled(account);
    expect(Object.keys(data).sort()).toEqual(['ca.crt', 'namespace', 'token']);
    expect([text(data['ca.crt']), text(data.namespace)]).toEqual([caOf(plane.dataDir), namespace]);
    expect(metadata.annotations).toEqual({ [NAME]: account, 'kubernetes.io/service-account.uid': uid });
    clockOffMs = 20 * 365 * 86_400_000;
    expect(await whoIs(text(data.token))).toBe(`system:serviceaccount:${namespace}:${account}`);
    clockOffMs = 0;
    await plane.restart();
    expect(await whoIs(text(data.token))).toBe(`system:serviceaccount:${namespace}:${account}`);
    expect((await find(account)).metadata.resourceVersion).toBe(metadata.resourceVersion);
  });

  it('is filled when it is immutable, and beside what it holds already', async () => {
    const account = await newAccount();
    await post(account, { immutable: true, data: { mine: 'bQ==' } });
    expect(Object.keys((await filled(account)).data).sort()).toEqual([
      'ca.crt',
      'mine',
      'namespace',
      'token',
    ]);
  });

  it('takes its token along when it is deleted, or when it is to have another', async () => {
    const account = await newAccount();
    await post(account);
    const first = text((await filled(account)).data.token);
    const change = { data: { token: null } };
    await plane.api.ok('PATCH', `${secrets()}/of-${account}`, change, { type: MERGE });
    expect(await whoIs(first)).toBe(401);
    const second = text((await filled(account)).data.token);
    expect(await whoIs(second)).toContain(account);
    await plane.api.ok('DELETE', `${secrets()}/of-${account}`);
    expect(await whoIs(second)).toBe(401);
    await post(account);
    await filled(account);
    expect([await whoIs(first), await whoIs(second)]).toEqual([401, 401]);
  });

  it('goes with its account, also when another of that name comes at once', async () => {
    const account = await newAccount();
    await post(account);
    const token = text((await filled(account)).data.token);
    await plane.api.ok('DELETE', `${accounts()}/${account}`);
    await plane.api.ok('POST', accounts(), { metadata: { name: account } });
    expect(await whoIs(token)).toBe(401);
    await isGone(account);
  });

  it('whose account is not there is warned of, and removed', async () => {
    const reply = await post('nobody');
    expect([reply.status, reply.headers.warning]).toEqual([
      201,
      expect.stringContaining('serviceaccounts \\"nobody\\" not found in namespace'),
    ]);
    await isGone('nobody');
  });

  it('without the annotation is refused', async () => {
    const { status, json } = await plane.api.call('POST', secrets(), {
      metadata: { name: 'nameless' },
      type: 'kubernetes.io/service-account-token',
    });
    expect([status, json.message]).toEqual([
      422,
      `Secret "nameless" is invalid: metadata.annotations[${NAME}]: Required value`,
    ]);
  });

  it('gets another token when the key of the one it has is taken back', async () => {
    const account = await newAccount();
    await post(account);
    const first = (await filled(account)).data.token;
    const pki = join(plane.dataDir, 'pki');
    addTokenKey(pki, '2030-01-02T03:04:05Z');
    for (const { id } of retiredKeys(pki)) removeRetiredKey(pki, id);
    await until('void', async () => (await whoIs(text(first))) === 401);
    // Any change of it is looked at; so is a start of the plane.
    await plane.restart();
    const second = await until('another', async () => {
      const { data } = await find(account);
      return data.token !== first && data.token;
    });
    expect(await whoIs(text(second))).toContain(account);
  });
});
