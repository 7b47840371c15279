// Bare metal: a machine that boots systemd installs with hack/install, joins by the one line, runs a DaemonSet, and has
// its pods back after a reboot with the plane stopped.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../src/downtime-watch.ts';
import { eventually } from '../src/eventually.ts';
import { bootMachine, type Machine } from '../src/machine.ts';
import { BUSYBOX, web } from '../src/manifests.ts';
import { begin, run } from '../src/run.ts';

const PORT = 8103;
let machine: Machine;
let address: string;
let folder: string;
let kubeconfig: string;

const kubectl = (args: readonly string[], input = '') =>
  run('hack/kubectl', args, { env: { KUBECONFIG: kubeconfig }, input });
const page = () => textOf(`http://${address}:${PORT}/index.html`);
const mainPid = async (unit: string) =>
  (await machine.exec('systemctl', 'show', '-p', 'MainPID', '--value', unit)).trim();
const containers = async () =>
  (await machine.exec('docker', 'ps', '-q', '--no-trunc')).trim().split('\n').sort().join();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetset-systemd-'));
  kubeconfig = join(folder, 'kubeconfig');
  machine = await bootMachine('e2e-systemd');
  address = await machine.ip();
  await machine.exec('docker', 'load', '-q', '-i', '/images/busybox-1.tar');
});

afterAll(async () => {
  await machine.down();
  await rm(folder, { recursive: true });
});

