// Who a request is taken for: certificates, tokens of all kinds, and acting as somebody else.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiClient, type Json } from '../support/api-client.ts';
import { createToken, joinPlane } from '../support/hollow-agent.ts';
import { give, holderOf, nobody, rule, user } from '../support/people.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';

const WHO = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
let plane: TestPlane;
beforeAll(async () => {
  const tokenAuthFile = join(tempDir(), 'tokens.csv');
  writeFileSync(tokenAuthFile, 'robot-token,robot,r-1,"dev,ops"\nroot-token,root,r-2,system:masters\n');
  plane = await startTestPlane({ tokenAuthFile });
});
afterAll(() => plane.stop());

const asTold = async (headers: { [name: string]: string }): Promise<Json> => {
  const { status, json } = await plane.api.call('POST', WHO, {}, { headers });
  return status === 201 ? json.status.userInfo : json.message;
};
const holding = async (token: string): Promise<Json> => {
  const holder = holderOf(plane, token);
  const { status, json } = await holder.call('POST', WHO, {});
  holder.close();
  return status === 201 ? json.status.userInfo : status;
};

describe('a caller', () => {
  it('with a certificate is its CN, in the groups of its O', async () => {
    expect(await asTold({})).toEqual({
      username: 'fleetset-admin',
      groups: ['system:masters', 'system:authenticated'],
    });
  });

  it('with a certificate and a token is who the certificate says', async () => {
    expect((await asTold({ Authorization: 'Bearer nonsense' })).username).toBe('fleetset-admin');
  });

  it('with a token of the file is who the file says', async () => {
    expect(await holding('robot-token')).toEqual({
      username: 'robot',
      uid: 'r-1',
      groups: ['dev', 'ops', 'system:authenticated'],
    });
    const root = holderOf(plane, 'root-token');
    expect((await root.call('GET', '/api/v1/secrets')).status).toBe(200);
    root.close();
  });

  it('with a bootstrap token is one that may join, and little else, while the token is good', async () => {
    const token = await createToken(plane.api);
    expect(await holding(token)).toEqual({
      username: `system:bootstrap:${token.slice(0, 6)}`,
      groups: ['system:bootstrappers', 'system:authenticated'],
    });
    expect(await holding(`${token.slice(0, 7)}0123456789abcdef`)).toBe(401);
    expect(await holding(await createToken(plane.api, { expiration: '2020-01-01T00:00:00Z' }))).toBe(401);
    expect(await holding(await createToken(plane.api, { 'usage-bootstrap-authentication': 'false' }))).toBe(
      401,
    );
  });

  it.each(['nonsense', 'a.b.c', '.', 'abcdef.0123456789abcdef', 'x'.repeat(10_000)])(
    'with the token %.30s is refused, also for what anybody may see',
    async (token) => {
      const holder = holderOf(plane, token);
      for (const path of ['/version', '/api/v1/pods']) {
        const { status, json } = await holder.call('GET', path);
        expect([status, json.reason, json.message]).toEqual([401, 'Unauthorized', 'Unauthorized']);
      }
      holder.close();
    },
  );

  it.each(['Basic YTpi', 'Bearer', 'Bearer ', 'robot-token'])('with %j is nobody', async (Authorization) => {
    const anybody = nobody(plane);
    const { status, json } = await anybody.call('GET', '/api', undefined, { headers: { Authorization } });
    expect([status, json.message]).toEqual([
      403,
      'forbidden: User "system:anonymous" cannot get path "/api"',
    ]);
    anybody.close();
  });

  it('with the certificate of a node is the node, as long as it is one of the fleet', async () => {
    const identity = await joinPlane(plane, 'leaving');
    const api = createApiClient(() => plane.apiPort, {
      ca: identity.caCertificate,
      key: identity.key,
      cert: identity.certificate,
    });
    const { json } = await api.call('POST', WHO, {});
    expect(json.status.userInfo).toEqual({
      username: 'system:node:leaving',
      groups: ['system:nodes', 'system:authenticated'],
    });
    await plane.api.ok('DELETE', '/api/v1/nodes/leaving');
    expect((await api.call('POST', WHO, {})).status).toBe(401);
    await joinPlane(plane, 'leaving');
    expect((await api.call('POST', WHO, {})).status).toBe(401);
    api.close();
  });
});

