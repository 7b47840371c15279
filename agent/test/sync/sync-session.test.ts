// The agent's side of the stream, against a plane that a test scripts: what it says, believes and survives.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  NodeDesired,
  type NodeReport,
  type OpenTunnel,
  DesiredRefused_Reason as Reason,
  SyncResponse,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { openBodyFiles } from '../../src/state/body-files.ts';
import { openDesiredFile } from '../../src/state/desired-file.ts';
import { unseal } from '../../src/state/sealed.ts';
import { createPlaneClient } from '../../src/sync/plane-client.ts';
import { startSyncSession } from '../../src/sync/sync-session.ts';
import { bodiesNamed, body, type DesiredParts, desired, template, toldSet } from '../desired.ts';
import { openScriptedPlane, type PlaneSession, type ScriptedPlane } from '../scripted-plane.ts';
import { smallDisk, smallDisksWork } from '../small-disk.ts';
import { tempDirectory } from '../temp-directory.ts';
import { until } from '../wait-until.ts';

afterEach(() => {
  vi.useRealTimers();
});

beforeEach(() => {
  // The shortest of the waits that are spread by chance.
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function openPlane(): Promise<ScriptedPlane> {
  const plane = await openScriptedPlane();
  onTestFinished(() => plane.goDown());
  return plane;
}

/** An agent without a node: the session on real files, and what came of it. */
async function startAgentSide(plane: ScriptedPlane, directory?: string) {
  const home = directory ?? (await tempDirectory());
  const desiredFile = await openDesiredFile(home, () => {});
  const bodies = await openBodyFiles(`${home}/bodies`);
  const inEffect: NodeDesired[] = [];
  const removals: string[] = [];
  const tunnels: OpenTunnel[] = [];
  let connections = 0;
  let holdEffect: Promise<void> | undefined;
  const session = startSyncSession({
    client: createPlaneClient(plane.identity('node-1')),
    desired: desiredFile,
    bodies,
    agentVersion: '0.1.0-test',
    instanceId: 'instance',
    machineId: 'machine',
    logger: pino({ enabled: false }),
    onDesired: async (told) => {
      inEffect.push(told);
      await holdEffect;
    },
    onTunnel: (request) => tunnels.push(request),
    onRemoved: async (message) => {
      removals.push(message);
    },
    onConnected: () => {
      connections += 1;
    },
  });
  onTestFinished(() => session.stop());
  return {
    session,
    home,
    bodies,
    desiredFile,
    inEffect,
    removals,
    tunnels,
    connections: () => connections,
    holdEffect: (hold: Promise<void> | undefined) => {
      holdEffect = hold;
    },
  };
}

const connect = async () => {
  const plane = await openPlane();
  const agent = await startAgentSide(plane);
  const session = await plane.nextSession();
  session.welcome();
  await until('it is welcome', () => agent.session.connected());
  return { plane, agent, session };
};

const tell = (session: PlaneSession, parts: DesiredParts) => {
  const told = desired(parts);
  session.send({ $case: 'desired', value: told });
  return told;
};
const sendBodies = (session: PlaneSession, parts: DesiredParts, hashes?: readonly string[]) =>
  session.send({
    $case: 'bodies',
    value: { bodies: bodiesNamed(parts).filter(({ hash }) => !hashes || hashes.includes(hash)) },
  });
const again = (plane: ScriptedPlane, session: PlaneSession) => {
  session.end(status.UNAVAILABLE, 'the plane restarts');
  return plane.nextSession();
};
const counters = (told: readonly NodeDesired[]) => told.map(({ generation }) => generation?.counter);
const report = (label: string): NodeReport => ({
  generation: undefined,
  facts: { labels: { label }, taints: [], statusJson: '{}', holds: [], maintenance: undefined },
  placements: [],
  pods: [],
  events: [],
});

describe('hello', () => {
  it('says who it is by its certificate, and what it is', async () => {
    const { session } = await connect();
    expect(session.nodeName).toBe('node-1');
    expect(session.hello).toEqual({
      protocol: 1,
      agentVersion: '0.1.0-test',
      instanceId: 'instance',
      machineId: 'machine',
      accepted: undefined,
      held: { revisions: {} },
    });
  });

  it('carries the generation that was accepted, also by an agent that starts anew', async () => {
    const { plane, agent, session } = await connect();
    tell(session, { epoch: 3, counter: 8 });
    await until('it is in effect', () => agent.inEffect.length === 1);
    session.end(status.UNAVAILABLE, 'the plane restarts');
    expect((await plane.nextSession()).hello.accepted).toEqual({ epoch: 3, counter: 8 });
    agent.session.stop();
    await startAgentSide(plane, agent.home);
    expect((await plane.nextSession()).hello.accepted).toEqual({ epoch: 3, counter: 8 });
  });
});

describe('what it says that it holds', () => {
  const web = (revision: string) => ({ daemonSets: [toldSet('web', { revision })] });
  const held = ({ hello }: PlaneSession) => Object.entries(hello.held?.revisions ?? {}).map(String);
  const holdsFirst = async (plane: ScriptedPlane, directory?: string) => {
    const agent = await startAgentSide(plane, directory);
    const session = await plane.nextSession();
    session.welcome();
    tell(session, { counter: 1, ...web('web-1') });
    await session.next('bodiesWanted');
    sendBodies(session, web('web-1'));
    await until('it is in effect', () => agent.inEffect.length === 1);
    return { agent, session };
  };

  it('is what was told last and is in effect', async () => {
    const plane = await openPlane();
    const { session } = await holdsFirst(plane);
    expect(held(await again(plane, session))).toEqual(['uid-of-web,web-1']);
  });

  it('is not what lacks a body: that has no effect, whatever comes later', async () => {
    const { plane, agent, session } = await connect();
    tell(session, { counter: 1, ...web('web-1') });
    await session.next('bodiesWanted');
    const next = await again(plane, session);
    expect(held(next)).toEqual([]);
    next.welcome();
    sendBodies(next, web('web-1'));
    tell(next, { counter: 2 });
    await until('the next is in effect', () => agent.inEffect.length > 0);
    expect(counters(agent.inEffect)).toEqual([2]);
  });

  it.skipIf(!smallDisksWork)('is what waits for room on the disk: that will have an effect', async () => {
    const plane = await openPlane();
    const disk = smallDisk();
    const { agent, session } = await holdsFirst(plane, disk.directory);
    await disk.fill();
    const labels = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`label-${n}`, 'x']));
    tell(session, { counter: 2, ...web('web-2'), labels });
    await session.next('desiredRefused');
    expect(held(await again(plane, session))).toEqual(['uid-of-web,web-2']);
    await disk.free();
    await until('it is in effect', () => agent.inEffect.length === 2);
  });
});

