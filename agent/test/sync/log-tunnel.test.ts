// A container's log through a tunnel: what is answered, at whose pace, and that it ends when either side is gone.
import type { LogsRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createPodDialer } from '../../src/forward/pod-dialer.ts';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import { createPlaneClient, type PlaneClient } from '../../src/sync/plane-client.ts';
import { serveTunnel } from '../../src/sync/serve-tunnel.ts';
import { createFakeEngine } from '../fake-runtime.ts';
import { podRecord, settings } from '../pods.ts';
import { openScriptedPlane, type ScriptedPlane } from '../scripted-plane.ts';
import { OBEYS, WRITES_AND_ENDS, WRITES_AND_STAYS } from '../test-programs.ts';
import { until } from '../wait-until.ts';

let plane: ScriptedPlane;
let client: PlaneClient;
beforeAll(async () => {
  plane = await openScriptedPlane();
  client = createPlaneClient(plane.identity('node-1'));
});
afterAll(async () => {
  client.close();
  await plane.goDown();
});

const dialer = createPodDialer();
const waiting = () => ({ podName: pod.name, reason: 'ImagePullBackOff' });
const pod = podRecord();
let opened = 0;

async function open(runtime: ContainerRuntime, over: Partial<LogsRequest> = {}) {
  opened += 1;
  const index = plane.tunnels.length;
  const stopping = new AbortController();
  onTestFinished(() => stopping.abort());
  const request: LogsRequest = {
    podUid: pod.uid,
    container: 'app',
    follow: false,
    previous: false,
    timestamps: false,
    sinceTime: '',
    ...over,
  };
  const served = serveTunnel(
    { client, runtime, dialer, waiting, signal: stopping.signal },
    { tunnelId: `tunnel-${opened}`, request: { $case: 'logs', value: request } },
  );
  const tunnel = await until('the tunnel is open', () => plane.tunnels[index]);
  return { tunnel, served, stopping };
}

/** Two attempts of one container: the first wrote and ended, the second writes and stays. */
async function engineWithLogs() {
  const engine = createFakeEngine();
  const runtime = engine.runtime('test/node');
  const attempt = async (number: number, program: typeof OBEYS) => {
    const id = await runtime.create(settings(program, { identity: { pod, name: 'app', attempt: number } }));
    await runtime.start(id);
    return id;
  };
  await attempt(0, WRITES_AND_ENDS);
  const current = await attempt(1, WRITES_AND_STAYS);
  return { engine, runtime, current };
}

const answerOf = ({
  frames,
}: {
  readonly frames: readonly { readonly $case: string; readonly value: unknown }[];
}) => frames.find(({ $case }) => $case === 'answer')?.value;

