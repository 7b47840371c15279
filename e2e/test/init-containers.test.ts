// A DaemonSet that prepares its nodes with init containers and keeps a sidecar, hooks included: what runs when, what
// kubectl shows of it, and what a reboot brings back (rules 100, 101, 103 and 104).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../src/eventually.ts';
import { apply, fleet, inNode, kubectl, NODES } from '../src/fleet.ts';
import { BUSYBOX } from '../src/manifests.ts';

const namespace = 'init-containers';
const DIARY = '/var/lib/init-test/diary';
const NODE = NODES[0];

const says = (word: string) => `echo ${word} >> /work/diary`;
const part = (name: string, script: string, more: object = {}) => ({
  name,
  image: BUSYBOX,
  command: ['sh', '-c', script],
  volumeMounts: [{ name: 'work', mountPath: '/work' }],
  ...more,
});
const stays = (word: string) =>
  `trap "${says(`${word} ends`)}; exit 0" TERM; ${says(word)}; sleep 10000 & wait`;
const hook = (word: string) => ({ exec: { command: ['sh', '-c', says(word)] } });

const manifest = (revision: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'gate', namespace },
  spec: {
    selector: { matchLabels: { app: 'gate' } },
    template: {
      metadata: { labels: { app: 'gate', revision } },
      spec: {
        nodeSelector: { 'kubernetes.io/hostname': NODE },
        terminationGracePeriodSeconds: 10,
        securityContext: { runAsUser: 0, supplementalGroups: [3000] },
        initContainers: [
          part(
            'wait',
            `${says('wait')}; echo waiting for the gate; until [ -e /work/open ]; do sleep 0.1; done`,
          ),
          part('car', stays('car'), {
            restartPolicy: 'Always',
            startupProbe: { exec: { command: ['sh', '-c', 'grep -q car /work/diary'] }, periodSeconds: 1 },
          }),
        ],
        containers: [
          part('main', stays('main'), {
            lifecycle: { postStart: hook('postStart'), preStop: hook('preStop') },
            readinessProbe: { exec: { command: ['grep', '-qx', 'main', '/work/diary'] }, periodSeconds: 1 },
          }),
        ],
        volumes: [{ name: 'work', hostPath: { path: '/var/lib/init-test', type: 'DirectoryOrCreate' } }],
      },
    },
  },
});

const row = async () => (await kubectl('get', 'pods', '-n', namespace, '--no-headers')).trim().split(/\s+/);
const shows = (ready: string, status: string) =>
  eventually(`kubectl shows ${ready} ${status}`, async () => {
    const [, shownReady, shownStatus] = await row();
    if (shownReady === ready && shownStatus === status) return true;
    throw new Error(`it shows ${shownReady} ${shownStatus}`);
  });
const diary = async () => (await inNode(NODE, 'cat', DIARY)).trim().split('\n');
const shell = (script: string) => inNode(NODE, 'sh', '-c', script);

beforeAll(async () => {
  await shell('rm -rf /var/lib/init-test');
  await kubectl('create', 'namespace', namespace);
  await apply(manifest('one'));
});
afterAll(async () => {
  await kubectl('delete', 'namespace', namespace);
  await shell('rm -rf /var/lib/init-test');
});

describe('a pod with init containers', () => {
  it('waits for the first one, and says so', async () => {
    await shows('0/2', 'Init:0/2');
    await eventually('it has begun', async () => (await diary()).includes('wait'));
    const [name = ''] = await row();
    const log = async () => kubectl('logs', '-n', namespace, name, '-c', 'wait');
    await eventually('it has said so', async () => (await log()) !== '');
    expect(await log()).toBe('waiting for the gate\n');
    expect(await diary()).toEqual(['wait']);
  });

  it('goes on in order: the sidecar, the main container, its hook', async () => {
    await shell('touch /var/lib/init-test/open');
    await shows('2/2', 'Running');
    const lines = await diary();
    expect(lines.slice(0, 2)).toEqual(['wait', 'car']);
    expect(lines.slice(2).sort()).toEqual(['main', 'postStart']);
    await kubectl('rollout', 'status', 'ds/gate', '-n', namespace, '--timeout=180s');
  });

  it('is updated: the old one ends in its order, then the new one initializes', async () => {
    await shell(`: > ${DIARY}`);
    await apply(manifest('two'));
    await kubectl('rollout', 'status', 'ds/gate', '-n', namespace, '--timeout=180s');
    const lines = await diary();
    expect(lines.slice(0, 5)).toEqual(['preStop', 'main ends', 'car ends', 'wait', 'car']);
    expect(lines.slice(5).sort()).toEqual(['main', 'postStart']);
  });

  it('initializes anew after a reboot of its node', async () => {
    await shell(`: > ${DIARY}`);
    await fleet('reboot', NODE);
    await eventually(
      'the main container runs again',
      async () => (await diary()).includes('postStart'),
      120_000,
    );
    const lines = await diary();
    expect(lines.slice(lines.indexOf('wait'), lines.indexOf('wait') + 2)).toEqual(['wait', 'car']);
    await shows('2/2', 'Running');
  });

  it('that cannot initialize says why', async () => {
    // The way back begins with the second crash, and would take the failure out of sight.
    await apply({
      apiVersion: 'fleetset.dev/v1',
      kind: 'RolloutPolicy',
      metadata: { name: 'stays', namespace },
      spec: { daemonSets: ['gate'], onFailure: 'Pause' },
    });
    const broken = manifest('three');
    broken.spec.template.spec.initContainers[0] = part('wait', 'exit 3');
    await apply(broken);
    await shows('0/2', 'Init:CrashLoopBackOff');
  });
});