describe('desired state', () => {
  it('without bodies is in effect at once, and on disk', async () => {
    const { agent, session } = await connect();
    const told = tell(session, { counter: 1, labels: { a: 'b' } });
    await until('it is in effect', () => agent.inEffect.length === 1);
    expect(agent.inEffect).toEqual([told]);
    expect((await openDesiredFile(agent.home, () => {})).current()).toEqual(told);
  });

  it('waits for its bodies: those it lacks are asked for, once they are there it is in effect', async () => {
    const { agent, session } = await connect();
    const first = { counter: 1, daemonSets: [toldSet('web')] };
    tell(session, first);
    const [rules, template] = first.daemonSets[0]?.bodies ?? [];
    expect(new Set((await session.next('bodiesWanted')).hashes)).toEqual(
      new Set([rules?.hash, template?.hash]),
    );
    sendBodies(session, first);
    await until('it is in effect', () => agent.inEffect.length === 1);
    // Only what is new is asked for.
    const second = {
      counter: 2,
      daemonSets: [toldSet('web'), toldSet('more', { rules: { nodeName: 'x' } })],
    };
    tell(session, second);
    const wanted = await session.next('bodiesWanted');
    expect(wanted.hashes).toEqual([body({ nodeName: 'x' }).hash]);
    sendBodies(session, second, wanted.hashes);
    await until('it is in effect', () => agent.inEffect.length === 2);
    expect(session.all('desiredRefused')).toEqual([]);
  });

  it('that comes in pieces waits for the last of them', async () => {
    const { agent, session } = await connect();
    const parts = { counter: 1, daemonSets: [toldSet('web')] };
    tell(session, parts);
    const { hashes } = await session.next('bodiesWanted');
    sendBodies(session, parts, hashes.slice(0, 1));
    sendBodies(session, parts, []);
    sendBodies(session, parts, hashes.slice(1));
    await until('it is in effect', () => agent.inEffect.length === 1);
  });

  it('whose bodies come twice at once is taken all the same', async () => {
    const { agent, session } = await connect();
    for (let counter = 1; counter <= 10; counter++) {
      const parts = {
        counter,
        daemonSets: [
          toldSet('web', {
            revision: `web-${counter}`,
            template: template({ priorityClassName: `p-${counter}` }),
          }),
        ],
      };
      tell(session, parts);
      await session.next('bodiesWanted');
      sendBodies(session, parts);
      sendBodies(session, parts);
      await until('it is in effect', () => agent.inEffect.length === counter);
    }
    expect(session.all('desiredRefused')).toEqual([]);
  });

  it('with a body that is not what its hash says is refused, and the next one is taken', async () => {
    const { agent, session } = await connect();
    const parts = { counter: 1, daemonSets: [toldSet('web')] };
    tell(session, parts);
    const { hashes } = await session.next('bodiesWanted');
    session.send({
      $case: 'bodies',
      value: { bodies: hashes.map((hash) => ({ hash, content: Buffer.from('{"not":"that"}') })) },
    });
    expect(await session.next('desiredRefused')).toMatchObject({
      refused: { epoch: 1, counter: 1 },
      accepted: undefined,
      reason: Reason.REASON_BAD_BODY,
      message: expect.stringContaining('hash'),
    });
    tell(session, { ...parts, counter: 2 });
    await session.next('bodiesWanted');
    sendBodies(session, parts);
    await until('it is in effect', () => agent.inEffect.length === 1);
    expect(counters(agent.inEffect)).toEqual([2]);
  });

  it.each<[string, DesiredParts, Reason]>([
    ['older', { counter: 4 }, Reason.REASON_OLDER_GENERATION],
    ['of an older epoch', { epoch: 0, counter: 99 }, Reason.REASON_OLDER_GENERATION],
    [
      'of the same generation with other content',
      { counter: 5, labels: { other: 'x' } },
      Reason.REASON_SAME_GENERATION_OTHER_CONTENT,
    ],
  ])('%s is refused with both generations, and what is in effect stays', async (_name, offered, reason) => {
    const { agent, session } = await connect();
    tell(session, { counter: 5 });
    await until('it is in effect', () => agent.inEffect.length === 1);
    tell(session, offered);
    expect(await session.next('desiredRefused')).toMatchObject({
      refused: desired(offered).generation,
      accepted: { epoch: 1, counter: 5 },
      reason,
    });
    expect(counters(agent.inEffect)).toEqual([5]);
    tell(session, { counter: 6 });
    await until('the next is in effect', () => agent.inEffect.length === 2);
  });

  it('of which only the newest counts when several come at once', async () => {
    const { agent, session } = await connect();
    const waiting = { counter: 1, daemonSets: [toldSet('web')] };
    tell(session, waiting);
    await session.next('bodiesWanted');
    for (const counter of [2, 3, 4]) tell(session, { counter });
    await until('the newest is in effect', () => agent.inEffect.at(-1)?.generation?.counter === 4);
    sendBodies(session, waiting);
    tell(session, { counter: 5 });
    await until('the next is in effect', () => agent.inEffect.at(-1)?.generation?.counter === 5);
    expect(counters(agent.inEffect)).not.toContain(1);
    expect(session.all('desiredRefused')).toEqual([]);
  });

  it('that was accepted is in effect also when a newer one came meanwhile and was refused', async () => {
    const { agent, session } = await connect();
    tell(session, { counter: 1 });
    await until('it is in effect', () => agent.inEffect.length === 1);
    // Both are there before the first is on disk.
    tell(session, { counter: 2 });
    const bad = { counter: 3, daemonSets: [toldSet('web')] };
    tell(session, bad);
    const { hashes } = await session.next('bodiesWanted');
    session.send({
      $case: 'bodies',
      value: { bodies: hashes.map((hash) => ({ hash, content: Buffer.from('{}') })) },
    });
    await session.next('desiredRefused');
    await until('what was accepted is in effect', () =>
      counters(agent.inEffect).includes(agent.desiredFile.current()?.generation?.counter),
    );
    expect(counters(agent.inEffect)).toEqual([1, 2]);
  });

  it('takes effect one after the other: what the first clears away, the second asks for anew', async () => {
    const { agent, session } = await connect();
    let release = () => {};
    agent.holdEffect(new Promise((resolve) => (release = () => resolve())));
    tell(session, { counter: 1 });
    await until('the first takes effect', () => agent.inEffect.length === 1);
    const second = { counter: 2, daemonSets: [toldSet('web')] };
    await agent.bodies.put(bodiesNamed(second));
    tell(session, second);
    // As the agent does with the bodies that what is in effect does not name.
    await agent.bodies.keepOnly(new Set());
    release();
    await session.next('bodiesWanted');
    sendBodies(session, second);
    await until('the second is in effect', () => agent.inEffect.length === 2);
  });

  it.skipIf(!smallDisksWork)(
    'that the disk cannot take is refused, and taken when there is room, without being told again',
    async () => {
      const plane = await openPlane();
      const disk = smallDisk();
      const agent = await startAgentSide(plane, disk.directory);
      const session = await plane.nextSession();
      session.welcome();
      tell(session, { counter: 1 });
      await until('the first is in effect', () => agent.inEffect.length === 1);
      await disk.fill();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      tell(session, {
        counter: 2,
        labels: Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`label-${n}`, 'x'])),
      });
      expect(await session.next('desiredRefused')).toMatchObject({
        reason: Reason.REASON_NOT_STORED,
        refused: { counter: 2 },
        accepted: { counter: 1 },
        message: expect.stringContaining('ENOSPC'),
      });
      expect(counters(agent.inEffect)).toEqual([1]);
      await disk.free();
      await until('it is in effect', async () => {
        await vi.advanceTimersByTimeAsync(500);
        return agent.inEffect.length === 2;
      });
      expect((await openDesiredFile(disk.directory, () => {})).current()).toEqual(agent.inEffect[1]);
    },
  );
});

