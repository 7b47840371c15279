// Clients of exec, attach and port-forward that write anything: the plane goes on, keeps nothing of them, and holds
// little meanwhile. Each run is one seed: FLEETSET_FUZZ_SEED is the first, FLEETSET_FUZZ_RUNS how many.
import type { Duplex } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import {
  broken,
  type Dice,
  diceOf,
  spdyFrames,
  webSocketFrame,
  webSocketFrames,
} from '../support/broken-frames.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { type AgentEnd, nextTunnel, tunnelCount } from '../support/hollow-tunnel.ts';
import { PODS } from '../support/manifests.ts';
import { showPod } from '../support/shown-pod.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';
import { openTerminal, upgrade } from '../support/upgrading-client.ts';

const FIRST = Number(process.env.FLEETSET_FUZZ_SEED ?? 1);
const RUNS = Number(process.env.FLEETSET_FUZZ_RUNS ?? 120);
const AT_ONCE = 8;
const MEASURED_EVERY = 40;
/** The test's own agents are some of it. */
const MOST_HELD = 64 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** What is still of use. */
const held = (): number => {
  collect();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
};

let plane: TestPlane;
let member: HollowMember;
let pod: Json;
/** Those that are not over, as far as anybody looked. */
let agents: AgentEnd[] = [];
const asked = { exec: 0, portForward: 0, attach: 0, logs: 0 };
let known = 0;
const uncaught: unknown[] = [];
const onUncaught = (error: unknown) => void uncaught.push(error);
let answering = true;
beforeAll(async () => {
  process.on('uncaughtException', onUncaught);
  process.on('unhandledRejection', onUncaught);
  plane = await startTestPlane();
  member = await joinMember(plane);
  pod = await showPod(plane, member, 'web', ['main']);
  void answerAll();
});
afterAll(async () => {
  answering = false;
  member.leave();
  await plane.stop();
  process.off('uncaughtException', onUncaught);
  process.off('unhandledRejection', onUncaught);
});

/** The agent: what is asked is answered, some of it with data. */
async function answerAll(): Promise<void> {
  while (answering) {
    if (tunnelCount(member.stream) === known) {
      await turns(1);
      continue;
    }
    const agent = await nextTunnel(member.stream, known);
    known += 1;
    asked[agent.request.$case] += 1;
    agents.push(agent);
    agent.answer(200);
    void agent.send({ $case: 'data', value: Buffer.from('hello') }).catch(() => {});
  }
}

const WAYS = ['exec over SPDY', 'port over SPDY', 'exec over WebSocket', 'port over WebSocket'] as const;

const exec = () => `${PODS}/${pod.name}/exec?command=cat&stdin=true&stdout=true&stderr=true`;
const port = () => `${PODS}/${pod.name}/portforward`;
const overWebSocket = (path: string, protocol: string) =>
  upgrade(
    plane,
    path,
    {
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      'Sec-WebSocket-Protocol': protocol,
    },
    'GET',
  );
const overSpdy = (path: string, protocol: string) =>
  upgrade(plane, path, { Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': protocol });

async function begin(
  dice: Dice,
): Promise<{ granted: Awaited<ReturnType<typeof overSpdy>>; frames: Buffer[] }> {
  switch (dice.pick(WAYS)) {
    case 'exec over SPDY':
      return { granted: await overSpdy(exec(), 'v4.channel.k8s.io'), frames: await spdyFrames(dice, 'exec') };
    case 'port over SPDY':
      return {
        granted: await overSpdy(port(), 'portforward.k8s.io'),
        frames: await spdyFrames(dice, 'portforward'),
      };
    case 'exec over WebSocket':
      return { granted: await overWebSocket(exec(), 'v5.channel.k8s.io'), frames: webSocketFrames(dice) };
    case 'port over WebSocket': {
      const inner = (await spdyFrames(dice, 'portforward')).map((frame) => broken(dice, frame));
      return {
        granted: await overWebSocket(port(), 'SPDY/3.1+portforward.k8s.io'),
        frames: inner.map((frame) => webSocketFrame(dice, 2, frame)),
      };
    }
  }
}

async function run(seed: number): Promise<void> {
  const dice = diceOf(seed);
  const { granted, frames } = await begin(dice);
  if (!('socket' in granted)) throw new Error(`seed ${seed} was refused: ${JSON.stringify(granted)}`);
  const { socket } = granted;
  socket.on('error', () => {});
  if (dice.below(4) > 0) socket.resume();
  for (const frame of frames) {
    const bytes = broken(dice, frame);
    for (let at = 0; at < bytes.length && !socket.destroyed; ) {
      const size = 1 + dice.below(bytes.length);
      socket.write(bytes.subarray(at, at + size));
      at += size;
      if (dice.below(3) === 0) await turns(1);
    }
  }
  await leave(dice, socket);
}

async function leave(dice: Dice, socket: Duplex): Promise<void> {
  if (dice.below(3) === 0) socket.end();
  await turns(dice.below(20));
  // Some stay until what they wrote has come to something.
  if (dice.below(2) === 0) await new Promise((resolve) => setTimeout(resolve, dice.below(100)));
  const { _parent: tcp } = socket as unknown as { _parent?: { resetAndDestroy: () => void } };
  if (dice.below(3) === 0 && tcp) tcp.resetAndDestroy();
  socket.destroy();
}

it(
  `stays whole over ${RUNS} broken clients, from seed ${FIRST} on`,
  async () => {
    const before = held();
    let most = 0;
    for (let seed = FIRST; seed < FIRST + RUNS; seed += AT_ONCE) {
      const seeds = Array.from({ length: Math.min(AT_ONCE, FIRST + RUNS - seed) }, (_, more) => seed + more);
      await Promise.all(seeds.map(run));
      await until(`all ends of seeds ${seeds} are over`, () => agents.every((agent) => agent.ended()));
      agents = [];
      expect(uncaught, `of seeds ${seeds}`).toEqual([]);
      expect(plane.complaints, `of seeds ${seeds}`).toEqual([]);
      if ((seed - FIRST) % MEASURED_EVERY === 0) most = Math.max(most, held() - before);
    }
    expect(Math.max(most, held() - before)).toBeLessThan(MOST_HELD);
    // Not only what is refused at once.
    expect(Math.min(asked.exec, asked.portForward)).toBeGreaterThan(0);
    expect((await plane.api.call('GET', '/readyz')).text).toBe('ok');
    const client = await openTerminal(plane, exec(), 'v5.channel.k8s.io');
    const agent = await until('it is asked', () => agents.find((one) => !one.ended()));
    await until('it hears', () => client.stdout().toString() === 'hello');
    await agent.send({ $case: 'end', value: { exitCode: 0, failure: '' } });
    agent.finish();
    expect(await client.status()).toMatchObject({ status: 'Success' });
  },
  180_000 + RUNS * 200,
);

// The bug this found: each hung on the signal that ends with the plane.
it('keeps nothing of port-forwards whose clients have left', async () => {
  const come = async (clients: number) => {
    for (let count = 0; count < clients; count++) {
      const granted = await overSpdy(port(), 'portforward.k8s.io');
      if (!('socket' in granted)) throw new Error(JSON.stringify(granted));
      const gone = new Promise((resolve) => granted.socket.on('close', resolve));
      granted.socket.destroy();
      await gone;
    }
    await turns();
    return held();
  };
  const before = await come(20);
  expect((await come(300)) - before).toBeLessThan(8 * 1024 * 1024);
});
