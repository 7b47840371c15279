// exec and attach at the plane: what a client asks reaches the agent, nothing runs before the client is there, either
// side may leave, and whoever is slow holds back only the other end.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { type AgentEnd, nextTunnel, tunnelCount } from '../support/hollow-tunnel.ts';
import { PODS } from '../support/manifests.ts';
import { showPod } from '../support/shown-pod.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';
import { openTerminal, spdyTo, type Transport, upgrade } from '../support/upgrading-client.ts';

const KB = 1024;
const WINDOW = 256 * KB;
const TRANSPORTS: Transport[] = ['SPDY', 'v5.channel.k8s.io', 'v4.channel.k8s.io'];

let plane: TestPlane;
let member: HollowMember;
let pod: Json;
let known: number;
beforeAll(async () => {
  plane = await startTestPlane();
  member = await joinMember(plane);
  pod = await showPod(plane, member, 'web', ['main', 'side']);
});
afterAll(async () => {
  member.leave();
  await plane.stop();
});
beforeEach(() => {
  known = tunnelCount(member.stream);
});

const ALL = 'stdin=true&stdout=true&stderr=true';
const path = (query = ALL, kind = 'exec') => `${PODS}/${pod.name}/${kind}?container=main&${query}`;
const exec = (query = ALL) => path(`command=sh&command=-c&command=a%20b&${query}`);

/** A client and the agent's end, once the agent may begin. */
async function both(transport: Transport, url = exec()) {
  const opening = openTerminal(plane, url, transport);
  const agent = await nextTunnel(member.stream, known);
  agent.answer(200);
  const client = await opening;
  await until('it begins', () => agent.has('begin'));
  return { client, agent };
}
const exit = (agent: AgentEnd, exitCode: number, failure = '') =>
  agent.send({ $case: 'end', value: { exitCode, failure } }).then(agent.finish);
const data = (agent: AgentEnd, value: string | Buffer, $case: 'data' | 'errorData' = 'data') =>
  agent.send({ $case, value: Buffer.from(value) });

