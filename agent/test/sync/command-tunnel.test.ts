// A client in a container, at the agent: nothing runs before it is there, input is said to be taken when it is passed
// on, and whoever leaves lets go of the rest.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import type { Terminal } from '../../src/runtime/terminal.ts';
import { createPlaneClient, type PlaneClient } from '../../src/sync/plane-client.ts';
import { createFakeEngine } from '../fake-runtime.ts';
import { podRecord, settings } from '../pods.ts';
import { openScriptedPlane, type ScriptedPlane, type Tunnel } from '../scripted-plane.ts';
import { OBEYS, SAYS_AND_FAILS, WRITES_AND_STAYS } from '../test-programs.ts';
import { until } from '../wait-until.ts';
import { answerOf, framesOf, openTunnelTo } from './tunnels.ts';

const KB = 1024;
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

const pod = podRecord();

async function engineWithContainer(program = OBEYS) {
  const engine = createFakeEngine();
  const runtime = engine.runtime('test/node');
  const id = await runtime.create(settings(program, { identity: { pod, name: 'app', attempt: 0 } }));
  await runtime.start(id);
  return { engine, runtime, id };
}

const exec = (runtime: ContainerRuntime, command: readonly string[], container = 'app') =>
  openTunnelTo(plane, client, runtime, {
    $case: 'exec',
    value: {
      podUid: pod.uid,
      container,
      command: [...command],
      stdin: true,
      stdout: true,
      stderr: true,
      tty: false,
    },
  });
const begin = (tunnel: Tunnel) => tunnel.send({ $case: 'begin', value: {} });
const answered = (tunnel: Tunnel) => until('it is answered', () => answerOf(tunnel));

/** The runtime with its terminals looked at. */
function watched(runtime: ContainerRuntime) {
  const seen: string[] = [];
  const look = (terminal: Terminal): Terminal => {
    seen.push('start');
    return {
      ...terminal,
      resize: async ({ width, height }) => void seen.push(`${width}x${height}`),
      leave: () => {
        seen.push('leave');
        terminal.leave();
      },
    };
  };
  const watching: ContainerRuntime = {
    ...runtime,
    prepareCommand: async (id, wanted) => {
      const start = await runtime.prepareCommand(id, wanted);
      return async () => look(await start());
    },
  };
  return { seen, runtime: watching };
}

describe('a command', () => {
  it('runs when the client is there, and ends with its exit code', async () => {
    const { seen, runtime } = watched((await engineWithContainer()).runtime);
    const { tunnel, served } = await exec(runtime, SAYS_AND_FAILS.command);
    expect(await answered(tunnel)).toEqual({ code: 200, message: '' });
    expect(seen).toEqual([]);
    begin(tunnel);
    await served;
    await until('it has ended', tunnel.ended);
    expect(tunnel.text()).toBe('out\nerr\n');
    expect(framesOf(tunnel, 'end')).toEqual([{ exitCode: 4, failure: '' }]);
    expect(seen).toEqual(['start']);
  });

  it('never runs for a client that leaves before', async () => {
    const { seen, runtime } = watched((await engineWithContainer()).runtime);
    const { tunnel, served } = await exec(runtime, ['cat']);
    await answered(tunnel);
    tunnel.cancel();
    await served;
    expect(seen).toEqual([]);
  });

  it('is told what the client says, up to its end, and the newest size of its terminal', async () => {
    const { seen, runtime } = watched((await engineWithContainer()).runtime);
    const { tunnel, served } = await exec(runtime, ['cat']);
    await answered(tunnel);
    tunnel.send({ $case: 'resize', value: { width: 97, height: 33 } });
    begin(tunnel);
    tunnel.send({ $case: 'data', value: Buffer.from('one ') });
    tunnel.send({ $case: 'resize', value: { width: 10, height: 5 } });
    tunnel.send({ $case: 'data', value: Buffer.from('two') });
    tunnel.send({ $case: 'dataEnd', value: {} });
    await served;
    await until('it has ended', tunnel.ended);
    expect(tunnel.text()).toBe('one two');
    expect(seen).toEqual(['start', '97x33', '10x5']);
    const taken: readonly number[] = framesOf(tunnel, 'taken');
    expect(taken.reduce((sum, bytes) => sum + bytes, 0)).toBe('one two'.length);
  });

  it.each(['client', 'agent'] as const)('is let go of when the %s leaves', async (who) => {
    const { seen, runtime } = watched((await engineWithContainer()).runtime);
    const { tunnel, served, stopping } = await exec(runtime, WRITES_AND_STAYS.command);
    await answered(tunnel);
    begin(tunnel);
    await until('it writes', () => tunnel.text() === 'ready\n');
    if (who === 'client') tunnel.cancel();
    else stopping.abort();
    await served;
    expect(seen).toEqual(['start', 'leave']);
  });

  it('that does not read holds its client back, and is let go of all the same', async () => {
    const { seen, runtime } = watched((await engineWithContainer()).runtime);
    const { tunnel, served } = await exec(runtime, ['cat']);
    tunnel.pause();
    begin(tunnel);
    await until('it runs', () => seen.length > 0);
    for (let sent = 0; sent < 256 * KB; sent += 64 * KB)
      tunnel.send({ $case: 'data', value: Buffer.alloc(64 * KB) });
    // Heard although what came before it waits.
    tunnel.send({ $case: 'resize', value: { width: 1, height: 2 } });
    await until('the size', () => seen.includes('1x2'));
    tunnel.cancel();
    await served;
    expect(seen.at(-1)).toBe('leave');
  });

  it('is let go of when the plane sends more than it may', async () => {
    const { seen, runtime } = watched((await engineWithContainer()).runtime);
    const { tunnel, served } = await exec(runtime, WRITES_AND_STAYS.command);
    // It is not begun, so that nothing is taken.
    await answered(tunnel);
    for (let sent = 0; sent <= 256 * KB; sent += 64 * KB)
      tunnel.send({ $case: 'data', value: Buffer.alloc(64 * KB) });
    await served;
    expect(seen).toEqual([]);
  });

  it.each<[string, string, () => ReturnType<typeof engineWithContainer>]>([
    ['a container that is not there', 'other', engineWithContainer],
    [
      'a container that has ended',
      'app',
      async () => {
        const made = await engineWithContainer();
        made.engine.end(made.id);
        return made;
      },
    ],
  ])('in %s is refused', async (_, container, make) => {
    const { tunnel, served } = await exec((await make()).runtime, ['true'], container);
    await served;
    expect(await answered(tunnel)).toEqual({
      code: 404,
      message: `unable to upgrade connection: container not found ("${container}")`,
    });
  });

  it('that the engine cannot start is said to have failed', async () => {
    const { runtime } = await engineWithContainer();
    const failing: ContainerRuntime = {
      ...runtime,
      prepareCommand: async () => async () => {
        throw new Error('no space left on device');
      },
    };
    const { tunnel, served } = await exec(failing, ['true']);
    await answered(tunnel);
    begin(tunnel);
    await served;
    await until('it has ended', tunnel.ended);
    expect(framesOf(tunnel, 'end')).toEqual([{ exitCode: 0, failure: 'no space left on device' }]);
  });
});

it('attach shows what the container writes', async () => {
  const { runtime } = await engineWithContainer(WRITES_AND_STAYS);
  const { tunnel } = await openTunnelTo(plane, client, runtime, {
    $case: 'attach',
    value: { podUid: pod.uid, container: 'app', stdin: false, stdout: true, stderr: true },
  });
  await answered(tunnel);
  begin(tunnel);
  await until('it writes', () => tunnel.text() === 'ready\n');
});
