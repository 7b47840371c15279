// Pods on an engine that maps users (userns-remap): those that ask for users of their own have them, their volumes are
// theirs, and all others have the machine's, as in Kubernetes.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { template, toldConfig, toldSet } from './desired.ts';
import { TEST_IMAGE } from './pods.ts';
import { type DockerAgent, openDockerAgent } from './support/docker-agent.ts';
import { FIRST_MAPPED, type OwnEngine, startOwnEngine } from './support/own-engine.ts';

let engine: OwnEngine;
let agent: DockerAgent;
beforeAll(async () => {
  engine = await startOwnEngine({ mapsUsers: true });
  agent = await openDockerAgent('mapping-node', { dockerSocket: engine.socketPath });
});
afterAll(async () => {
  await agent.stop();
  await engine.remove();
});

const STAYS = 'trap "exit 0" TERM; sleep 1000 & wait';
const tell = (revision: string, script: string, over: Partial<PodSpec>, container = {}) => {
  const app = {
    name: 'app',
    image: TEST_IMAGE,
    command: ['sh', '-c', `${script}; ${STAYS}`],
    imagePullPolicy: 'IfNotPresent' as const,
    ...container,
  };
  const spec = { terminationGracePeriodSeconds: 5, containers: [app], ...over };
  agent.tell({
    configs: [toldConfig('Secret', 'key', { word: 's3cret' })],
    daemonSets: [toldSet('web', { revision, template: template(spec) })],
  });
};
const volumeOf = (revision: string, name: string) =>
  join(agent.directory, 'pods', agent.podOf(revision)?.uid ?? '', 'volumes', name);

it('a pod with users of its own is nobody on the machine, and its volumes are its own', async () => {
  const script = [
    'cat /proc/self/uid_map > /work/map',
    'cat /key/word > /work/word',
    'echo own > /memory/file',
    'echo bye > /dev/termination-log',
    // There only when all is written.
    'stat -Lc %u:%g /key/word /memory/file > /work/written',
    'mv /work/written /work/owners',
  ].join(' && ');
  tell(
    'own-1',
    script,
    {
      hostNetwork: false,
      hostUsers: false,
      securityContext: { fsGroup: 2000 },
      volumes: [
        { name: 'work', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory' } },
        { name: 'key', secret: { secretName: 'key', defaultMode: 0o400 } },
      ],
    },
    {
      terminationMessagePath: '/dev/termination-log',
      readinessProbe: { exec: { command: ['cat', '/work/owners'] }, periodSeconds: 1, timeoutSeconds: 60 },
      volumeMounts: ['work', 'memory', 'key'].map((name) => ({ name, mountPath: `/${name}` })),
    },
  );
  await agent.comes('it is ready', () => agent.podOf('own-1')?.ready);
  const work = volumeOf('own-1', 'work');
  expect((await readFile(join(work, 'map'), 'utf8')).trim().split(/ +/)).toEqual([
    '0',
    String(FIRST_MAPPED),
    '65536',
  ]);
  expect(await readFile(join(work, 'word'), 'utf8')).toBe('s3cret');
  expect(await readFile(join(work, 'owners'), 'utf8')).toBe('0:2000\n0:2000\n');
  expect(await stat(join(work, 'map'))).toMatchObject({ uid: FIRST_MAPPED, gid: FIRST_MAPPED + 2000 });
});

it.each([
  ['the network of the machine', 'host-1', {}],
  ['a network of its own', 'host-2', { hostNetwork: false }],
  ['the processes of the machine', 'host-3', { hostPID: true }],
])('a pod that asks for nothing has the users of the machine, with %s', async (_what, revision, over) => {
  tell(
    revision,
    'cat /proc/self/uid_map > /work/written && mv /work/written /work/map',
    { ...over, volumes: [{ name: 'work', emptyDir: {} }] },
    { volumeMounts: [{ name: 'work', mountPath: '/work' }] },
  );
  await agent.comes('it is ready', () => agent.podOf(revision)?.ready);
  const map = await agent.comes('it has written', () =>
    readFile(join(volumeOf(revision, 'work'), 'map'), 'utf8').catch(() => undefined),
  );
  expect(map?.trim().split(/ +/).slice(0, 2)).toEqual(['0', '0']);
});
