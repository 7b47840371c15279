// Whoever is not of the fleet, over real TLS: is refused before the plane has read what he sends, on every way in.
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from '../../src/identity/authority.ts';
import { createAgentListener } from '../../src/sync/agent-listener.ts';
import { createApiClient } from '../support/api-client.ts';
import { expired, signedByItself } from '../support/forged-certificate.ts';
import {
  callJoin,
  caOf,
  createToken,
  type HollowIdentity,
  joinPlane,
  joinRequest,
  newKey,
  openSync,
  publicDer,
} from '../support/hollow-agent.ts';
import { NODES } from '../support/manifests.ts';
import { holderOf } from '../support/people.ts';
import { facts, nodeStatus, report } from '../support/reports.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until, within } from '../support/until.ts';

let plane: TestPlane;
let other: TestPlane;
let member: HollowIdentity;
let removed: HollowIdentity;
beforeAll(async () => {
  plane = await startTestPlane();
  other = await startTestPlane();
  member = await joinPlane(plane, 'member');
  removed = await joinPlane(plane, 'removed');
  await plane.api.ok('DELETE', `${NODES}/removed`);
});
afterAll(async () => {
  await plane.stop();
  await other.stop();
});

type Shown = { readonly key?: string; readonly certificate?: string };
const SYNC = '/fleetset.v1.NodeService/Sync';
const CARRY = '/fleetset.v1.TunnelService/Carry';
const JOIN = '/fleetset.v1.NodeService/Join';
const MIB = 1024 * 1024;

/** Says that a message of so many bytes comes, sends a thousand, and waits. Answers with the gRPC status, or how the
 *  connection broke. */
function announce(path: string, bytes: number, { key, certificate }: Shown): Promise<number | string> {
  const client = connect(`https://${plane.agentAddress}`, {
    ca: caOf(plane.dataDir),
    servername: 'plane.fleetset.internal',
    ...(key && certificate ? { key, cert: certificate } : {}),
  });
  const answer = new Promise<number | string>((resolve) => {
    client.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    const request = client.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const heard = (headers: { readonly [name: string]: unknown }) => {
      if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
    };
    request.on('response', heard);
    request.on('trailers', heard);
    request.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    request.resume();
    const head = Buffer.alloc(5 + 1000);
    head.writeUInt32BE(bytes, 1);
    request.write(head);
  });
  return within(`an answer to ${path}`, answer).finally(() => client.destroy());
}

const strangers: readonly (readonly [string, () => Promise<Shown> | Shown])[] = [
  ['nobody', () => ({})],
  [
    'a node of another plane, of the same name and key',
    async () => {
      const authority = await openAuthority(join(tempDir(), 'pki'));
      return { key: member.key, certificate: await authority.signNode('member', publicDer(member.key)) };
    },
  ],
  [
    'a node whose certificate is out of date',
    async () => {
      const caKey = readFileSync(join(plane.dataDir, 'pki', 'ca.key'), 'utf8');
      return { key: member.key, certificate: await expired(member, caKey) };
    },
  ],
  ['a node that was removed', () => removed],
  [
    'one of this CA that never joined',
    async () => {
      const key = newKey();
      const authority = await openAuthority(join(plane.dataDir, 'pki'));
      return { key, certificate: await authority.signNode('never', publicDer(key)) };
    },
  ],
  ['the administrator', () => ({ key: plane.admin.key ?? '', certificate: plane.admin.cert ?? '' })],
];
const REFUSED = [status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.RESOURCE_EXHAUSTED];

describe.each(strangers)('%s', (_, show) => {
  it.each([SYNC, CARRY, JOIN])('who announces 16 MB on %s is refused without them', async (path) => {
    expect(REFUSED).toContain(await announce(path, 15 * MIB, await show()));
  });
});

it('a certificate that signed itself is refused too', async () => {
  const forged = { key: member.key, certificate: await signedByItself(member) };
  const answer = await announce(SYNC, 15 * MIB, forged);
  expect([
    ...REFUSED,
    'ECONNRESET',
    'EPIPE',
    'ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR',
    'ERR_SSL_SSL/TLS_ALERT_DECRYPT_ERROR',
  ]).toContain(answer);
});

it('nobody opens more than a few streams at once', async () => {
  const client = connect(`https://${plane.agentAddress}`, {
    ca: caOf(plane.dataDir),
    servername: 'plane.fleetset.internal',
  });
  const settings = await within(
    'settings',
    new Promise<{ maxConcurrentStreams?: number }>((resolve) => client.once('remoteSettings', resolve)),
  );
  client.destroy();
  expect(settings.maxConcurrentStreams).toBe(8);
});

it('a node of the fleet may say what takes a megabyte', async () => {
  const stream = openSync(plane, member);
  await stream.hear('welcome');
  const condition = { type: 'Ready', status: 'True', reason: 'AgentReady', message: 'x'.repeat(MIB) };
  const status = nodeStatus({ conditions: [condition] });
  stream.say({ $case: 'report', value: report('member', { facts: facts('member', { status }) }) });
  await until('it is shown', async () => {
    const node = await plane.api.ok('GET', `${NODES}/member`);
    return node.status.conditions[0].message.length === MIB;
  });
  stream.close();
});

describe('the API', () => {
  const statusFor = async ({ key, certificate }: Shown): Promise<number> => {
    const client = createApiClient(() => plane.apiPort, {
      ca: plane.admin.ca,
      ...(key && certificate ? { key, cert: certificate } : {}),
    });
    try {
      return (await client.call('GET', '/api')).status;
    } finally {
      client.close();
    }
  };

  it.each(strangers.slice(1, 5))('refuses %s', async (_, show) => {
    expect(await statusFor(await show())).toBe(401);
  });

  it('refuses tokens that another plane signed, and those that nobody did', async () => {
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const tokenOf = async ({ api }: TestPlane): Promise<string> =>
      (await api.ok('POST', path, {})).status.token;
    const [own, foreign] = [await tokenOf(plane), await tokenOf(other)];
    const [header = '', body = '', signature = ''] = own.split('.');
    const json = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString());
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const admin = encode({ ...json(body), sub: 'system:serviceaccount:kube-system:default' });
    const isGood = async (token: string) => {
      const holder = holderOf(plane, token);
      const { status: code } = await holder.call('GET', '/api');
      holder.close();
      return code;
    };
    expect(await isGood(own)).toBe(200);
    for (const token of [
      foreign,
      `${header}.${admin}.${signature}`,
      `${encode({ ...json(header), alg: 'none' })}.${body}.${signature}`,
      `${encode({ ...json(header), kid: json(foreign.split('.')[0] ?? '').kid })}.${body}.${signature}`,
    ])
      expect(await isGood(token)).toBe(401);
  });

  it('lets nobody join with a token of another plane', async () => {
    const request = joinRequest(await createToken(other.api), 'guest', newKey());
    await expect(callJoin(plane.agentAddress, caOf(plane.dataDir), request)).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
  });
});

it('who says nothing is hung up on, and nothing of it is left', async () => {
  const authority = await openAuthority(join(tempDir(), 'pki'));
  const listener = createAgentListener({
    authority,
    identity: await authority.serverIdentity(['localhost']),
    isMember: () => false,
    onMember: () => {},
    onStranger: () => {},
    handshakeWithinMs: 50,
  });
  const port = await listener.listen('127.0.0.1', 0);
  const silent = connectTcp(port, '127.0.0.1').on('error', () => {});
  await within('it is hung up on', new Promise((resolve) => silent.once('close', resolve)));
  listener.close();
});