describe.each(TRANSPORTS)('over %s', (transport) => {
  it('a command runs with what it was asked with, and ends with its exit code', async () => {
    const { client, agent } = await both(transport);
    expect(agent.request).toEqual({
      $case: 'exec',
      value: {
        podUid: pod.uid,
        container: 'main',
        command: ['sh', '-c', 'a b'],
        stdin: true,
        stdout: true,
        stderr: true,
        tty: false,
      },
    });
    client.send('to the command');
    await until('it hears', () => agent.text() === 'to the command');
    client.endInput?.();
    if (client.endInput) await until('the end of it', () => agent.has('dataEnd'));
    await data(agent, 'out');
    await data(agent, 'err', 'errorData');
    await exit(agent, 3);
    expect(await client.status()).toEqual({
      metadata: {},
      status: 'Failure',
      reason: 'NonZeroExitCode',
      message: 'command terminated with non-zero exit code: exit code 3',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    expect([client.stdout().toString(), client.stderr()]).toEqual(['out', 'err']);
  });

  it('a terminal tells its size, and a success is one', async () => {
    const { client, agent } = await both(transport, exec('stdin=true&stdout=true&tty=true'));
    client.resize(97, 33);
    await until('the size', () =>
      agent.heard.some((frame) => frame.$case === 'resize' && frame.value.width === 97),
    );
    await exit(agent, 0);
    expect(await client.status()).toEqual({ metadata: {}, status: 'Success' });
  });

  it('attach asks for the container’s own streams', async () => {
    const { client, agent } = await both(transport, path('stdout=true&stderr=true', 'attach'));
    expect(agent.request).toEqual({
      $case: 'attach',
      value: { podUid: pod.uid, container: 'main', stdin: false, stdout: true, stderr: true },
    });
    await data(agent, 'tick');
    await exit(agent, 0);
    expect((await client.status()).status).toBe('Success');
    expect(client.stdout().toString()).toBe('tick');
  });

  it('a client that leaves ends the agent’s stream', async () => {
    const { client, agent } = await both(transport);
    client.drop();
    await until('the agent is told', agent.ended);
  });

  it.each<[string, (agent: AgentEnd) => unknown, string]>([
    ['breaks off', (agent) => agent.abort(), 'the connection to the agent of node NODE was lost'],
    ['ends too early', (agent) => agent.finish(), 'the agent ended the stream too early'],
    ['says what went wrong', (agent) => exit(agent, 0, 'the engine is down'), 'the engine is down'],
  ])('an agent that %s is a failure with words', async (_, act, message) => {
    const { client, agent } = await both(transport);
    await data(agent, 'half');
    // Nothing of it is under way any more.
    await until('it is read', () => client.stdout().toString() === 'half');
    await act(agent);
    expect(await client.status()).toMatchObject({
      status: 'Failure',
      reason: 'InternalError',
      message: message.replace('NODE', member.name),
    });
  });

  it('input that the command does not read waits with the client, and output flows meanwhile', async () => {
    const { client, agent } = await both(transport);
    const size = 2 * KB * KB;
    for (let sent = 0; sent < size; sent += 32 * KB) client.send(Buffer.alloc(32 * KB, 'i'));
    await until('the window is full', () => agent.text().length === WINDOW);
    await turns(50);
    // Seen failing (all of it) without the wait in sendData.
    expect(agent.text().length).toBe(WINDOW);
    await data(agent, 'meanwhile');
    await until('output comes', () => client.stdout().toString() === 'meanwhile');
    let taken = 0;
    await until('all of it is passed on', async () => {
      const heard = agent.text().length;
      if (heard > taken) await agent.send({ $case: 'taken', value: heard - taken });
      taken = heard;
      return taken === size;
    });
    await exit(agent, 0);
    expect((await client.status()).status).toBe('Success');
  });

  it('output that the client does not read waits with the agent, and arrives whole', async () => {
    const { client, agent } = await both(transport);
    client.pause();
    const piece = Buffer.alloc(64 * KB, 'o');
    const pieces = 800;
    let sent = 0;
    const sending = (async () => {
      for (; sent < pieces; sent++) await data(agent, piece);
    })();
    let before = -1;
    let standing = 0;
    await until('the agent is held back', async () => {
      await turns(50);
      standing = before === sent ? standing + 1 : 0;
      before = sent;
      return standing > 20;
    });
    expect(sent).toBeLessThan(pieces / 2);
    client.resume();
    await sending;
    await exit(agent, 0);
    expect((await client.status()).status).toBe('Success');
    expect(client.stdout().length).toBe(pieces * piece.length);
  });

  it('a plane that stops says so', async () => {
    const { client, agent } = await both(transport);
    const status = client.status();
    await plane.restart();
    expect((await status).message).toBe('the plane is stopping');
    await until('the agent is told', agent.ended);
    await member.reconnect();
  });
});

describe('nothing is begun', () => {
  it('for a SPDY client that has not opened its streams', async () => {
    const opening = spdyTo(plane, exec());
    const agent = await nextTunnel(member.stream, known);
    agent.answer(200);
    const client = await opening;
    for (const streamtype of ['error', 'stdin', 'stdout']) await client.open({ streamtype });
    await client.ping(1);
    expect(agent.has('begin')).toBe(false);
    expect((await client.open({ streamtype: 'nonsense' })).id).toBeGreaterThan(0);
    await client.open({ streamtype: 'stderr' });
    await until('it begins', () => agent.has('begin'));
    client.drop();
    await until('the agent is told', agent.ended);
  });
});

const SPDY = { Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' };
const WEBSOCKET = {
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
};

describe('before the upgrade, a request is refused as any other', () => {
  it.each<[string, () => string, { [name: string]: string }, number, string]>([
    [
      'of a pod that is not there',
      () => `${PODS}/nope/exec?command=ls&stdout=true`,
      SPDY,
      404,
      'pods "nope" not found',
    ],
    [
      'of a container that is not there',
      () => `${PODS}/${pod.name}/exec?command=ls&stdout=true&container=x`,
      SPDY,
      400,
      'container x is not valid for pod NAME',
    ],
    [
      'of no container where there are two',
      () => `${PODS}/${pod.name}/attach?stdout=true`,
      SPDY,
      400,
      'a container name must be specified for pod NAME, choose one of: [main side]',
    ],
    ['without a command', () => path(), SPDY, 400, 'you must specify at least 1 command for the container'],
    ['without streams', () => exec('x=1'), SPDY, 400, 'you must specify at least 1 of stdin, stdout, stderr'],
    [
      'of a terminal with stderr',
      () => exec(`${ALL}&tty=true`),
      SPDY,
      400,
      'tty and stderr cannot both be true',
    ],
    [
      'in versions that are too old',
      () => exec(),
      { ...SPDY, 'X-Stream-Protocol-Version': 'v3.channel.k8s.io, channel.k8s.io' },
      403,
      'unable to upgrade: unable to negotiate protocol: client supports [v3.channel.k8s.io channel.k8s.io], server accepts [v5.channel.k8s.io v4.channel.k8s.io]',
    ],
    [
      'for a WebSocket of no version',
      () => exec(),
      { ...WEBSOCKET, 'Sec-WebSocket-Protocol': 'chat' },
      403,
      'unable to upgrade: unable to negotiate protocol: client supports [chat], server accepts [v5.channel.k8s.io v4.channel.k8s.io]',
    ],
    [
      'for a WebSocket without a key',
      () => exec(),
      { ...WEBSOCKET, 'Sec-WebSocket-Key': 'x' },
      400,
      'Sec-WebSocket-Key: Invalid value',
    ],
    ['for what is no upgrade at all', () => exec(), { Upgrade: 'h2c' }, 400, 'Upgrade request required'],
  ])('%s', async (_, url, headers, status, message) => {
    const method = headers.Upgrade === 'websocket' ? 'GET' : 'POST';
    const answer = await upgrade(plane, url(), headers, method);
    expect(answer).toMatchObject({
      status,
      json: { kind: 'Status', code: status, message: message.replace('NAME', pod.name) },
    });
    expect(tunnelCount(member.stream)).toBe(known);
  });

  it('as nobody or as somebody without rights: 403', async () => {
    const { ca } = plane.admin;
    const anonymous = await upgrade({ apiPort: plane.apiPort, admin: { ca } }, exec(), SPDY);
    expect(anonymous).toMatchObject({ status: 403, json: { reason: 'Forbidden' } });
    const { key, certificate: cert } = member.identity;
    const node = await upgrade({ apiPort: plane.apiPort, admin: { ca, key, cert } }, exec(), SPDY);
    expect(node).toMatchObject({ status: 403, json: { reason: 'Forbidden' } });
  });

  it('by an agent that finds no such container: with its words', async () => {
    for (const headers of [SPDY, WEBSOCKET]) {
      const answering = upgrade(plane, exec(), headers, headers === SPDY ? 'POST' : 'GET');
      const agent = await nextTunnel(member.stream, tunnelCount(member.stream));
      agent.answer(404, 'unable to upgrade connection: container not found ("main")');
      expect(await answering).toMatchObject({
        status: 404,
        json: { reason: 'NotFound', message: 'unable to upgrade connection: container not found ("main")' },
      });
      expect(agent.has('begin')).toBe(false);
    }
  });

  it('on a node that is not connected: 503', async () => {
    const gone = await joinMember(plane);
    const { name } = await showPod(plane, gone, 'gone');
    gone.leave();
    await until('noticed', () => !plane.hasHeard(gone.name));
    for (const kind of ['exec?command=ls&stdout=true', 'portforward']) {
      const versions = `${SPDY['X-Stream-Protocol-Version']}, portforward.k8s.io`;
      const answer = await upgrade(plane, `${PODS}/${name}/${kind}`, {
        ...SPDY,
        'X-Stream-Protocol-Version': versions,
      });
      expect(answer).toMatchObject({
        status: 503,
        json: { reason: 'ServiceUnavailable', message: `the agent of node ${gone.name} is not connected` },
      });
    }
  });
});

it('discovery lists the subresources with their verbs', async () => {
  const { resources } = await plane.api.ok('GET', '/api/v1');
  for (const [name, kind] of [
    ['exec', 'PodExecOptions'],
    ['attach', 'PodAttachOptions'],
    ['portforward', 'PodPortForwardOptions'],
  ])
    expect(resources).toContainEqual(
      expect.objectContaining({ name: `pods/${name}`, kind, verbs: ['create', 'get'] }),
    );
});

it('leaves the plane without a complaint', () => {
  expect(plane.complaints.filter(({ msg }) => msg === 'a request failed')).toEqual([]);
});
