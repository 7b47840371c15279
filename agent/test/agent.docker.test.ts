// The whole agent on real Docker, against a plane that a test scripts: from its first hello to its removal.
import type { NodeReport, PodReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { NodeStatus } from '@fleetset/scheduler-core/schema/node';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, AgentNotReady, startAgent } from '../src/agent.ts';
import { ownerOf, writeIdentity } from '../src/identity/identity-files.ts';
import { bodiesNamed, type DesiredParts, desired, template, toldSet } from './desired.ts';
import { containersOf, docker, openProxy, removeContainersOf } from './docker-engine.ts';
import type { EngineProxy } from './engine-proxy.ts';
import { letHang } from './hanging-programs.ts';
import { TEST_IMAGE } from './pods.ts';
import { openScriptedPlane, type PlaneSession, type ScriptedPlane } from './scripted-plane.ts';
import { tempDirectory } from './temp-directory.ts';
import { SUCCEEDS_SILENTLY, WRITES_AND_STAYS } from './test-programs.ts';
import { until } from './wait-until.ts';

const NODE = 'docker-node';
let plane: ScriptedPlane;
let proxy: EngineProxy;
let owner: string;
const agents: Agent[] = [];

beforeAll(async () => {
  plane = await openScriptedPlane();
  proxy = await openProxy();
  owner = ownerOf(plane.identity(NODE));
});
afterAll(async () => {
  for (const agent of agents) await agent.stop();
  await removeContainersOf(owner);
  await proxy.close();
  await plane.goDown();
});

const web = (revision: string) =>
  toldSet('web', {
    revision,
    template: template({
      priorityClassName: revision,
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'app',
          image: TEST_IMAGE,
          command: [...WRITES_AND_STAYS.command],
          imagePullPolicy: 'IfNotPresent',
          readinessProbe: {
            exec: { command: [...SUCCEEDS_SILENTLY.command] },
            periodSeconds: 60,
            timeoutSeconds: 60,
          },
        },
      ],
    }),
  });

const start = async (dataDir: string): Promise<Agent> => {
  const agent = await startAgent({
    dataDir,
    dockerSocket: proxy.socketPath,
    labels: { 'example.org/rack': 'r1' },
    taints: [],
    version: '0.1.0-test',
    logger: pino({ enabled: false }),
  });
  agents.push(agent);
  return agent;
};
/** What it dials meanwhile is not taken for a stream of the next one. */
const stop = async (agent: Agent): Promise<void> => {
  await agent.stop();
  await until('its streams have ended', () => plane.sessions.every((one) => one.ended()));
};
const tell = (session: PlaneSession, parts: DesiredParts) => {
  session.send({
    $case: 'bodies',
    value: { bodies: bodiesNamed(parts).map(({ hash, content }) => ({ hash, content })) },
  });
  session.send({ $case: 'desired', value: desired(parts) });
};
const lastReport = (session: PlaneSession): NodeReport | undefined => session.all('report').at(-1);
const reported = (session: PlaneSession, what: string, holds: (report: NodeReport) => unknown) =>
  until(what, () => {
    const report = lastReport(session);
    return report && holds(report) ? report : undefined;
  });
const nodeInfo = (session: PlaneSession): NonNullable<NodeStatus['nodeInfo']> | undefined =>
  JSON.parse(lastReport(session)?.facts?.statusJson ?? '{}').nodeInfo;
const readyPod = (revision: string) => (report: NodeReport) =>
  report.pods.length === 1 && report.pods[0]?.ready && report.pods[0].revision === revision;
const only = <T>(list: readonly T[]): T => {
  expect(list).toHaveLength(1);
  return list[0] as T;
};
const runningIds = async () =>
  (await containersOf(owner)).filter(({ State }) => State === 'running').map(({ Id }) => Id);

