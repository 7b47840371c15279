// Joining: what is checked before the token leaves the machine, what each refusal says, and what a lost answer costs.
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import type { JoinRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  identityDirectory,
  ownerOf,
  readIdentity,
  writeIdentity,
} from '../../src/identity/identity-files.ts';
import { JoinFailed, type JoinOptions, joinPlane, splitAddress } from '../../src/identity/join-plane.ts';
import { createPlaneClient, PlaneError } from '../../src/sync/plane-client.ts';
import { createAuthority, nodeSubject } from '../certificates.ts';
import { openScriptedPlane, refusal, type ScriptedPlane } from '../scripted-plane.ts';
import { tempDirectory } from '../temp-directory.ts';

const TOKEN = 'abcdef.0123456789abcdef';
let plane: ScriptedPlane;
let asked: JoinRequest[];

beforeAll(async () => {
  plane = await openScriptedPlane({ clientCertificates: false });
});
afterAll(() => plane.goDown());
beforeEach(() => {
  asked = [];
  plane.answerJoin((request) => {
    asked.push(request);
    return {
      certificate: plane.authority.certify(request.publicKey, nodeSubject(request.nodeName)),
      caCertificate: plane.authority.certificate,
    };
  });
});

const optionsFor = async (over: Partial<JoinOptions> = {}): Promise<JoinOptions> => ({
  planeAddress: plane.address(),
  token: TOKEN,
  caHash: plane.authority.hash,
  nodeName: 'node-1',
  dataDir: await tempDirectory(),
  ...over,
});

const failure = async (over: Partial<JoinOptions>): Promise<Error> => {
  const options = await optionsFor(over);
  const error = await joinPlane(options).then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(error, 'it should not have joined').toBeDefined();
  expect(await readIdentity(options.dataDir)).toBeUndefined();
  return error as Error;
};

describe('joining', () => {
  it('gives the machine its identity, kept for its owner alone', async () => {
    const options = await optionsFor();
    const identity = await joinPlane(options);
    expect(await readIdentity(options.dataDir)).toEqual(identity);
    expect(identity).toMatchObject({
      nodeName: 'node-1',
      planeAddress: plane.address(),
      caCertificate: plane.authority.certificate,
    });
    const key = await stat(join(identityDirectory(options.dataDir), 'node.key'));
    expect(key.mode & 0o777).toBe(0o600);
    expect(ownerOf(identity)).toMatch(/^[0-9a-f]{12}\/node-1$/);
  });

  it('proves that it holds the key, for this name and this token', async () => {
    await joinPlane(await optionsFor({ nodeName: 'node-7' }));
    const [request] = asked;
    if (!request) throw new Error('nothing was asked');
    const key = createPublicKey({ key: request.publicKey, format: 'der', type: 'spki' });
    const proved = (text: string) => verify('sha256', Buffer.from(text), key, request.proof);
    expect(request).toMatchObject({ token: TOKEN, nodeName: 'node-7' });
    expect([proved('fleetset-join:node-7:abcdef'), proved('fleetset-join:node-8:abcdef')]).toEqual([
      true,
      false,
    ]);
  });

  it('gives an identity that opens the stream', async () => {
    const authority = createAuthority();
    const strict = await openScriptedPlane({ authority });
    const lenient = await openScriptedPlane({ authority, clientCertificates: false });
    onTestFinished(async () => {
      await strict.goDown();
      await lenient.goDown();
    });
    lenient.answerJoin(({ publicKey, nodeName }) => ({
      certificate: authority.certify(publicKey, nodeSubject(nodeName)),
      caCertificate: authority.certificate,
    }));
    const identity = await joinPlane(
      await optionsFor({ planeAddress: lenient.address(), caHash: authority.hash }),
    );
    const client = createPlaneClient({ ...identity, planeAddress: strict.address() });
    onTestFinished(() => client.close());
    const stream = client.sync();
    stream.on('error', () => {});
    stream.write({
      message: {
        $case: 'hello',
        value: {
          protocol: 1,
          agentVersion: '',
          instanceId: '',
          machineId: '',
          accepted: undefined,
          held: undefined,
        },
      },
    });
    expect((await strict.nextSession()).nodeName).toBe('node-1');
  });

  it('again on the same machine is refused, and says how to join anew', async () => {
    const options = await optionsFor();
    await joinPlane(options);
    const error = await joinPlane(options).catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(JoinFailed);
    expect((error as Error).message).toMatch(/joined already, as node node-1.*remove .*identity/);
    expect(asked).toHaveLength(1);
  });

  it('forgets what another membership told it to run', async () => {
    const options = await optionsFor();
    await writeFile(join(options.dataDir, 'desired.pb'), 'of another fleet');
    await joinPlane(options);
    expect(await readdir(options.dataDir)).toEqual(['identity']);
  });
});