describe('bodies', () => {
  it.skipIf(!smallDisksWork)(
    'that the disk cannot take are refused, and asked for again when there is room',
    async () => {
      const plane = await openPlane();
      const disk = smallDisk();
      const agent = await startAgentSide(plane, disk.directory);
      const session = await plane.nextSession();
      session.welcome();
      const big = toldSet('web', { template: template({ priorityClassName: 'x'.repeat(9000) }) });
      const parts = { counter: 1, daemonSets: [big] };
      tell(session, parts);
      await session.next('bodiesWanted');
      await disk.fill();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      sendBodies(session, parts);
      expect(await session.next('desiredRefused')).toMatchObject({
        reason: Reason.REASON_NOT_STORED,
        refused: { counter: 1 },
        accepted: undefined,
        message: expect.stringContaining('ENOSPC'),
      });
      await disk.free();
      await until('it asks again', async () => {
        await vi.advanceTimersByTimeAsync(500);
        return session.all('bodiesWanted').length > 1;
      });
      sendBodies(session, parts);
      await until('it is in effect', () => agent.inEffect.length === 1);
    },
  );
});

describe('messages of a newer plane', () => {
  it('with fields and cases that are not known are read as far as they are known', async () => {
    const { agent, session } = await connect();
    const told = desired({ counter: 1, labels: { a: 'b' } });
    const known = Buffer.from(SyncResponse.encode({ message: { $case: 'desired', value: told } }).finish());
    const unknownField = Buffer.from([0xfa, 0x3e, 3, 1, 2, 3]);
    // A case that does not exist, then a known one with a field that does not.
    session.sendRaw(unknownField);
    session.sendRaw(Buffer.concat([known, unknownField]));
    await until('it is in effect', () => agent.inEffect.length === 1);
    expect(agent.inEffect).toEqual([told]);
    expect(session.ended()).toBe(false);
  });

  it('are on disk as they came, for a newer agent that starts there', async () => {
    const { agent, session } = await connect();
    const told = NodeDesired.encode(desired({ counter: 1, labels: { a: 'b' } })).finish();
    const unknownField = Buffer.from([0xfa, 0x3e, 3, 1, 2, 3]);
    const received = Buffer.concat([told, unknownField]);
    session.sendRaw(Buffer.concat([unknownField, Buffer.from([(2 << 3) | 2, received.length]), received]));
    await until('it is in effect', () => agent.inEffect.length === 1);
    expect(unseal(await readFile(join(agent.home, 'desired.pb')))).toEqual(received);
  });

  it('that ask for a tunnel are handed on', async () => {
    const { agent, session } = await connect();
    session.send({ $case: 'openTunnel', value: { tunnelId: 't-1', request: undefined } });
    await until('it is asked for', () => agent.tunnels.length === 1);
    expect(agent.tunnels).toEqual([{ tunnelId: 't-1', request: undefined }]);
  });
});