describe('a machine with systemd', () => {
  it('installs plane and agent, and the plane says that it is ready', async () => {
    await machine.exec('/stage/install', '--plane', '--agent');
    expect((await machine.exec('systemctl', 'is-active', 'fleetset-plane')).trim()).toBe('active');
    expect((await machine.exec('stat', '-c', '%a', '/etc/fleetset/admin.kubeconfig')).trim()).toBe('600');
    // Before it has joined, the agent's unit waits for its identity.
    expect((await machine.tryExec('systemctl', 'is-active', 'fleetset-agent')).stdout.trim()).toBe(
      'inactive',
    );
    const text = await machine.exec('cat', '/etc/fleetset/admin.kubeconfig');
    const reached = text.replace(
      /server: .*/,
      `server: https://${address}:6443\n    tls-server-name: localhost`,
    );
    await writeFile(kubeconfig, reached, { mode: 0o600 });
    expect(await kubectl(['get', 'namespaces'])).toContain('kube-system');
  });

  it('refuses to join with a wrong CA hash or a token that is none, and says why', async () => {
    const line = (
      await machine.exec(
        'fleetset',
        'token',
        'create',
        '--print-join-command',
        '--kubeconfig',
        '/etc/fleetset/admin.kubeconfig',
      )
    )
      .trim()
      .split(' ');
    const wrongHash = line.map((word) => (word.startsWith('sha256:') ? `sha256:${'0'.repeat(64)}` : word));
    const hash = await machine.tryExec(...wrongHash);
    expect(hash.code).toBe(1);
    expect(hash.stderr).toContain('does not have the CA that --ca-hash names');
    const wrongToken = line.map((word) => (/^[a-z0-9]{6}\./.test(word) ? 'aaaaaa.0123456789abcdef' : word));
    const token = await machine.tryExec(...wrongToken);
    expect(token.code).toBe(1);
    expect(token.stderr).toContain('the token is not known, or was deleted');
  });

  it('joins by the one line, and runs what is applied', async () => {
    const line = (
      await machine.exec(
        'fleetset',
        'token',
        'create',
        '--print-join-command',
        '--kubeconfig',
        '/etc/fleetset/admin.kubeconfig',
      )
    ).trim();
    expect(await machine.exec(...line.split(' '))).toContain('Its agent runs as fleetset-agent.service');
    await eventually('the node is ready', async () =>
      / Ready /.test(await kubectl(['get', 'nodes', '--no-headers'])),
    );
    // The text comes from a Secret: it lies in memory, and Docker sees what the agent's unit mounts.
    await kubectl(['create', 'secret', 'generic', 'page', '--from-literal=text=metal']);
    const command = ['sh', '-c', `cp /page/text /tmp/index.html && exec httpd -f -p ${PORT} -h /tmp`];
    await kubectl(
      ['apply', '-f', '-'],
      JSON.stringify(
        web({
          namespace: 'default',
          port: PORT,
          command,
          container: { volumeMounts: [{ name: 'page', mountPath: '/page' }] },
          pod: { volumes: [{ name: 'page', secret: { secretName: 'page' } }] },
        }),
      ),
    );
    await kubectl(['rollout', 'status', 'ds/web', '--timeout=180s']);
    expect(await page()).toBe('metal');
  });

  it('lets its agent into the network of a pod, to forward a port of its localhost', async () => {
    const command = 'mkdir /www; echo inside > /www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www';
    const spec = {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'inner', image: BUSYBOX, command: ['sh', '-c', command] }],
    };
    const labels = { app: 'inner' };
    const set = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'inner' },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(set));
    await kubectl(['rollout', 'status', 'ds/inner', '--timeout=180s']);
    const forwarding = begin('hack/kubectl', ['port-forward', 'ds/inner', ':8080'], {
      env: { KUBECONFIG: kubeconfig },
    });
    const port = await eventually('forwarding', () => /127\.0\.0\.1:(\d+) ->/.exec(forwarding.said())?.[1]);
    expect(await textOf(`http://127.0.0.1:${port}/`)).toBe('inside');
    await forwarding.stop();
    await kubectl(['delete', 'ds', 'inner', '--cascade=foreground']);
    await eventually('its containers are gone', async () => !(await containers()).includes(','));
  });

  it('a second machine cannot take its name', async () => {
    const line = (
      await machine.exec(
        'fleetset',
        'token',
        'create',
        '--print-join-command',
        '--kubeconfig',
        '/etc/fleetset/admin.kubeconfig',
      )
    ).trim();
    const again = await machine.tryExec(...line.split(' '), '--data-dir', '/tmp/other');
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/a node named \S+ is part of the fleet already/);
  });

  it('restarts its agent after kill -9, and no container with it', async () => {
    const before = await containers();
    const pid = await mainPid('fleetset-agent');
    await machine.exec('kill', '-9', pid);
    await eventually('another agent is active', async () => {
      const now = await mainPid('fleetset-agent');
      const active = (await machine.exec('systemctl', 'is-active', 'fleetset-agent').catch(() => '')).trim();
      return now !== pid && now !== '0' && active === 'active';
    });
    await kubectl(['rollout', 'status', 'ds/web', '--timeout=180s']);
    expect(await containers()).toBe(before);
  });

  it('replaces an agent that hangs, and no container with it', async () => {
    const before = await containers();
    const dropIn = '/run/systemd/system/fleetset-agent.service.d';
    await machine.exec(
      'sh',
      '-c',
      `mkdir -p ${dropIn}; printf '[Service]\\nWatchdogSec=6\\n' > ${dropIn}/soon.conf`,
    );
    await machine.exec('systemctl', 'daemon-reload');
    await machine.exec('systemctl', 'restart', 'fleetset-agent');
    const pid = await mainPid('fleetset-agent');
    const pinged = async () =>
      (
        await machine.exec(
          'systemctl',
          'show',
          '-p',
          'WatchdogTimestampMonotonic',
          '--value',
          'fleetset-agent',
        )
      ).trim();
    const first = await pinged();
    await eventually('it says that it works', async () => (await pinged()) !== first);
    expect(await mainPid('fleetset-agent')).toBe(pid);
    await machine.exec('kill', '-STOP', pid);
    await eventually('another agent is active', async () => {
      const now = await mainPid('fleetset-agent');
      return now !== pid && now !== '0';
    });
    expect(await machine.journal()).toContain('fleetset-agent.service: Watchdog timeout');
    await machine.exec('rm', '-r', dropIn);
    await machine.exec('systemctl', 'daemon-reload');
    await machine.exec('systemctl', 'restart', 'fleetset-agent');
    await kubectl(['rollout', 'status', 'ds/web', '--timeout=180s']);
    expect(await containers()).toBe(before);
  });

  it('answers on its own loopback, and kubectl top sees what it uses', async () => {
    const local = (path: string) => machine.exec('curl', '-s', `http://127.0.0.1:6445${path}`);
    expect((await local('/healthz')).trim()).toBe('ok');
    expect(await local('/metrics')).toContain('fleetset_agent_pods{phase="Running",ready="true"} 1');
    // Its agent has just been restarted.
    await eventually('its use is known', async () =>
      /^\S+ +\d+m +\d+% +\d+Mi +\d+%/.test(await kubectl(['top', 'nodes', '--no-headers'])),
    );
    await eventually('that of its pod, too', async () =>
      /^web-\S+ +\S+ +\d+m +\d+Mi/.test(await kubectl(['top', 'pods', '--containers', '--no-headers'])),
    );
  });

  it('stops pods by their own grace when the machine shuts down', async () => {
    const slow = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'slow' },
      spec: {
        selector: { matchLabels: { app: 'slow' } },
        template: {
          metadata: { labels: { app: 'slow' } },
          spec: {
            hostNetwork: true,
            terminationGracePeriodSeconds: 25,
            volumes: [{ name: 'host', hostPath: { path: '/var/lib/slow', type: 'DirectoryOrCreate' } }],
            containers: [
              {
                name: 'main',
                image: BUSYBOX,
                // Longer than the engine alone would wait for it.
                command: [
                  'sh',
                  '-c',
                  'trap "sleep 13; date > /host/ended; exit 0" TERM; while :; do sleep 1 & wait; done',
                ],
                volumeMounts: [{ name: 'host', mountPath: '/host' }],
              },
            ],
          },
        },
      },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(slow));
    await kubectl(['rollout', 'status', 'ds/slow', '--timeout=180s']);
    await machine.reboot();
    expect((await machine.exec('cat', '/var/lib/slow/ended')).trim()).not.toBe('');
    await eventually('the page answers again', async () => (await page()) === 'metal', 90_000);
    await eventually('the node is ready', async () =>
      / Ready /.test(await kubectl(['get', 'nodes', '--no-headers'])),
    );
    await kubectl(['delete', 'ds', 'slow', '--wait=true']);
    await eventually(
      'its pod is gone',
      async () => !(await kubectl(['get', 'pods', '--no-headers'])).includes('slow'),
    );
  });

  it('has its pods back after a reboot with the plane stopped', async () => {
    await machine.exec('systemctl', 'disable', '--now', 'fleetset-plane');
    await machine.reboot();
    await eventually('the page answers again', async () => (await page()) === 'metal', 90_000);
    expect((await machine.tryExec('systemctl', 'is-active', 'fleetset-plane')).stdout.trim()).toBe(
      'inactive',
    );
    expect((await containers()).split(',')).toHaveLength(1);
  });

  it('has them back after the power went away, too', async () => {
    await machine.reboot('--hard');
    await eventually('the page answers again', async () => (await page()) === 'metal', 90_000);
    expect((await containers()).split(',')).toHaveLength(1);
  });

  it('is found again when the plane returns, with nothing restarted', async () => {
    const before = await containers();
    await machine.exec('systemctl', 'enable', '--now', 'fleetset-plane');
    await eventually('the node is ready', async () =>
      / Ready /.test(await kubectl(['get', 'nodes', '--no-headers'])),
    );
    await kubectl(['rollout', 'status', 'ds/web', '--timeout=180s']);
    expect(await containers()).toBe(before);
  });

  it('uninstalls without touching pods', async () => {
    const before = await containers();
    await machine.exec('/stage/install', '--uninstall');
    expect((await machine.tryExec('systemctl', 'cat', 'fleetset-agent')).code).not.toBe(0);
    expect(await containers()).toBe(before);
  });
});