describe('a tunnel', () => {
  it('names itself, answers, and brings the log of the current attempt', async () => {
    const { runtime } = await engineWithLogs();
    const { tunnel, served } = await open(runtime);
    await served;
    await until('it has ended', tunnel.ended);
    expect(tunnel.frames.map(({ $case }) => $case)).toEqual(['tunnelId', 'answer', 'data']);
    expect(tunnel.frames[0]?.value).toBe(`tunnel-${opened}`);
    expect(answerOf(tunnel)).toEqual({ code: 200, message: '' });
    expect(tunnel.text()).toBe('ready\n');
  });

  it.each<[string, Partial<LogsRequest>, string]>([
    ['of the attempt before', { previous: true }, 'one\ntwo\nthree\n'],
    ['of it the last lines', { previous: true, tailLines: 1 }, 'three\n'],
    ['of it the first bytes', { previous: true, limitBytes: 5 }, 'one\nt'],
    ['of it no lines at all', { previous: true, tailLines: 0 }, ''],
    ['since an hour', { previous: true, sinceSeconds: 3600 }, 'one\ntwo\nthree\n'],
    ['since a time to come', { previous: true, sinceTime: '2100-01-01T00:00:00Z' }, ''],
  ])('brings the log %s', async (_name, request, wanted) => {
    const { runtime } = await engineWithLogs();
    const { tunnel, served } = await open(runtime, request);
    await served;
    await until('it has ended', tunnel.ended);
    expect(tunnel.text()).toBe(wanted);
  });

  it.each<[string, Partial<LogsRequest>, number, RegExp]>([
    [
      'a container that is not there',
      { container: 'other' },
      400,
      /"other" in pod "web-abcde" is waiting to start: ImagePullBackOff$/,
    ],
    ['a pod that is not there', { podUid: 'none' }, 400, /is waiting to start/],
    [
      'an attempt before the first',
      { container: 'fresh', previous: true },
      400,
      /previous terminated container "fresh" in pod "web-abcde" not found/,
    ],
  ])('says that there is no log of %s', async (_name, request, code, message) => {
    const { runtime } = await engineWithLogs();
    const id = await runtime.create(settings(OBEYS, { identity: { pod, name: 'fresh', attempt: 0 } }));
    await runtime.start(id);
    const { tunnel, served } = await open(runtime, request);
    await served;
    await until('it has ended', tunnel.ended);
    expect(answerOf(tunnel)).toEqual({ code, message: expect.stringMatching(message) });
  });

  // What people ask for first when a pod is in CrashLoopBackOff.
  it('brings the log of an attempt that has ended and waits for its next start as the previous one too', async () => {
    const runtime = createFakeEngine().runtime('test/node');
    const identity = { pod, name: 'app', attempt: 0 };
    await runtime.start(await runtime.create(settings(WRITES_AND_ENDS, { identity })));
    for (const previous of [false, true]) {
      const { tunnel, served } = await open(runtime, { previous });
      await served;
      await until('it has ended', tunnel.ended);
      expect(tunnel.text()).toBe('one\ntwo\nthree\n');
    }
  });

  it('says why, when the engine fails', async () => {
    const { engine, runtime } = await engineWithLogs();
    engine.setDown(true);
    const { tunnel, served } = await open(runtime);
    await served;
    await until('it has ended', tunnel.ended);
    expect(answerOf(tunnel)).toEqual({ code: 500, message: expect.stringContaining('does not answer') });
  });

  it('says that it is too old for what it does not know', async () => {
    const { runtime } = await engineWithLogs();
    const index = plane.tunnels.length;
    await serveTunnel(
      { client, runtime, dialer, waiting, signal: new AbortController().signal },
      { tunnelId: 'new', request: undefined },
    );
    const tunnel = await until('the tunnel is open', () => plane.tunnels[index]);
    await until('it has ended', tunnel.ended);
    expect(answerOf(tunnel)).toEqual({ code: 400, message: expect.stringContaining('older than the plane') });
  });
});

describe('a log that is followed', () => {
  it('ends when the container ends', async () => {
    const { engine, runtime, current } = await engineWithLogs();
    const { tunnel, served } = await open(runtime, { follow: true });
    await until('its first line is here', () => tunnel.text() === 'ready\n');
    expect(tunnel.ended()).toBe(false);
    engine.end(current);
    await served;
    await until('it has ended', tunnel.ended);
  });

  it('is read no more when the client leaves, or the agent stops', async () => {
    for (const leave of ['client', 'agent'] as const) {
      const { runtime } = await engineWithLogs();
      const { tunnel, served, stopping } = await open(runtime, { follow: true });
      await until('its first line is here', () => tunnel.text() === 'ready\n');
      if (leave === 'client') tunnel.cancel();
      else stopping.abort();
      await served;
    }
  });

  it('is read from the engine only as fast as the client reads it', async () => {
    const { runtime } = await engineWithLogs();
    const PIECE = Buffer.alloc(64 * 1024, 'x');
    const PIECES = 1000;
    let read = 0;
    const large: ContainerRuntime = {
      ...runtime,
      logs: async () =>
        (async function* () {
          for (; read < PIECES; read++) yield PIECE;
        })(),
    };
    const { tunnel, served } = await open(large);
    tunnel.pause();
    let before = -1;
    await until('nothing more is read', async () => {
      const still = before === read;
      before = read;
      // Several turns of both ends: what can flow has flown.
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      return still;
    });
    expect(read).toBeLessThan(PIECES / 2);
    tunnel.resume();
    await served;
    await until('all of it is here', () => tunnel.text().length === PIECES * PIECE.length);
  });
});