describe('reports and heartbeats', () => {
  it('go out only to a plane that listens', async () => {
    const plane = await openPlane();
    const agent = await startAgentSide(plane);
    const session = await plane.nextSession();
    expect([agent.session.connected(), agent.connections()]).toEqual([false, 0]);
    session.welcome();
    await until('it is welcome', () => agent.session.connected());
    expect(agent.connections()).toBe(1);
    agent.session.report(report('one'));
    expect(await session.next('report')).toEqual(report('one'));
  });

  it('acknowledge the generation that is in effect, at the pace that the plane asks for', async () => {
    const plane = await openPlane();
    await startAgentSide(plane);
    const session = await plane.nextSession();
    session.welcome(20);
    expect(await session.next('heartbeat')).toEqual({ generation: undefined });
    tell(session, { counter: 7 });
    await until('a heartbeat acknowledges it', () =>
      session.all('heartbeat').some(({ generation }) => generation?.counter === 7),
    );
  });

  it('are silent when the pace is one of months', async () => {
    const plane = await openPlane();
    const agent = await startAgentSide(plane);
    const session = await plane.nextSession();
    session.welcome(4_000_000_000);
    await until('it is welcome', () => agent.session.connected());
    agent.session.report(report('one'));
    await session.next('report');
    agent.session.report(report('two'));
    await session.next('report');
    expect(session.all('heartbeat').length).toBeLessThan(3);
  });
});