describe('an agent', () => {
  it('without an identity says which line to run', async () => {
    await expect(start(await tempDirectory())).rejects.toThrow(AgentNotReady);
    await expect(start(await tempDirectory())).rejects.toThrow(/fleetset token create/);
  });

  it('starts on a machine whose programs hang, and on an engine that answers later', async () => {
    await letHang('cat', 'df');
    const dataDir = await tempDirectory();
    await writeIdentity(dataDir, plane.identity(NODE));
    proxy.judge((line) =>
      line.includes('/info') ? { instead: { status: 500, body: '{"message":"starting"}' } } : 'pass',
    );
    const agent = await start(dataDir);
    const session = await plane.nextSession();
    session.welcome();
    await reported(session, 'a report', () => nodeInfo(session)?.kernelVersion);
    expect(nodeInfo(session)).toMatchObject({ osImage: '', containerRuntimeVersion: '' });
    proxy.judge(() => 'pass');
    await until('the engine is known', () => nodeInfo(session)?.containerRuntimeVersion);
    await stop(agent);
  });

  it('goes through its whole life', async () => {
    const dataDir = await tempDirectory();
    await writeIdentity(dataDir, plane.identity(NODE));
    let agent = await start(dataDir);
    expect(agent.nodeName).toBe(NODE);

    // It says what it is before it was told anything.
    let session = await plane.nextSession();
    expect(session.hello).toMatchObject({ agentVersion: '0.1.0-test', accepted: undefined });
    session.welcome(20);
    const first = await reported(session, 'a first report', () => true);
    expect(first.facts?.labels).toMatchObject({ 'kubernetes.io/hostname': NODE, 'example.org/rack': 'r1' });
    expect(first).toMatchObject({ pods: [], placements: [], generation: undefined });

    // It runs what it is told, and acknowledges it.
    tell(session, { counter: 1, daemonSets: [web('web-1')] });
    const ready = await reported(session, 'a ready pod of the first revision', readyPod('web-1'));
    expect(ready.generation).toEqual({ epoch: 1, counter: 1 });
    expect(JSON.parse(only(ready.pods).statusJson)).toMatchObject({
      phase: 'Running',
      hostIP: expect.any(String),
    });
    const reasons = session.all('report').flatMap(({ events }) => events.map(({ reason }) => reason));
    expect(reasons).toEqual(expect.arrayContaining(['Created', 'Started']));

    // Nothing new: heartbeats only.
    await until('a version of the engine is reported', () => nodeInfo(session)?.containerRuntimeVersion);
    await until('the rest of the machine is known', () => nodeInfo(session)?.osImage);
    const [reports, beats] = [session.all('report').length, session.all('heartbeat').length];
    await until('many heartbeats', () => session.all('heartbeat').length > beats + 20);
    expect(session.all('report').at(-1)).toEqual(session.all('report')[reports - 1]);
    expect(session.all('report').length).toBe(reports);

    // Its log comes through a tunnel.
    const { uid } = only(ready.pods);
    const before = only(await runningIds());
    // It is ready before it has said so.
    await until('it has written', async () =>
      String(await docker.getContainer(before).logs({ stdout: true })).includes('ready'),
    );
    const logs = {
      podUid: uid,
      container: 'app',
      follow: false,
      previous: false,
      timestamps: false,
      sinceTime: '',
    };
    session.send({
      $case: 'openTunnel',
      value: { tunnelId: 't-1', request: { $case: 'logs', value: logs } },
    });
    await until('the log is here', () => plane.tunnels[0]?.ended());
    expect(plane.tunnels[0]?.frames.slice(0, 2)).toEqual([
      { $case: 'tunnelId', value: 't-1' },
      { $case: 'answer', value: { code: 200, message: '' } },
    ]);
    expect(plane.tunnels[0]?.text()).toBe('ready\n');

    // It is stopped and started: nothing of the pod is.
    const inspect = async () => (await docker.getContainer(before).inspect()).State;
    const startedAt = (await inspect()).StartedAt;
    await stop(agent);
    expect((await inspect()).Running).toBe(true);
    agent = await start(dataDir);
    session = await plane.nextSession();
    expect(session.hello.accepted).toEqual({ epoch: 1, counter: 1 });
    session.welcome();
    // An engine that is asked for long whether it is ready is not waited for with the first report.
    const again = await reported(session, 'it is ready still', ({ pods }) => pods[0]?.ready);
    expect(again.pods).toMatchObject([{ uid, ready: true, available: true }]);
    expect((await inspect()).StartedAt).toBe(startedAt);

    // The plane goes away, and a container dies: it comes back all the same.
    await plane.goDown();
    await docker.getContainer(before).kill();
    const second = await until('another container runs', async () =>
      (await runningIds()).find((id) => id !== before),
    );
    await plane.comeUp();
    session = await plane.nextSession();
    session.welcome();
    const restarted = await reported(session, 'the restart', ({ pods }) => pods[0]?.ready);
    expect(restartsOf(only(restarted.pods))).toBe(1);

    // It is refused: what runs runs on, and what is removed comes back.
    session.end(status.PERMISSION_DENIED, 'who are you');
    await docker.getContainer(second).remove({ force: true });
    // Ten seconds after the first one ended (rule 96).
    await until('a third container runs', async () => (await runningIds()).find((id) => id !== second));
    await stop(agent);
    agent = await start(dataDir);
    session = await plane.nextSession();
    session.welcome();

    // It is told to run another revision, and to leave when it is tainted.
    tell(session, { counter: 2, daemonSets: [web('web-2')] });
    await reported(session, 'a ready pod of the second revision', readyPod('web-2'));
    await until('the old container is gone', async () => (await containersOf(owner)).length === 1);
    tell(session, {
      counter: 3,
      daemonSets: [web('web-2')],
      taints: [{ key: 'gone', value: '', effect: 'NoExecute' }],
    });
    const left = await reported(
      session,
      'that no pod is here',
      ({ pods, placements }) => pods.length === 0 && placements[0]?.decision === 'Leave',
    );
    expect(left.placements[0]?.reasons).toMatchObject([{ code: 'TaintNoExecute' }]);
    expect(await containersOf(owner)).toEqual([]);
    tell(session, { counter: 4, daemonSets: [web('web-2')] });
    await reported(session, 'a ready pod again', readyPod('web-2'));

    // It is taken out of the fleet, in the same breath as it is told something else.
    tell(session, { counter: 5, daemonSets: [web('web-3')] });
    session.send({ $case: 'removed', value: { message: 'node deleted' } });
    session.end(status.PERMISSION_DENIED, 'node deleted');
    await until('nothing of it is left', async () => (await containersOf(owner)).length === 0);
    await stop(agent);
    const asked = proxy.requests.length;
    agent = await start(dataDir);
    session = await plane.nextSession();
    expect(session.hello.accepted?.counter).toBeGreaterThan(4);
    session.welcome();
    // It may have been stopped between the end of the last container and that of its pod.
    const isNothing = ({ pods, placements }: NodeReport) => pods.length + placements.length === 0;
    await reported(session, 'that there is nothing', isNothing);
    expect(proxy.requests.slice(asked).filter((line) => line.startsWith('POST'))).toEqual([]);
  });
});

const restartsOf = ({ statusJson }: PodReport): number =>
  JSON.parse(statusJson).containerStatuses[0].restartCount;
