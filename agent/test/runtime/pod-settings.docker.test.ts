// What a pod template says of names, namespaces and security, seen from inside containers on real Docker.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerRuntime } from '../../src/runtime/container-runtime.ts';
import { containerSettings, type Prepared } from '../../src/runtime/container-settings.ts';
import { createDockerRuntime } from '../../src/runtime/docker-runtime.ts';
import { holderSettings } from '../../src/runtime/holder-settings.ts';
import type { SettingsInput } from '../../src/runtime/settings-input.ts';
import { openTerminationLogs } from '../../src/state/termination-logs.ts';
import { docker, openProxy, removeContainersOf } from '../docker-engine.ts';
import type { EngineProxy } from '../engine-proxy.ts';
import { podRecord, TEST_IMAGE, uniqueOwner } from '../pods.ts';
import { until } from '../wait-until.ts';

const owner = uniqueOwner();
let proxy: EngineProxy;
let runtime: ContainerRuntime;
let directory: string;
beforeAll(async () => {
  proxy = await openProxy();
  runtime = createDockerRuntime({ socketPath: proxy.socketPath, owner });
  directory = await mkdtemp(join(tmpdir(), 'fleetset-pod-settings-'));
});
afterAll(async () => {
  await removeContainersOf(owner);
  await proxy.close();
  await rm(directory, { recursive: true, force: true });
});

const app = (over: Partial<Container> = {}, name = 'app'): Container => ({
  name,
  image: TEST_IMAGE,
  command: ['sh', '-c', 'sleep 1000 & wait'],
  ...over,
});
const shell = (script: string) => ({ command: ['sh', '-c', script] });

const NOTHING_PREPARED: Prepared = { environment: new Map(), sources: [] };

/** The pod's holder, if it has one, and its containers, all started; answers their ids. */
async function startPod(
  over: Partial<PodSpec>,
  containers: readonly Container[],
  more: Partial<SettingsInput> = {},
): Promise<string[]> {
  const spec: PodSpec = { ...over, containers };
  const input: SettingsInput = {
    pod: podRecord({ name: 'web-abcde', daemonSetName: 'web' }),
    spec,
    attempt: 0,
    nodeMemoryBytes: 2 ** 34,
    minOomScoreAdjust: 0,
    ...more,
  };
  const holder = await runtime.create(holderSettings(input, await runtime.holderImage()));
  await runtime.start(holder);
  const ids: string[] = [];
  for (const container of containers) {
    const id = await runtime.create(
      containerSettings({ ...input, holder: { id: holder, attempt: 0 } }, container, NOTHING_PREPARED),
    );
    await runtime.start(id);
    ids.push(id);
  }
  return ids;
}

const inside = async (id: string | undefined, script: string): Promise<string> =>
  (await runtime.exec(id ?? '', ['sh', '-c', script], 60_000)).output.trim();
const one = async (over: Partial<PodSpec>, script: string, container: Partial<Container> = {}, more = {}) =>
  inside((await startPod(over, [app(container)], more))[0], script);

describe('names', () => {
  it('of the pod, of its domain, and aliases of others, are in every container', async () => {
    const ids = await startPod(
      {
        hostname: 'node',
        subdomain: 'fleet',
        hostAliases: [{ ip: '10.1.2.3', hostnames: ['db', 'db.example.org'] }],
      },
      [app(), app({}, 'side')],
    );
    for (const id of ids) {
      expect(await inside(id, 'hostname')).toBe('node');
      const hosts = await inside(id, 'cat /etc/hosts');
      expect(hosts).toMatch(/node\.fleet\.default\.svc\.cluster\.local\s+node/);
      expect(hosts).toMatch(/10\.1\.2\.3\s+db$/m);
      expect(hosts).toMatch(/10\.1\.2\.3\s+db\.example\.org$/m);
    }
  });

  it('the whole name is the hostname, when that is asked for', async () => {
    const spec = { hostname: 'a', subdomain: 'b', setHostnameAsFQDN: true };
    expect(await one(spec, 'hostname')).toBe('a.b.default.svc.cluster.local');
  });

  it('are resolved as dnsConfig says, and by nothing else under dnsPolicy None', async () => {
    const dnsConfig = {
      nameservers: ['192.0.2.1'],
      searches: ['example.org'],
      options: [{ name: 'ndots', value: '3' }, { name: 'edns0' }],
    };
    const lines = (await one({ dnsPolicy: 'None', dnsConfig }, 'cat /etc/resolv.conf')).split('\n');
    expect(lines.filter((line) => line && !line.startsWith('#')).sort()).toEqual([
      'nameserver 192.0.2.1',
      'options ndots:3 edns0',
      'search example.org',
    ]);
    const bare = await one(
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['192.0.2.1'] } },
      'cat /etc/resolv.conf',
    );
    expect(bare).not.toMatch(/^search/m);
  });
});

