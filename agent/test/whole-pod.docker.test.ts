// The whole agent on real Docker with what a pod may be made of: init containers, a sidecar, hooks, last words, a user
// that is checked, and a port of the machine that somebody else has.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { template, toldSet } from './desired.ts';
import { containersOf } from './docker-engine.ts';
import { TEST_IMAGE } from './pods.ts';
import { type DockerAgent, openDockerAgent } from './support/docker-agent.ts';

let agent: DockerAgent;
beforeAll(async () => {
  agent = await openDockerAgent('whole-pod-node');
});
afterAll(() => agent.stop());

const shell = (name: string, script: string, over: object = {}) => ({
  name,
  image: TEST_IMAGE,
  command: ['sh', '-c', script],
  imagePullPolicy: 'IfNotPresent',
  ...over,
});
const tell = (revision: string, over: Partial<PodSpec>) => {
  const spec = { priorityClassName: revision, terminationGracePeriodSeconds: 5, ...over };
  agent.tell({ daemonSets: [toldSet('web', { revision, template: template(spec) })] });
};
const STAYS = 'trap "exit 0" TERM; sleep 1000 & wait';
/** A loaded engine takes more than a probe's own second, again and again. */
const patient = { periodSeconds: 1, timeoutSeconds: 60, failureThreshold: 60 };