describe('acting as somebody else', () => {
  it.each<[string, { [name: string]: string }, Json]>([
    ['as a user', { 'Impersonate-User': 'jane' }, { username: 'jane', groups: ['system:authenticated'] }],
    [
      'as a user in a group',
      { 'Impersonate-User': 'jane', 'Impersonate-Group': 'dev' },
      { username: 'jane', groups: ['dev', 'system:authenticated'] },
    ],
    [
      'as an account, in its own groups',
      { 'Impersonate-User': 'system:serviceaccount:a:b' },
      {
        username: 'system:serviceaccount:a:b',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:a', 'system:authenticated'],
      },
    ],
    [
      'with a uid and more',
      { 'Impersonate-User': 'jane', 'Impersonate-Uid': '7', 'Impersonate-Extra-Acme.com%2fteam': 'x' },
      { username: 'jane', uid: '7', groups: ['system:authenticated'], extra: { 'acme.com/team': ['x'] } },
    ],
    [
      'as one who is not signed in',
      { 'Impersonate-User': 'jane', 'Impersonate-Group': 'system:unauthenticated' },
      'selfsubjectreviews.authentication.k8s.io is forbidden: User "jane" cannot create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope',
    ],
    [
      'as nobody',
      { 'Impersonate-User': 'system:anonymous' },
      'selfsubjectreviews.authentication.k8s.io is forbidden: User "system:anonymous" cannot create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope',
    ],
    [
      'in a group, but as no one',
      { 'Impersonate-Group': 'dev' },
      expect.stringContaining('without impersonating a user'),
    ],
  ])('%s', async (_, headers, expected) => {
    expect(await asTold(headers)).toEqual(expected);
  });

  it('needs leave for the user, each group, the uid and each extra value', async () => {
    const robot = holderOf(plane, 'robot-token');
    const refused = async (headers: { [name: string]: string }) =>
      (await robot.call('POST', WHO, {}, { headers })).json.message;
    const asked = {
      'Impersonate-User': 'jane',
      'Impersonate-Group': 'dev',
      'Impersonate-Uid': '7',
      'Impersonate-Extra-Team': 'x',
    };
    const words = (what: string, resource: string, group: string) =>
      `${what} is forbidden: User "robot" cannot impersonate resource "${resource}" in API group "${group}" at the cluster scope`;
    const own = 'authentication.k8s.io';
    const grant = (rules: Json) => give(plane, { rules: [rules], subjects: [user('robot')] });
    expect(await refused(asked)).toBe(words('users "jane"', 'users', ''));
    await grant(rule('impersonate', 'users', { resourceNames: ['jane'] }));
    expect(await refused(asked)).toBe(words('groups "dev"', 'groups', ''));
    expect(await refused({ ...asked, 'Impersonate-User': 'tom' })).toBe(words('users "tom"', 'users', ''));
    await grant(rule('impersonate', 'groups', { resourceNames: ['dev'] }));
    expect(await refused(asked)).toBe(words(`userextras.${own} "x"`, 'userextras/team', own));
    await grant(rule('impersonate', 'userextras/team', { apiGroups: [own] }));
    expect(await refused(asked)).toBe(words(`uids.${own} "7"`, 'uids', own));
    await grant(rule('impersonate', 'uids', { apiGroups: [own] }));
    expect((await robot.call('POST', WHO, {}, { headers: asked })).json.status.userInfo.username).toBe(
      'jane',
    );
    expect(await refused({ ...asked, 'Impersonate-Group': 'system:masters' })).toBe(
      words('groups "system:masters"', 'groups', ''),
    );
    expect(await refused({ 'Impersonate-User': 'system:serviceaccount:a:b' })).toBe(
      'serviceaccounts "b" is forbidden: User "robot" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "a"',
    );
    robot.close();
  });

  it('gives what the other may do, and takes away what one may do oneself', async () => {
    const headers = { 'Impersonate-User': 'jane' };
    expect((await plane.api.call('GET', '/api/v1/secrets', undefined, { headers })).status).toBe(403);
  });
});