describe('what the containers of a pod share', () => {
  it("on the host's network too: IPC, and with shareProcessNamespace their processes", async () => {
    const spec = { hostNetwork: true, shareProcessNamespace: true };
    const [first, second] = await startPod(spec, [app(), app({}, 'side')]);
    for (const kind of ['ipc', 'pid'])
      expect(await inside(first, `readlink /proc/self/ns/${kind}`)).toBe(
        await inside(second, `readlink /proc/self/ns/${kind}`),
      );
    expect(await inside(first, 'cat /proc/1/cmdline | tr "\\0" " "')).toBe('/pause');
  });

  it('a process without a parent leaves no zombie in it', async () => {
    const [first] = await startPod({ shareProcessNamespace: true }, [app()]);
    await inside(first, '(sleep 0.1 &) ; true');
    await until('it has ended', async () => !(await inside(first, 'ps -o args')).includes('sleep 0.1'));
    // A zombie for as long as it takes the first process to hear of its end.
    await until('nothing is left of it', async () => {
      const zombies = 'grep -c "^State:.Z" /proc/[0-9]*/status | grep -v ":0$" | wc -l';
      return (await inside(first, zombies)) === '0';
    });
  });

  it('not their processes otherwise', async () => {
    const [first, second] = await startPod({}, [app(), app({}, 'side')]);
    expect(await inside(first, 'readlink /proc/self/ns/pid')).not.toBe(
      await inside(second, 'readlink /proc/self/ns/pid'),
    );
  });

  it('kernel settings of their network', async () => {
    const securityContext = { sysctls: [{ name: 'net/ipv4/ip_unprivileged_port_start', value: '81' }] };
    expect(await one({ securityContext }, 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start')).toBe('81');
  });
});

describe('the security context', () => {
  it('gives groups beside those of the user', async () => {
    const securityContext = { runAsUser: 1000, runAsGroup: 1001, supplementalGroups: [1002, 1003] };
    expect(await one({ securityContext }, 'id -u; id -G')).toMatch(/^1000\n1001 1002 1003$/);
  });

  it('gives a group of the image only to who has no group of its own', async () => {
    const [id = ''] = await startPod({}, [app()]);
    await inside(id, 'echo "ann:x:1000:1001::/:/bin/sh" > /etc/passwd; echo "extra:x:50:ann" > /etc/group');
    const image = `fleetset-test/groups-${owner.slice(5, 13)}:1`;
    const [repo, tag] = image.split(':');
    await docker.getContainer(id).commit({ repo, tag });
    try {
      const groups = (securityContext: object) => one({ securityContext }, 'id -G', { image });
      expect(await groups({ runAsUser: 1000 })).toBe('1001 50');
      const strict = { runAsUser: 1000, runAsGroup: 3000, supplementalGroupsPolicy: 'Strict' };
      expect(await groups({ ...strict, supplementalGroups: [4000], fsGroup: 5000 })).toBe('3000 4000 5000');
    } finally {
      await removeContainersOf(owner);
      await docker.getImage(image).remove({ force: true });
    }
  });

  const capabilities = (add: string[], drop: string[]) => ({
    securityContext: { capabilities: { add, drop } },
  });
  const EFFECTIVE = 'grep CapEff /proc/self/status | cut -f2';
  it.each<[string, string[], string[], string]>([
    ['none of all', [], ['ALL'], '0000000000000000'],
    ['one of all, under either name', ['CAP_NET_BIND_SERVICE'], ['ALL'], '0000000000000400'],
    [
      'what is dropped as well is not added',
      ['NET_BIND_SERVICE', 'CHOWN'],
      ['ALL', 'CAP_CHOWN'],
      '0000000000000400',
    ],
  ])('leaves %s', async (_what, add, drop, mask) => {
    expect(await one({}, EFFECTIVE, capabilities(add, drop))).toBe(mask);
  });

  it('filters system calls by the engine, by nothing, or by a profile of the machine', async () => {
    const mode = 'grep "^Seccomp:" /proc/self/status | cut -f2';
    const seccomp = (type: string) => ({
      securityContext: { seccompProfile: { type, localhostProfile: 'a' } },
    });
    expect(await one({}, mode, seccomp('RuntimeDefault'))).toBe('2');
    expect(await one({}, mode, seccomp('Unconfined'))).toBe('0');
    const seccompProfile = JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    });
    expect(await one({}, 'mkdir /tmp/x 2>&1; true', seccomp('Localhost'), { seccompProfile })).toMatch(
      /not permitted/,
    );
  });

  it('shows all of /proc when it is unmasked', async () => {
    const masked = 'grep -c " /proc/" /proc/self/mountinfo';
    expect(await one({ hostUsers: false }, masked, { securityContext: { procMount: 'Unmasked' } })).toBe('0');
    expect(Number(await one({}, masked))).toBeGreaterThan(3);
  });

  it('gives the devices that the annotation names', async () => {
    const annotations = { 'fleetset.dev/devices': '/dev/null:/dev/nothing:r' };
    expect(await one({}, 'test -c /dev/nothing && echo yes', {}, { annotations })).toBe('yes');
  });
});

describe('the termination log', () => {
  it('is written by any user, also on a read-only root, and read after the end', async () => {
    const logs = openTerminationLogs(directory);
    const terminationLog = await logs.make('uid', 'app', 0);
    const container = app({
      ...shell('echo out of luck >/dev/termination-log; exit 3'),
      terminationMessagePath: '/dev/termination-log',
      securityContext: { readOnlyRootFilesystem: true, runAsUser: 1000 },
    });
    const [id] = await startPod({}, [container], { terminationLog });
    await until('it ended', async () =>
      (await runtime.list()).some((seen) => seen.id === id && seen.state === 'exited'),
    );
    expect(await logs.read('uid', 'app', 0)).toBe('out of luck\n');
    expect(await readFile(terminationLog, 'utf8')).toBe('out of luck\n');
  });
});
