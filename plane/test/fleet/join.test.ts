// Joining: who gets a certificate, and whose certificate is believed afterwards. All over real TLS.
import { createHash, sign, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from '../../src/identity/authority.ts';
import type { Json } from '../support/api-client.ts';
import { signedByItself } from '../support/forged-certificate.ts';
import {
  callJoin,
  caOf,
  createToken,
  type HollowIdentity,
  joinPlane,
  joinRequest,
  newKey,
  openStream,
  openSync,
  publicDer,
} from '../support/hollow-agent.ts';
import { NODES } from '../support/manifests.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let ca: string;
let token: string;
beforeAll(async () => {
  plane = await startTestPlane();
  ca = caOf(plane.dataDir);
  token = await createToken(plane.api);
});
afterAll(() => plane.stop());

const TOKENS = '/api/v1/namespaces/kube-system/secrets';
let count = 0;
const freshName = () => `joiner-${++count}`;
const attempt = (request: Json) =>
  callJoin(plane.agentAddress, ca, request).then(
    (response) => ({ code: status.OK as number, details: '', response }),
    (error: { code: number; details: string }) => ({
      code: error.code,
      details: error.details,
      response: undefined,
    }),
  );

describe('a machine with a good token', () => {
  it('gets a certificate of its own name, signed by the CA whose hash it was given', async () => {
    const name = freshName();
    const key = newKey();
    const { response } = await attempt(joinRequest(token, name, key));
    const certificate = new X509Certificate(response?.certificate ?? '');
    const authority = new X509Certificate(response?.caCertificate ?? '');
    expect(certificate.subject).toBe(`O=system:nodes\nCN=system:node:${name}`);
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.publicKey.export({ type: 'spki', format: 'der' })).toEqual(publicDer(key));
    expect(certificate.ca).toBe(false);
    const hash = createHash('sha256')
      .update(authority.publicKey.export({ type: 'spki', format: 'der' }) as Buffer)
      .digest('hex');
    expect(plane.caHash).toBe(`sha256:${hash}`);
  });

  it('shows as a Node that has not reported, NotReady and unreachable', async () => {
    const name = freshName();
    await attempt(joinRequest(token, name, newKey()));
    const node = await until('it is tainted', async () => {
      const now = await plane.api.ok('GET', `${NODES}/${name}`);
      return now.spec.taints?.length === 2 && now;
    });
    expect(node.metadata.labels).toEqual({ 'kubernetes.io/hostname': name });
    expect(node.status.conditions).toMatchObject([
      { type: 'Ready', status: 'Unknown', reason: 'NodeStatusNeverUpdated' },
    ]);
    expect(node.spec.taints).toMatchObject([
      { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' },
      { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' },
    ]);
  });

  it('may ask again with the same key, whose first answer got lost, and is the same node', async () => {
    const name = freshName();
    const key = newKey();
    await attempt(joinRequest(token, name, key));
    const { uid } = (await plane.api.ok('GET', `${NODES}/${name}`)).metadata;
    const again = await attempt(joinRequest(token, name, key));
    expect(again.code).toBe(status.OK);
    expect((await plane.api.ok('GET', `${NODES}/${name}`)).metadata.uid).toBe(uid);
  });

  it('twenty at once under one name: one joins, the others are told how to go on', async () => {
    const name = freshName();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => attempt(joinRequest(token, name, newKey()))),
    );
    expect(answers.filter(({ code }) => code === status.OK)).toHaveLength(1);
    for (const { code, details } of answers.filter((answer) => answer.code !== status.OK)) {
      expect(code).toBe(status.ALREADY_EXISTS);
      expect(details).toBe(
        `a node named ${name} is part of the fleet already. Use --node-name for another name, or remove the old node first (kubectl delete node ${name})`,
      );
    }
  });

  it('finds the CA in the chain that the plane shows, before it has any certificate', async () => {
    const [host = '', port = ''] = plane.agentAddress.split(':');
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    const shown = socket.getPeerX509Certificate()?.issuerCertificate;
    socket.destroy();
    expect(shown?.toString()).toBe(new X509Certificate(ca).toString());
  });
});