describe('an agent', () => {
  it('initializes a pod, keeps its sidecar, and ends both in order, with their hooks', async () => {
    const work = join(agent.directory, 'work');
    const diary = (word: string) => `echo ${word} >> /work/diary`;
    const volumes = { volumeMounts: [{ name: 'work', mountPath: '/work' }] };
    const hook = (word: string) => ({ exec: { command: ['sh', '-c', diary(word)] } });
    const stays = (word: string) =>
      `trap "${diary(`${word}-ends`)}; exit 0" TERM; ${diary(word)}; sleep 1000 & wait`;
    tell('web-1', {
      // Its hook and both ends have room in it on a loaded machine.
      terminationGracePeriodSeconds: 60,
      volumes: [{ name: 'work', hostPath: { path: work, type: 'DirectoryOrCreate' } }],
      initContainers: [
        shell('first', diary('first'), volumes),
        shell('car', stays('car'), {
          ...volumes,
          restartPolicy: 'Always',
          startupProbe: { ...patient, exec: { command: ['grep', 'car', '/work/diary'] } },
        }),
      ],
      containers: [
        shell('app', stays('app'), {
          ...volumes,
          lifecycle: { postStart: hook('postStart'), preStop: hook('preStop') },
        }),
      ],
    });
    const lines = async () => (await readFile(join(work, 'diary'), 'utf8')).trim().split('\n');
    await agent.comes('it is ready', () => agent.podOf('web-1')?.ready);
    expect(agent.statusOf('web-1')).toMatchObject({
      phase: 'Running',
      initContainerStatuses: [
        { name: 'first', ready: true, state: { terminated: { reason: 'Completed' } } },
        { name: 'car', ready: true, started: true },
      ],
    });
    // It is ready before it has said so.
    const begun = await agent.comes('all have begun', async () => {
      const said = await lines();
      return said.length >= 4 && said;
    });
    expect(begun.slice(0, 2)).toEqual(['first', 'car']);
    expect(begun.slice(2).sort()).toEqual(['app', 'postStart']);
    tell('web-2', { containers: [shell('app', STAYS)] });
    await agent.comes('the next one is ready', () => agent.podOf('web-2')?.ready);
    expect((await lines()).slice(4)).toEqual(['preStop', 'app-ends', 'car-ends']);
  });

  it('ends a container by the signal that it names', async () => {
    const said = join(agent.directory, 'signal');
    const ends = `trap "echo usr1 > ${said}/said; exit 0" USR1; touch ${said}/listens; sleep 1000 & wait`;
    tell('signal-1', {
      os: { name: 'linux' },
      terminationGracePeriodSeconds: 60,
      volumes: [{ name: 'said', hostPath: { path: said, type: 'DirectoryOrCreate' } }],
      containers: [
        shell('app', ends, {
          lifecycle: { stopSignal: 'SIGUSR1' },
          readinessProbe: { ...patient, exec: { command: ['test', '-e', `${said}/listens`] } },
          volumeMounts: [{ name: 'said', mountPath: said }],
        }),
      ],
    });
    await agent.comes('it is ready', () => agent.podOf('signal-1')?.ready);
    expect(agent.statusOf('signal-1').containerStatuses?.[0]?.stopSignal).toBe('SIGUSR1');
    tell('signal-2', { containers: [shell('app', STAYS)] });
    await agent.comes('the next one is ready', () => agent.podOf('signal-2')?.ready);
    expect(await readFile(join(said, 'said'), 'utf8')).toBe('usr1\n');
  });

  it('runs a pod with users of its own only where the engine maps them', async () => {
    tell('users-1', { containers: [shell('app', STAYS)] });
    await agent.comes('it is ready', () => agent.podOf('users-1')?.ready);
    tell('users-2', { hostNetwork: false, hostUsers: false, containers: [shell('app', STAYS)] });
    const waiting = () => agent.statusOf('users-2').containerStatuses?.[0]?.state?.waiting;
    await agent.comes('that the engine does not', () => waiting()?.reason === 'CreateContainerConfigError');
    expect(waiting()?.message).toMatch(
      /^hostUsers is false, and the Docker engine of the node maps no users/,
    );
    expect(agent.podOf('users-1')?.ready).toBe(true);
  });

  it('shows what a container left to say, and why it may not be root', async () => {
    tell('web-3', {
      containers: [
        shell('app', 'echo out of luck > /dev/termination-log; exit 3', {
          terminationMessagePath: '/dev/termination-log',
        }),
      ],
    });
    await agent.comes('its last words', () => agent.podOf('web-3')?.statusJson.includes('out of luck'));
    tell('web-4', { containers: [shell('app', STAYS, { securityContext: { runAsNonRoot: true } })] });
    await agent.comes(
      'that it is root',
      () =>
        agent.statusOf('web-4').containerStatuses?.[0]?.state?.waiting?.reason ===
        'CreateContainerConfigError',
    );
    expect(agent.statusOf('web-4').containerStatuses?.[0]?.state?.waiting?.message).toMatch(
      /^container has runAsNonRoot and image will run as root \(pod: "web-.*", container: app\)$/,
    );
  });

  it('counts a program that cannot be run as one that has ended', async () => {
    tell('run-1', { containers: [shell('app', '', { command: ['/etc/passwd'] })] });
    const app = () => agent.statusOf('run-1').containerStatuses?.[0];
    await agent.comes('it waits', () => app()?.state?.waiting?.reason === 'CrashLoopBackOff');
    expect(app()).toMatchObject({
      restartCount: 1,
      lastState: {
        terminated: {
          exitCode: 128,
          reason: 'StartError',
          message: expect.stringContaining('permission denied'),
          startedAt: '1970-01-01T00:00:00Z',
        },
      },
    });
  });

  it('sees that a port of the machine is taken, before the old pod stops', async () => {
    tell('web-5', { containers: [shell('app', STAYS)] });
    await agent.comes('it is ready', () => agent.podOf('web-5')?.ready);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    tell('web-6', { containers: [shell('app', STAYS, { ports: [{ containerPort: port }] })] });
    await agent.comes('the clash is told', () => agent.statusOf('web-6').reason === 'HostPortConflict');
    expect(agent.statusOf('web-6').message).toBe(
      `port ${port}/TCP of the node is taken by ${await commOf(process.pid)} (process ${process.pid})`,
    );
    expect(agent.podOf('web-5')?.ready).toBe(true);
    const running = (await containersOf(agent.owner)).filter(({ State }) => State === 'running');
    expect(running).toHaveLength(1);
    server.close();
    await agent.comes('it starts when the port is free', () => agent.podOf('web-6')?.ready);
  });
});

const commOf = async (pid: number) => (await readFile(`/proc/${pid}/comm`, 'utf8')).trim();