describe('a lost answer', () => {
  it('is asked for again with the same key: the plane sees the same machine', async () => {
    const options = await optionsFor();
    plane.answerJoin((request) => {
      asked.push(request);
      throw refusal(status.UNAVAILABLE, 'the connection broke');
    });
    await expect(joinPlane(options)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await readIdentity(options.dataDir)).toBeUndefined();
    plane.answerJoin((request) => {
      asked.push(request);
      return {
        certificate: plane.authority.certify(request.publicKey, nodeSubject(request.nodeName)),
        caCertificate: plane.authority.certificate,
      };
    });
    await joinPlane(options);
    expect(asked).toHaveLength(2);
    expect(asked[1]?.publicKey).toEqual(asked[0]?.publicKey);
  });

  it('or a kill at any point of writing the identity, leaves a machine that has not joined and can', async () => {
    const options = await optionsFor();
    const identity = await joinPlane(options);
    const directory = identityDirectory(options.dataDir);
    // In the order they are written: the certificate is the last.
    const written = ['node.key', 'ca.crt', 'plane', 'node.crt'];
    for (let kept = 0; kept < written.length; kept++) {
      await rm(directory, { recursive: true });
      await writeIdentity(options.dataDir, identity);
      for (const name of written.slice(kept)) await rm(join(directory, name));
      expect(await readIdentity(options.dataDir)).toBeUndefined();
      await joinPlane(options);
      expect(await readIdentity(options.dataDir)).toMatchObject({ nodeName: 'node-1' });
      if (kept > 0) expect(asked.at(-1)?.publicKey).toEqual(asked[0]?.publicKey);
    }
  });
});

describe('what the operator typed', () => {
  it.each<[string, Partial<JoinOptions>, RegExp]>([
    ['a token in another form', { token: 'abcdef' }, /--token must be of the form/],
    ['a token in capitals', { token: TOKEN.toUpperCase() }, /--token must be of the form/],
    ['a token with something behind it', { token: `${TOKEN}\n` }, /--token must be of the form/],
    ['no token', { token: '' }, /--token must be of the form/],
    ['a hash in another form', { caHash: 'sha256:abc' }, /--ca-hash must be of the form sha256:HEX/],
    ['no hash', { caHash: '' }, /--ca-hash must be of the form sha256:HEX/],
    ['an address without a port', { planeAddress: '127.0.0.1' }, /"127.0.0.1" is not HOST:PORT/],
    ['an address with a scheme', { planeAddress: 'https://plane:8443' }, /is not HOST:PORT/],
    ['port 0', { planeAddress: 'plane:0' }, /is not HOST:PORT/],
    ['a port that is too high', { planeAddress: 'plane:65536' }, /is not HOST:PORT/],
  ])('%s is told, and nothing is asked', async (_name, over, message) => {
    const error = await failure(over);
    expect(error).toBeInstanceOf(JoinFailed);
    expect(error.message).toMatch(message);
    expect(asked).toEqual([]);
  });

  it.each([
    ['plane.example.org:8443', { host: 'plane.example.org', port: 8443 }],
    ['10.0.0.1:1', { host: '10.0.0.1', port: 1 }],
    ['[fd00::1]:8443', { host: 'fd00::1', port: 8443 }],
  ])('%s is an address', (address, wanted) => {
    expect(splitAddress(address)).toEqual(wanted);
  });
});