describe('a machine is refused', () => {
  const shape = 'the token is not of the form abcdef.0123456789abcdef';
  const unknown = 'the token is not known, or was deleted';
  const tokens: Record<string, [token: () => Promise<string>, why: string]> = {
    'without a token': [async () => '', shape],
    'with half a token': [async () => token.slice(0, 10), shape],
    'with a token in capitals': [async () => token.toUpperCase(), shape],
    'with a token and more behind it': [async () => `${token}\n`, shape],
    'with a path for a token id': [async () => '../../.0123456789abcdef', shape],
    'with a token that never was': [async () => 'zzzzzz.0123456789abcdef', unknown],
    'with the wrong secret': [async () => `${token.slice(0, 7)}0000000000000000`, unknown],
    'with a token that ran out': [
      () => createToken(plane.api, { expiration: '2020-01-01T00:00:00Z' }),
      'the token has expired',
    ],
    'with a token whose end cannot be read': [
      () => createToken(plane.api, { expiration: 'tomorrow' }),
      'the token has expired',
    ],
    'with a token that is for something else': [
      () => createToken(plane.api, { 'usage-bootstrap-authentication': 'false' }),
      'the token may not be used to join',
    ],
    'with a deleted token': [
      async () => {
        const made = await createToken(plane.api);
        await plane.api.ok('DELETE', `${TOKENS}/bootstrap-token-${made.slice(0, 6)}`);
        return made;
      },
      unknown,
    ],
    'with a Secret that is no token': [
      async () => {
        await plane.api.ok('POST', TOKENS, {
          metadata: { name: 'bootstrap-token-opaque' },
          stringData: { 'token-secret': '0123456789abcdef', 'usage-bootstrap-authentication': 'true' },
        });
        return 'opaque.0123456789abcdef';
      },
      unknown,
    ],
  };
  it.each(Object.entries(tokens))('%s', async (_, [make, why]) => {
    const name = freshName();
    const answer = await attempt(joinRequest(await make(), name, newKey()));
    expect(answer).toMatchObject({ code: status.UNAUTHENTICATED, details: why });
    expect((await plane.api.call('GET', `${NODES}/${name}`)).status).toBe(404);
  });

  it('with a token whose end is still to come it is not', async () => {
    const good = await createToken(plane.api, { expiration: '2999-01-01T00:00:00Z' });
    expect((await attempt(joinRequest(good, freshName(), newKey()))).code).toBe(status.OK);
  });

  const names: Record<string, string> = {
    'an empty name': '',
    capitals: 'Node',
    'an underscore': 'a_b',
    'a slash': 'a/b',
    'a line break and another subject': 'a\nCN=system:node:b',
    'a hyphen at its end': 'a-',
    'more than 63 characters': 'a'.repeat(64),
    'a comma': 'a,O=system:masters',
  };
  it.each(Object.entries(names))('under a name with %s', async (_, name) => {
    const answer = await attempt(joinRequest(token, name, newKey()));
    expect(answer.code).toBe(status.INVALID_ARGUMENT);
    expect(answer.details).toContain(`node name ${JSON.stringify(name)}:`);
  });

  it.each([
    ['without a proof', (request: Json) => ({ ...request, proof: Buffer.alloc(0) })],
    ['with a proof by another key', (request: Json) => ({ ...request, publicKey: publicDer(newKey()) })],
    ['with a proof for another name', (request: Json) => ({ ...request, nodeName: 'someone-else' })],
    [
      'with a proof for another token',
      (request: Json) => ({
        ...request,
        proof: sign('sha256', Buffer.from(`fleetset-join:${request.nodeName}:zzzzzz`), newKey()),
      }),
    ],
    ['with a key that is none', (request: Json) => ({ ...request, publicKey: Buffer.from('no key') })],
    [
      'with a key of another curve',
      (request: Json) => joinRequest(request.token, request.nodeName, newKey('secp384r1')),
    ],
  ])('%s', async (_, spoil) => {
    const name = freshName();
    const answer = await attempt(spoil(joinRequest(token, name, newKey())));
    expect(answer).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'the proof does not fit the public key (EC P-256 is needed)',
    });
    expect((await plane.api.call('GET', `${NODES}/${name}`)).status).toBe(404);
  });

  it('and the log says who and why, but never the token', async () => {
    await attempt(joinRequest(`${token.slice(0, 7)}0000000000000000`, 'logged-name', newKey()));
    const line = plane.complaints.find(({ node }) => node === 'logged-name');
    expect(line.msg).toBe(`join refused: ${unknown}`);
    expect(JSON.stringify(plane.complaints)).not.toContain(token.slice(7));
  });
});

