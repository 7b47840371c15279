// One probe, asked of real servers on this machine and of the fake engine (rules 87, 94, 95).
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import type { Container, Probe } from '@fleetset/scheduler-core/schema/container';
import { Server as GrpcServer, type MethodDefinition, ServerCredentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type ProbeAnswer, resolvePort, runProbe } from '../../src/probes/run-probe.ts';
import { createAuthority } from '../certificates.ts';
import { createFakeEngine } from '../fake-runtime.ts';
import { settings } from '../pods.ts';
import { IGNORES_TERM, NO_SUCH_PROGRAM, OBEYS, SAYS_AND_FAILS, SUCCEEDS_SILENTLY } from '../test-programs.ts';
import { until } from '../wait-until.ts';

const HOST = '127.0.0.1';
const engine = createFakeEngine();
const runtime = engine.runtime('test/node');
const never = new AbortController().signal;
/** A probe's own second is over before the answer is read when this process is not run for so long. */
const PATIENT = { timeoutSeconds: 120 };

const ask = (
  probe: Probe,
  container: Partial<Container> = {},
  target: { readonly podIp?: string; readonly containerId?: string } = { podIp: HOST },
  signal = never,
): Promise<ProbeAnswer> =>
  runProbe(
    runtime,
    { containerId: 'none', container: { name: 'app', ...container }, ...target },
    { ...PATIENT, ...probe },
    signal,
  );

const success = { outcome: 'success', message: '' };
const portOf = (server: { address: () => unknown }) => (server.address() as AddressInfo).port;

