// port-forward at the plane: pairs of streams over SPDY, on the connection itself or inside a WebSocket, each pair a
// stream of the agent's own.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { type AgentEnd, nextTunnel, tunnelCount } from '../support/hollow-tunnel.ts';
import { PODS } from '../support/manifests.ts';
import { showPod } from '../support/shown-pod.ts';
import type { ClientStream, SpdyClient } from '../support/spdy-client.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';
import { spdyTo, tunnelledSpdyTo, upgrade } from '../support/upgrading-client.ts';

let plane: TestPlane;
let member: HollowMember;
let pod: Json;
let known: number;
let session: SpdyClient;
beforeAll(async () => {
  plane = await startTestPlane();
  member = await joinMember(plane);
  pod = await showPod(plane, member, 'web');
});
afterAll(async () => {
  member.leave();
  await plane.stop();
});
const path = () => `${PODS}/${pod.name}/portforward`;

describe.each<[string, () => Promise<SpdyClient>]>([
  ['SPDY', () => spdyTo(plane, path(), 'portforward.k8s.io')],
  ['SPDY in a WebSocket', () => tunnelledSpdyTo(plane, path())],
])('over %s', (_name, open) => {
  beforeEach(async () => {
    known = tunnelCount(member.stream);
    session = await open();
    return () => session.drop();
  });
  let count = 0;
  /** Both streams of a new connection, as kubectl opens them. */
  async function connection(port: string, requestid = String(count++)) {
    const error = await session.open({ streamtype: 'error', port, requestid });
    error.end();
    return { error, data: await session.open({ streamtype: 'data', port, requestid }) };
  }
  async function forwarded(port = '8080') {
    const streams = await connection(port);
    const agent = await nextTunnel(member.stream, known);
    known += 1;
    agent.answer(200);
    return { ...streams, agent };
  }
  const finish = (agent: AgentEnd, failure = '') =>
    agent.send({ $case: 'end', value: { exitCode: 0, failure } }).then(agent.finish);

  it('a connection goes to its port, and each half ends by itself', async () => {
    const { data, error, agent } = await forwarded('9000');
    expect(agent.request).toEqual({ $case: 'portForward', value: { podUid: pod.uid, port: 9000 } });
    data.send('question', true);
    await until('the end of the question', () => agent.has('dataEnd'));
    expect(agent.text()).toBe('question');
    // Seen failing when the end of one half ended the other.
    await agent.send({ $case: 'data', value: Buffer.from('answer') });
    await until('the answer', () => data.text() === 'answer');
    expect(data.ended()).toBe(false);
    await agent.send({ $case: 'dataEnd', value: {} });
    await until('the end of the answer', () => data.ended() && error.ended());
    await finish(agent);
    expect(error.text()).toBe('');
  });

  it('a pod that ends its half first still hears the client', async () => {
    const { data, error, agent } = await forwarded();
    await agent.send({ $case: 'dataEnd', value: {} });
    await until('the client is told on both streams', () => data.ended() && error.ended());
    data.send('afterwards', true);
    await until('it hears', () => agent.text() === 'afterwards' && agent.has('dataEnd'));
    await finish(agent);
  });

  it('many connections at once are not mixed', async () => {
    const streams = [];
    for (let port = 1; port <= 20; port++) streams.push(await connection(String(port)));
    const agents = [];
    for (let index = 0; index < 20; index++) agents.push(await nextTunnel(member.stream, known + index));
    for (const agent of agents) {
      agent.answer(200);
      const { port } = agent.request.value as { port: number };
      await agent.send({ $case: 'data', value: Buffer.from(`port ${port}`) });
    }
    for (const [index, { data }] of streams.entries())
      await until('its own', () => data.text() === `port ${index + 1}`);
    session.drop();
    for (const agent of agents) await until('the agent is told', agent.ended);
  });

  it.each<[string, (agent: AgentEnd, data: ClientStream) => unknown, string]>([
    [
      'cannot be made',
      (agent) => agent.answer(400, 'failed to connect to localhost:81 inside the pod: connection refused'),
      'failed to connect to localhost:81 inside the pod: connection refused',
    ],
    [
      'breaks',
      (agent) => {
        agent.answer(200);
        return finish(agent, 'read ECONNRESET');
      },
      'read ECONNRESET',
    ],
    [
      'is ended too early',
      (agent) => {
        agent.answer(200);
        agent.finish();
      },
      'the agent ended the stream too early',
    ],
    [
      'loses its agent',
      async (agent, data) => {
        agent.answer(200);
        await agent.send({ $case: 'data', value: Buffer.from('half') });
        await until('what it said is heard', () => data.text() === 'half');
        agent.abort();
      },
      'the connection to the agent of node NODE was lost',
    ],
  ])('of a connection that %s the client is told why, and goes on with others', async (_, act, why) => {
    const { data, error } = await connection('81');
    const agent = await nextTunnel(member.stream, known);
    known += 1;
    await act(agent, data);
    await until('both end', () => data.ended() && error.ended());
    expect(error.text()).toBe(
      `error forwarding port 81 to pod ${pod.name}: ${why.replace('NODE', member.name)}`,
    );
    const next = await forwarded();
    await next.agent.send({ $case: 'data', value: Buffer.from('on') });
    await until('data', () => next.data.text() === 'on');
  });

  it('a stream that the client resets ends its connection alone', async () => {
    const [gone, stays] = [await forwarded(), await forwarded()];
    gone.data.reset();
    await until('the agent is told', gone.agent.ended);
    await stays.agent.send({ $case: 'data', value: Buffer.from('here') });
    await until('data', () => stays.data.text() === 'here');
  });

  it('large data comes whole both ways', async () => {
    const { data, agent } = await forwarded();
    const bytes = randomBytes(1_500_000);
    data.send(bytes, true);
    const sending = (async () => {
      for (let at = 0; at < bytes.length; at += 50_000)
        await agent.send({ $case: 'data', value: bytes.subarray(at, at + 50_000) });
    })();
    let taken = 0;
    await until('all of it', async () => {
      const heard = agent.text().length;
      if (heard > taken) await agent.send({ $case: 'taken', value: heard - taken });
      taken = heard;
      return taken === bytes.length;
    });
    await sending;
    await until('and back', () => data.bytes().length === bytes.length);
    expect(agent.text()).toBe(bytes.toString('latin1'));
    expect(data.bytes().equals(bytes)).toBe(true);
  });

  it.each([
    ['no port', { streamtype: 'data', requestid: 'a' }],
    ['a port that is none', { streamtype: 'data', requestid: 'b', port: '70000' }],
    ['a port in words', { streamtype: 'data', requestid: 'c', port: 'http' }],
    ['no request', { streamtype: 'data', port: '80' }],
    ['another type', { streamtype: 'stdin', requestid: 'd', port: '80' }],
  ])('a stream with %s is reset', async (_, headers) => {
    const stream = await session.open(headers as never);
    await until('reset', stream.wasReset);
    expect(tunnelCount(member.stream)).toBe(known);
  });
});

it('other protocols are refused before the upgrade', async () => {
  const answer = await upgrade(plane, path(), {
    Upgrade: 'SPDY/3.1',
    'X-Stream-Protocol-Version': 'v4.channel.k8s.io',
  });
  expect(answer).toMatchObject({
    status: 403,
    json: { message: expect.stringContaining('server accepts [portforward.k8s.io]') },
  });
});

it('a plane that stops ends the session and what the agent has open', async () => {
  session = await spdyTo(plane, path(), 'portforward.k8s.io');
  known = tunnelCount(member.stream);
  await session.open({ streamtype: 'error', port: '1', requestid: '1' });
  await session.open({ streamtype: 'data', port: '1', requestid: '1' });
  const agent = await nextTunnel(member.stream, known);
  agent.answer(200);
  await turns();
  await plane.restart();
  await until('the session ends', session.closed);
  await until('the agent is told', agent.ended);
});