describe('a connection that breaks', () => {
  it('is made anew, again and again, and each time the whole report is wanted', async () => {
    const { plane, agent, session } = await connect();
    let current = session;
    for (let round = 2; round <= 4; round++) {
      current.end(status.UNAVAILABLE, 'gone');
      current = await plane.nextSession();
      expect(agent.session.connected()).toBe(false);
      current.welcome();
      await until('it is welcome again', () => agent.connections() === round);
    }
    agent.session.report(report('to the new one'));
    expect(await current.next('report')).toEqual(report('to the new one'));
    expect(session.all('report')).toEqual([]);
  });

  it('to a plane that is away is tried until it is back, and costs nothing meanwhile', async () => {
    const { plane, agent, session } = await connect();
    tell(session, { counter: 3 });
    await until('it is in effect', () => agent.inEffect.length === 1);
    await plane.goDown();
    await until('it is noticed', () => !agent.session.connected());
    agent.session.report(report('to nobody'));
    await plane.comeUp();
    const again = await plane.nextSession();
    expect(again.hello.accepted).toEqual({ epoch: 1, counter: 3 });
    expect(agent.inEffect).toHaveLength(1);
  });

  it('in the middle of asking for bodies begins anew with what the plane says then', async () => {
    const { plane, agent, session } = await connect();
    const parts = { counter: 1, daemonSets: [toldSet('web')] };
    tell(session, parts);
    await session.next('bodiesWanted');
    session.end(status.UNAVAILABLE, 'gone');
    const again = await plane.nextSession();
    again.welcome();
    tell(again, { ...parts, counter: 2 });
    await again.next('bodiesWanted');
    sendBodies(again, parts);
    await until('it is in effect', () => counters(agent.inEffect).includes(2));
    expect(counters(agent.inEffect)).toEqual([2]);
  });

  it('is waited for ever longer, and not all agents come back together', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const { plane, session } = await connect();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waits: number[] = [];
    const realTimer = globalThis.setTimeout;
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms?: number) => {
      if (run.name === 'open') waits.push(ms ?? 0);
      return realTimer(run, ms);
    }) as typeof setTimeout);
    session.end(status.UNAVAILABLE, 'gone');
    for (let round = 0; round < 7; round++) {
      await until('it waits', () => waits.length === round + 1);
      const before = plane.sessions.length;
      await until('it dials again', async () => {
        await vi.advanceTimersByTimeAsync(500);
        return plane.sessions.length > before;
      });
      plane.sessions.at(-1)?.end(status.UNAVAILABLE, 'gone');
    }
    expect(waits.slice(0, 7)).toEqual([500, 1000, 2000, 4000, 4000, 4000, 4000]);
  });

  it('by the end of the agent is not made anew', async () => {
    const { plane, agent, session } = await connect();
    agent.session.stop();
    await until('the plane sees it go', () => session.ended());
    expect(plane.sessions).toHaveLength(1);
  });
});