describe('the sync stream is closed to', () => {
  let node: HollowIdentity;
  beforeAll(async () => {
    node = await joinPlane(plane, 'member');
  });

  const end = async (identity: Partial<HollowIdentity>) => {
    const { key, certificate } = identity;
    const secure = credentials.createSsl(
      Buffer.from(ca),
      key ? Buffer.from(key) : null,
      certificate ? Buffer.from(certificate) : null,
    );
    const stream = openStream(plane.agentAddress, secure);
    stream.say({
      $case: 'hello',
      value: {
        protocol: 1,
        agentVersion: '',
        instanceId: 'i',
        machineId: 'm',
        accepted: undefined,
        held: undefined,
      },
    });
    const ended = await stream.untilEnd();
    expect(stream.heard.filter(({ $case }) => $case !== 'removed')).toEqual([]);
    stream.close();
    return ended;
  };

  it('a machine without a certificate', async () => {
    expect(await end({})).toEqual({
      code: status.UNAUTHENTICATED,
      details: 'a client certificate of this plane is needed: join first (fleetset join)',
    });
  });

  // The library looks at the certificate first, so peerOf() alone was never all that stands in the way.
  it('a certificate with the same subject, issuer and key that signed itself', async () => {
    const ended = await end({ key: node.key, certificate: await signedByItself(node) });
    // OpenSSL drops the connection over the bad signature; were it to let it pass, peerOf() would not.
    expect([status.UNAUTHENTICATED, status.UNAVAILABLE]).toContain(ended.code);
  });

  it('a node of the same name and key of another plane, whose CA has the same name', async () => {
    const other = await openAuthority(join(tempDir(), 'pki'));
    const certificate = await other.signNode('member', publicDer(node.key));
    expect((await end({ key: node.key, certificate })).code).toBe(status.UNAUTHENTICATED);
  });

  it('the administrator, who is no node', async () => {
    const { key = '', cert: certificate = '' } = plane.admin;
    expect(await end({ key, certificate })).toEqual({
      code: status.UNAUTHENTICATED,
      details: 'the client certificate is not that of a node',
    });
  });

  it('a certificate of this CA for a name that never joined', async () => {
    const authority = await openAuthority(join(plane.dataDir, 'pki'));
    const key = newKey();
    const certificate = await authority.signNode('stranger', publicDer(key));
    const { code, details } = await end({ key, certificate });
    expect(code).toBe(status.FAILED_PRECONDITION);
    expect(details).toContain('this plane does not know node stranger');
  });

  it('a certificate of this CA for a name that another key joined under', async () => {
    const authority = await openAuthority(join(plane.dataDir, 'pki'));
    const key = newKey();
    const certificate = await authority.signNode('member', publicDer(key));
    expect(await end({ key, certificate })).toEqual({
      code: status.PERMISSION_DENIED,
      details: 'the name member now belongs to a machine that joined with another key',
    });
  });

  it('nobody else: the node itself is welcome', async () => {
    const stream = openSync(plane, node);
    expect(await stream.hear('welcome')).toMatchObject({ protocol: 1 });
    stream.close();
  });
});