describe('what answers at the address', () => {
  const listen = async (server: Server) => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    return `127.0.0.1:${(server.address() as { port: number }).port}`;
  };

  it('is nothing', async () => {
    const error = await failure({ planeAddress: '127.0.0.1:1' });
    expect(error).toBeInstanceOf(JoinFailed);
    expect(error.message).toMatch(
      /no plane answers at 127.0.0.1:1: .*ECONNREFUSED.*Give the plane's agent address/,
    );
  });

  it('does not speak TLS', async () => {
    const address = await listen(createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    expect((await failure({ planeAddress: address })).message).toContain(`no plane answers at ${address}`);
  });

  it('hangs up', async () => {
    const address = await listen(createServer((socket) => socket.destroy()));
    expect((await failure({ planeAddress: address })).message).toContain(`no plane answers at ${address}`);
  });

  it('speaks TLS but is no plane of ours: the token stays here', async () => {
    const stranger = createAuthority('somebody else');
    const { key, certificate } = stranger.issue({ commonName: 'www.example.org' });
    let received = '';
    const server = createTlsServer({ key, cert: certificate + stranger.certificate }, (socket) => {
      socket.on('data', (data) => {
        received += data.toString('latin1');
      });
      socket.on('error', () => {});
    });
    const address = await listen(server);
    const error = await failure({ planeAddress: address });
    expect(error).toBeInstanceOf(JoinFailed);
    expect(error.message).toContain(`does not have the CA that --ca-hash names (it shows ${stranger.hash})`);
    expect(received).not.toContain(TOKEN);
  });

  it('is a plane, but of another authority than the hash names', async () => {
    const error = await failure({ caHash: createAuthority().hash });
    expect(error.message).toContain(`it shows ${plane.authority.hash}`);
    expect(asked).toEqual([]);
  });

  it('shows the right CA in its chain but does not hold a key that the CA signed: the token stays here', async () => {
    const stranger = createAuthority('impostor');
    const { key, certificate } = stranger.issue({ commonName: 'x', dnsNames: ['plane.fleetset.internal'] });
    let received = '';
    const server = createTlsServer(
      { key, cert: certificate + plane.authority.certificate, ALPNProtocols: ['h2'] },
      (socket) => {
        socket.on('data', (data) => {
          received += data.toString('latin1');
        });
        socket.on('error', () => {});
      },
    );
    server.on('tlsClientError', () => {});
    await failure({ planeAddress: await listen(server) });
    expect(received).not.toContain(TOKEN);
  });
});

describe('what the plane says', () => {
  it.each([
    ['that the token is not good', status.UNAUTHENTICATED, 'the token is out of date'],
    ['that the name is taken', status.ALREADY_EXISTS, 'a node named node-1 is part of the fleet already'],
    ['that the key was removed', status.PERMISSION_DENIED, 'this key was removed from the fleet'],
    ['that it cannot now', status.INTERNAL, 'the plane could not serve the request'],
  ])('%s is handed on in its own words', async (_name, code, message) => {
    plane.answerJoin(() => {
      throw refusal(code, message);
    });
    const error = await failure({});
    expect(error).toBeInstanceOf(PlaneError);
    expect(error).toMatchObject({ code, message });
  });
});

describe('identity files', () => {
  it('of somebody who is no node are refused, naming the file', async () => {
    const dataDir = await tempDirectory();
    const identity = { ...plane.identity('x'), ...plane.authority.issue({ commonName: 'admin' }) };
    await writeIdentity(dataDir, identity);
    await expect(readIdentity(dataDir)).rejects.toThrow(/node.crt is not the certificate of a node/);
  });

  it('that are damaged are an error, not a machine that has not joined', async () => {
    const dataDir = await tempDirectory();
    await writeIdentity(dataDir, plane.identity('x'));
    await writeFile(join(identityDirectory(dataDir), 'node.crt'), 'rubbish');
    await expect(readIdentity(dataDir)).rejects.toThrow();
  });

  it('keep the key that was there', async () => {
    const dataDir = await tempDirectory();
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await writeIdentity(dataDir, { ...plane.identity('x'), key: pem });
    expect(await readFile(join(identityDirectory(dataDir), 'node.key'), 'utf8')).toBe(pem);
  });

  it('of two nodes of one fleet, or of two fleets, own different containers', () => {
    const other = createAuthority();
    const owners = [
      plane.identity('a'),
      plane.identity('b'),
      { ...plane.identity('a'), caCertificate: other.certificate },
    ].map(ownerOf);
    expect(new Set(owners).size).toBe(3);
    expect(ownerOf(plane.identity('a'))).toBe(owners[0]);
  });
});