describe('a plane that says no', () => {
  it.each([
    ['permission denied', status.PERMISSION_DENIED],
    ['unauthenticated', status.UNAUTHENTICATED],
    ['a precondition that failed', status.FAILED_PRECONDITION],
    ['a name that another has', status.ALREADY_EXISTS],
  ])(
    '(%s) changes nothing here, is asked again rarely, and taken at its word when it says yes',
    async (_name, code) => {
      const { plane, agent, session } = await connect();
      tell(session, { counter: 1, labels: { kept: 'yes' } });
      await until('it is in effect', () => agent.inEffect.length === 1);
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      session.end(code, 'go away');
      await until('it is noticed', () => !agent.session.connected());
      await vi.advanceTimersByTimeAsync(14_000);
      expect(plane.sessions).toHaveLength(1);
      expect([agent.removals, agent.desiredFile.current()?.labels]).toEqual([[], { kept: 'yes' }]);
      await until('it asks again', async () => {
        await vi.advanceTimersByTimeAsync(1000);
        return plane.sessions.length === 2;
      });
      plane.sessions[1]?.welcome();
      await until('it is welcome', () => agent.session.connected());
    },
  );

  it('or that it does not know (another authority) is not believed to be the plane', async () => {
    const impostor = await openPlane();
    const real = await openPlane();
    const client = createPlaneClient({ ...real.identity('node-1'), planeAddress: impostor.address() });
    const home = await tempDirectory();
    const warnings: string[] = [];
    const session = startSyncSession({
      client,
      desired: await openDesiredFile(home, () => {}),
      bodies: await openBodyFiles(`${home}/bodies`),
      agentVersion: '',
      instanceId: '',
      machineId: '',
      logger: pino({ level: 'warn' }, { write: (line: string) => warnings.push(line) }),
      onDesired: async () => {},
      onTunnel: () => {},
      onRemoved: async () => {},
      onConnected: () => {},
    });
    onTestFinished(() => session.stop());
    await until('it is told why there is no connection', () =>
      warnings.some((line) => /no connection to the plane/.test(line)),
    );
    expect(impostor.sessions).toEqual([]);
    expect(session.connected()).toBe(false);
  });
});

describe('removal from the fleet', () => {
  it('is handed on, after what was told before it, and drops what was still waiting', async () => {
    const { agent, session } = await connect();
    const waiting = { counter: 1, daemonSets: [toldSet('web')] };
    tell(session, waiting);
    await session.next('bodiesWanted');
    let release = () => {};
    agent.holdEffect(new Promise((resolve) => (release = () => resolve())));
    tell(session, { counter: 2 });
    await until('it takes effect', () => agent.inEffect.length === 1);
    session.send({ $case: 'removed', value: { message: 'node deleted' } });
    sendBodies(session, waiting);
    session.send({ $case: 'openTunnel', value: { tunnelId: 'last', request: undefined } });
    await until('all of it has come', () => agent.tunnels.length === 1);
    expect(agent.removals).toEqual([]);
    release();
    await until('it is handed on', () => agent.removals.length === 1);
    await until('the bodies are there', () =>
      bodiesNamed(waiting).every(({ hash }) => agent.bodies.get(hash)),
    );
    expect(agent.removals).toEqual(['node deleted']);
    expect(counters(agent.inEffect)).toEqual([2]);
  });

  it('is not undone by the bodies of what was told before, however new that was', async () => {
    const { agent, session } = await connect();
    const waiting = { epoch: 9, counter: 1, daemonSets: [toldSet('web')] };
    tell(session, waiting);
    await session.next('bodiesWanted');
    session.send({ $case: 'removed', value: { message: 'node deleted' } });
    sendBodies(session, waiting);
    // Said after all that, and done after all that.
    session.send({ $case: 'removed', value: { message: 'still deleted' } });
    await until('all of it is done', () => agent.removals.length === 2);
    expect([agent.inEffect, agent.desiredFile.current()]).toEqual([[], undefined]);
  });
});