describe('HTTP', () => {
  let server: Server;
  let secure: Server;
  let port: number;
  let securePort: number;
  let asked: IncomingMessage[] = [];
  let hugeBytes = 0;
  let hugeEnds = 0;
  const listener: RequestListener = (request, response) => {
    asked.push(request);
    const url = new URL(request.url ?? '/', 'http://x');
    const [, what, value] = url.pathname.split('/');
    if (what === 'status') response.writeHead(Number(value)).end('body');
    else if (what === 'to') response.writeHead(302, { location: decodeURIComponent(value ?? '') }).end();
    else if (what === 'located') response.writeHead(Number(value), { location: '/status/500' }).end();
    else if (what === 'chain') {
      const left = Number(value);
      if (left === 0) response.end('arrived');
      else response.writeHead(301, { location: `/chain/${left - 1}` }).end();
    } else if (what === 'silent') return;
    else if (what === 'endless') {
      response.writeHead(200);
      response.write('never over');
    } else if (what === 'huge') {
      const chunk = Buffer.alloc(4096);
      const more = () => {
        while (!response.destroyed && response.write(chunk)) hugeBytes += chunk.length;
      };
      response.on('drain', more).on('close', () => {
        hugeEnds += 1;
      });
      more();
    } else if (what === 'halfway') {
      response.writeHead(200, { 'content-length': 100 });
      response.write('half', () => request.socket.destroy());
    } else if (what === 'broken') request.socket.destroy();
    else response.end('ok');
  };

  beforeAll(async () => {
    const { key, certificate } = createAuthority('unknown to this machine').issue({
      commonName: 'other.name',
    });
    server = createServer(listener).listen(0, HOST);
    secure = createSecureServer({ key, cert: certificate }, listener).listen(0, HOST) as unknown as Server;
    await Promise.all([once(server, 'listening'), once(secure, 'listening')]);
    port = portOf(server);
    securePort = portOf(secure);
  });
  afterAll(() => {
    for (const one of [server, secure]) {
      one.close();
      one.closeAllConnections();
    }
  });

  const get = (path: string, over: Partial<Probe['httpGet']> = {}, rest: Probe = {}) =>
    ask({ httpGet: { path, port, ...over }, ...rest });
  const to = (location: string) => `/to/${encodeURIComponent(location)}`;

  it.each([
    [200, true],
    [204, true],
    [299, true],
    [304, true],
    [399, true],
    [400, false],
    [404, false],
    [500, false],
    [503, false],
  ])('status %i is a success: %s', async (code, good) => {
    expect(await get(`/status/${code}`)).toEqual(
      good ? success : { outcome: 'failure', message: `HTTP probe failed with statuscode: ${code}` },
    );
  });

  it('a redirect on the same host is followed, also to another port and to TLS', async () => {
    expect(await get(to('/status/200'))).toEqual(success);
    expect(await get(to('/status/500'))).toMatchObject({ outcome: 'failure' });
    expect(await get(to(`https://${HOST}:${securePort}/status/500`))).toMatchObject({ outcome: 'failure' });
  });

  it('a redirect to another host is an answer, and that host is not asked', async () => {
    asked = [];
    expect(await get(to(`http://localhost:${port}/status/500`))).toEqual(success);
    expect(asked).toHaveLength(1);
  });

  it('nine redirects arrive, ten are too many', async () => {
    expect(await get('/chain/9')).toEqual(success);
    expect(await get('/chain/10')).toMatchObject({
      outcome: 'failure',
      message: expect.stringContaining('stopped after 10 redirects'),
    });
  });

  it('a redirect to nowhere fails', async () => {
    expect(await get(to('http://[broken'))).toMatchObject({ outcome: 'failure' });
  });

  it('no answer in time fails as Kubernetes words it', async () => {
    expect(await get('/silent', {}, { timeoutSeconds: 1 })).toEqual({
      outcome: 'failure',
      message: `Get "http://${HOST}:${port}/silent": context deadline exceeded`,
    });
  });

  it('an answer whose body does not end in time is none', async () => {
    expect(await get('/endless', {}, { timeoutSeconds: 1 })).toEqual({
      outcome: 'failure',
      message: `Get "http://${HOST}:${port}/endless": context deadline exceeded`,
    });
  });

  it('an answer whose body breaks off is none', async () => {
    expect(await get('/halfway')).toMatchObject({ outcome: 'failure' });
  });

  it('of a huge body no more than the beginning is read, and the connection is closed', async () => {
    expect(await get('/huge')).toEqual(success);
    await until('the connection is closed', () => hugeEnds === 1);
    // What the buffers on the way hold is not asked for.
    expect(hugeBytes).toBeLessThan(16 * 2 ** 20);
  });

  it('an answer that is no redirect is not followed, though it names a place', async () => {
    expect(await get('/located/304')).toEqual(success);
    expect(await get('/located/300')).toEqual(success);
  });

  it('a time limit of months is no limit of a millisecond', async () => {
    expect(await get('/status/200', {}, { timeoutSeconds: 5_000_000 })).toEqual(success);
  });

  it('refused and broken connections fail', async () => {
    expect(await get('/', { port: 1 })).toMatchObject({
      outcome: 'failure',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    expect(await get('/broken')).toMatchObject({ outcome: 'failure' });
  });

  it('TLS is used but not verified', async () => {
    expect(await get('/status/200', { scheme: 'HTTPS', port: securePort })).toEqual(success);
    expect(await get('/status/500', { scheme: 'HTTPS', port: securePort })).toMatchObject({
      outcome: 'failure',
    });
    expect(await get('/status/200', { scheme: 'HTTPS', port })).toMatchObject({ outcome: 'failure' });
  });

  it('headers are sent as given, and say who asks unless they are given', async () => {
    asked = [];
    await get('/', {
      httpHeaders: [
        { name: 'X-Token', value: 'abc' },
        { name: 'Host', value: 'example.org' },
      ],
    });
    await get('/', { httpHeaders: [{ name: 'user-agent', value: 'me' }] });
    expect(asked[0]?.headers).toMatchObject({
      'x-token': 'abc',
      host: 'example.org',
      'user-agent': expect.stringMatching(/^kube-probe\//),
      accept: '*/*',
    });
    expect(asked[1]?.headers['user-agent']).toBe('me');
  });

  it('headers of one name are all sent, and who asks is not said where that is given as empty', async () => {
    asked = [];
    await get('/', {
      httpHeaders: [
        { name: 'X-Part', value: 'one' },
        { name: 'x-part', value: 'two' },
        { name: 'User-Agent', value: '' },
        { name: 'Accept', value: '' },
        { name: 'Host', value: '' },
      ],
    });
    expect(asked[0]?.headersDistinct['x-part']).toEqual(['one', 'two']);
    expect(asked[0]?.headers).not.toHaveProperty('user-agent');
    expect(asked[0]?.headers).not.toHaveProperty('accept');
    expect(asked[0]?.headers.host).toBe(`${HOST}:${port}`);
  });

  it('an answer whose lines end as a shell script writes them is one', async () => {
    const script = createTcpServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\nContent-Type: text/plain\n\nok')),
    ).listen(0, HOST);
    await once(script, 'listening');
    expect(await get('/', { port: portOf(script) })).toEqual(success);
    script.close();
  });

  it('a path without a slash gets one, and a query stays', async () => {
    asked = [];
    await get('healthz?deep=1');
    expect(asked[0]?.url).toBe('/healthz?deep=1');
  });

  it('the host of the probe goes before the address of the pod; an empty one is none', async () => {
    expect(await ask({ httpGet: { port, host: HOST } }, {}, { podIp: '192.0.2.1' })).toEqual(success);
    expect(await get('/', { host: '' })).toEqual(success);
  });

  it('a probe that is given up when the agent stops counts for nothing', async () => {
    const stopping = new AbortController();
    const answer = ask(
      { httpGet: { path: '/silent', port }, timeoutSeconds: 60 },
      {},
      { podIp: HOST },
      stopping.signal,
    );
    stopping.abort();
    expect(await answer).toMatchObject({ outcome: 'error' });
  });
});

describe('TCP', () => {
  it('passes when something listens and fails when not, whatever it says', async () => {
    const server = createTcpServer((socket) => socket.destroy()).listen(0, HOST);
    await once(server, 'listening');
    const port = portOf(server);
    expect(await ask({ tcpSocket: { port } })).toEqual(success);
    expect(await ask({ tcpSocket: { port, host: '' } })).toEqual(success);
    expect(await ask({ tcpSocket: { port, host: HOST } }, {}, {})).toEqual(success);
    server.close();
    // Its port may be another's by now.
    expect(await ask({ tcpSocket: { port: 1 } })).toMatchObject({
      outcome: 'failure',
      message: expect.stringMatching(new RegExp(`^dial tcp ${HOST}:1: .*ECONNREFUSED`)),
    });
  });
});

describe('ports', () => {
  const container: Container = {
    name: 'app',
    ports: [
      { name: 'web', containerPort: 8080 },
      { name: '90', containerPort: 9090 },
    ],
  };

  it.each([
    ['a number is itself', 80, 80],
    ['a name is one of the container', 'web', 8080],
    ['a name goes before what it could be as a number', '90', 9090],
    ['a number in quotes is a number', '81', 81],
    ['an unknown name is none', 'metrics', undefined],
    ['nothing is nothing', undefined, undefined],
  ])('%s', (_name, port, wanted) => {
    expect(resolvePort(container, port)).toBe(wanted);
  });

  it('that do not exist, and a pod without an address, cannot be asked: that counts for nothing (rule 87)', async () => {
    expect(await ask({ httpGet: { port: 'metrics' } })).toMatchObject({ outcome: 'error' });
    expect(await ask({ tcpSocket: { port: 'metrics' } })).toMatchObject({ outcome: 'error' });
    expect(await ask({ httpGet: { port: 80 } }, {}, {})).toMatchObject({ outcome: 'error' });
  });
});

describe('exec (rule 95)', () => {
  let containerId: string;
  beforeAll(async () => {
    containerId = await runtime.create(settings(OBEYS));
    await runtime.start(containerId);
  });
  const run = (command: readonly string[], env: Container['env'] = [], rest: Probe = {}) =>
    ask({ exec: { command: [...command] }, ...rest }, { env }, { containerId });

  it('exit code 0 passes', async () => {
    expect(await run(SUCCEEDS_SILENTLY.command)).toEqual(success);
  });

  it('another exit code fails, with what it wrote', async () => {
    expect(await run(SAYS_AND_FAILS.command)).toEqual({ outcome: 'failure', message: 'out\nerr' });
  });

  it('no end in time fails', async () => {
    expect(await run(IGNORES_TERM.command, [], { timeoutSeconds: 1 })).toMatchObject({
      outcome: 'failure',
      message: expect.stringContaining('timed out'),
    });
  });

  it('what could not be run counts for nothing', async () => {
    expect(await run(NO_SUCH_PROGRAM.command)).toMatchObject({ outcome: 'error' });
    engine.fail({ call: 'exec', how: 'before', times: 1 });
    expect(await run(SUCCEEDS_SILENTLY.command)).toMatchObject({ outcome: 'error' });
    expect(await ask({ exec: { command: ['true'] } }, {}, { containerId: 'gone' })).toMatchObject({
      outcome: 'error',
    });
  });

  it('$(VAR) in the command sees the literal values of the container', async () => {
    const env = [{ name: 'PROGRAM', value: 'true' }];
    expect(await run(['$(PROGRAM)'], env)).toEqual(success);
    expect(
      await run(['sh', '-c', 'echo out; echo err >&2; exit $(CODE)'], [{ name: 'CODE', value: '4' }]),
    ).toMatchObject({
      outcome: 'failure',
    });
  });
});

describe('gRPC', () => {
  const SERVING = Buffer.from([0x08, 1]);
  const NOT_SERVING = Buffer.from([0x08, 2]);
  const asIs = (bytes: Buffer) => bytes;
  const services = new Map<string, Buffer>([
    ['', SERVING],
    ['down', NOT_SERVING],
    ['nothing said', Buffer.alloc(0)],
    ['x'.repeat(300), SERVING],
  ]);
  let server: GrpcServer;
  let bare: GrpcServer;
  let port: number;
  let barePort: number;
  const listen = (one: GrpcServer) =>
    new Promise<number>((resolve, reject) => {
      one.bindAsync(`${HOST}:0`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
  beforeAll(async () => {
    server = new GrpcServer();
    const check: MethodDefinition<Buffer, Buffer> = {
      path: '/grpc.health.v1.Health/Check',
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    server.addService(
      { check },
      {
        check: (call: { request: Buffer }, reply: (error: object | null, bytes?: Buffer) => void) => {
          const [, , ...rest] = call.request;
          const name = Buffer.from(call.request.length > 129 ? rest.slice(1) : rest).toString();
          if (name === 'silent') return;
          const answer = services.get(name);
          reply(answer ? null : { code: status.NOT_FOUND, details: 'unknown service' }, answer);
        },
      },
    );
    bare = new GrpcServer();
    [port, barePort] = await Promise.all([listen(server), listen(bare)]);
  });
  afterAll(() => {
    server.forceShutdown();
    bare.forceShutdown();
  });

  it.each<[string, string | undefined, object]>([
    ['serves', undefined, success],
    ['serves, under a long name', 'x'.repeat(300), success],
    [
      'says that it does not serve',
      'down',
      { outcome: 'failure', message: 'service unhealthy (responded with "NOT_SERVING")' },
    ],
    [
      'says nothing',
      'nothing said',
      { outcome: 'failure', message: 'service unhealthy (responded with "UNKNOWN")' },
    ],
    [
      'does not know the service',
      'unheard of',
      { outcome: 'failure', message: 'error: health rpc probe failed: unknown service' },
    ],
  ])('a server that %s', async (_what, service, expected) => {
    expect(await ask({ grpc: { port, ...(service === undefined ? {} : { service }) } })).toEqual(expected);
  });

  it('a server that does not answer in time', async () => {
    expect(await ask({ grpc: { port, service: 'silent' }, timeoutSeconds: 1 })).toEqual({
      outcome: 'failure',
      message: 'timeout: health rpc did not complete within 1s',
    });
  });

  // The bug this found: it was said that the channel was closed.
  it('one that accepts the connection and is silent is late, too', async () => {
    const silent = createTcpServer((socket) => socket.on('error', () => {})).listen(0, HOST);
    await once(silent, 'listening');
    expect(await ask({ grpc: { port: portOf(silent) }, timeoutSeconds: 1 })).toEqual({
      outcome: 'failure',
      message: 'timeout: health rpc did not complete within 1s',
    });
    silent.close();
  });

  it('one that does not know the health protocol', async () => {
    expect(await ask({ grpc: { port: barePort } })).toEqual({
      outcome: 'failure',
      message: 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)',
    });
  });

  it('is asked directly, whatever proxy the agent itself goes through', async () => {
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1');
    vi.stubEnv('no_grpc_proxy', '');
    vi.stubEnv('no_proxy', '');
    expect(await ask({ grpc: { port } })).toEqual(success);
    vi.unstubAllEnvs();
  });

  it('nobody who listens', async () => {
    expect(await ask({ grpc: { port: 1 } })).toEqual({
      outcome: 'failure',
      message: 'error: failed to connect service at "127.0.0.1:1": connect ECONNREFUSED 127.0.0.1:1',
    });
  });

  // The bug this found: the time was in the message, and each failure an event of its own.
  it('one that speaks something else, in the same words each time', async () => {
    const other = createServer().listen(0, HOST);
    await once(other, 'listening');
    const answer = { outcome: 'failure', message: expect.stringMatching(/": [a-zA-Z ]+$/) };
    expect(await ask({ grpc: { port: portOf(other) } })).toEqual(answer);
    other.close();
  });
});
