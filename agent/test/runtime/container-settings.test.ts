// How a container of a manifest is translated for the engine.
import { expandEnvironment } from '@fleetset/scheduler-core/node/expand-variables';
import { qosClass } from '@fleetset/scheduler-core/node/qos-class';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { describe, expect, it, test } from 'vitest';
import type { ContainerSettings } from '../../src/runtime/container-runtime.ts';
import { containerSettings, type Prepared, takesImageUser } from '../../src/runtime/container-settings.ts';
import { holderSettings } from '../../src/runtime/holder-settings.ts';
import { podRecord } from '../pods.ts';

const GIB = 2 ** 30;
const HOLDER = { id: 'holder-id', attempt: 3 };

interface Case {
  readonly container?: Partial<Container>;
  readonly spec?: Partial<PodSpec>;
  readonly imageUser?: string;
  readonly minOomScoreAdjust?: number;
}

function translate({ container, spec, imageUser, minOomScoreAdjust = -1000 }: Case): ContainerSettings {
  const whole: Container = { name: 'app', image: 'registry/app:1', ...container };
  const input = {
    pod: podRecord(),
    spec: { hostNetwork: true, ...spec, containers: [whole] },
    attempt: 2,
    nodeMemoryBytes: 16 * GIB,
    minOomScoreAdjust,
    ...(imageUser === undefined ? {} : { imageUser }),
    ...(spec?.hostNetwork === false ? { holder: HOLDER } : {}),
  };
  return containerSettings(input, whole, prepared(whole, input.spec));
}

/** As the agent makes it ready, where nothing has to be looked up for it. */
const prepared = (container: Container, spec: PodSpec): Prepared => ({
  environment: expandEnvironment(container.env ?? []),
  sources: (container.volumeMounts ?? []).map(
    (mount) => spec.volumes?.find(({ name }) => name === mount.name)?.hostPath?.path ?? `/kept/${mount.name}`,
  ),
});

const resources = (limits: Container['resources'], requests?: { [name: string]: string }) => ({
  container: { resources: { ...limits, ...(requests ? { requests } : {}) } },
});
const limits = (cpu?: string, memory?: string) => ({
  limits: { ...(cpu ? { cpu } : {}), ...(memory ? { memory } : {}) },
});
const requests = (cpu?: string, memory?: string) => ({
  ...(cpu ? { cpu } : {}),
  ...(memory ? { memory } : {}),
});

describe('CPU and memory (rules 76 and 111)', () => {
  it.each<[string, Case, Partial<ContainerSettings>]>([
    ['nothing asked for: the fewest shares and no limit', {}, { cpuShares: 2 }],
    ['a request of one core', resources({}, requests('1')), { cpuShares: 1024 }],
    ['a request in thousandths', resources({}, requests('250m')), { cpuShares: 256 }],
    ['a request of less than two shares', resources({}, requests('1m')), { cpuShares: 2 }],
    ['a request of more shares than there are', resources({}, requests('300')), { cpuShares: 262_144 }],
    [
      'a limit without a request is the request too',
      resources(limits('500m')),
      { cpuShares: 512, cpuQuota: 50_000, cpuPeriod: 100_000 },
    ],
    [
      'a request of its own counts for the shares, the limit for the quota',
      resources(limits('2'), requests('100m')),
      { cpuShares: 102, cpuQuota: 200_000, cpuPeriod: 100_000 },
    ],
    [
      'a request of nothing is nothing, whatever the limit',
      resources(limits('1'), requests('0')),
      { cpuShares: 2, cpuQuota: 100_000 },
    ],
    ['a limit below the smallest quota', resources(limits('1m')), { cpuQuota: 1000 }],
    ['a memory limit', resources(limits(undefined, '64Mi')), { memoryBytes: 64 * 2 ** 20 }],
    [
      'a memory limit that is no whole number of bytes is rounded up',
      resources(limits(undefined, '1.5')),
      { memoryBytes: 2 },
    ],
  ])('%s', (_name, given, wanted) => {
    expect(translate(given)).toMatchObject(wanted);
  });

  it.each<[string, Case]>([
    ['a CPU request', resources({}, requests('1'))],
    ['a CPU limit of 0', resources(limits('0'))],
    ['a memory request', resources({}, requests(undefined, '1Gi'))],
    ['a memory limit of 0', resources(limits(undefined, '0'))],
  ])('%s limits nothing', (_name, given) => {
    const { cpuQuota, cpuPeriod, memoryBytes } = translate(given);
    expect([cpuQuota, cpuPeriod, memoryBytes]).toEqual([undefined, undefined, undefined]);
  });
});

describe('the score for the kernel that looks for a victim (rules 109 and 110)', () => {
  it.each<[string, Case, string, number]>([
    ['nothing asked for goes first', {}, 'BestEffort', 1000],
    ['zeros ask for nothing', resources(limits('0', '0'), requests('0', '0')), 'BestEffort', 1000],
    ['limits alone are requests as well', resources(limits('1', '1Gi')), 'Guaranteed', -997],
    [
      'equal requests and limits',
      resources(limits('1', '1Gi'), requests('1000m', '1024Mi')),
      'Guaranteed',
      -997,
    ],
    ['a CPU limit alone', resources(limits('1')), 'Burstable', 999],
    ['a lower request', resources(limits('1', '2Gi'), requests('1', '1Gi')), 'Burstable', 938],
    ['half of the memory', resources({}, requests(undefined, '8Gi')), 'Burstable', 500],
    ['all of the memory', resources({}, requests(undefined, '16Gi')), 'Burstable', 3],
    ['hardly any memory', resources({}, requests(undefined, '1')), 'Burstable', 999],
    [
      'node-critical, whatever it asks for',
      { spec: { priorityClassName: 'system-node-critical' } },
      'BestEffort',
      -997,
    ],
  ])('%s', (_name, given, qos, score) => {
    const container: Container = { name: 'app', ...given.container };
    expect(qosClass({ ...given.spec, containers: [container] })).toBe(qos);
    expect(translate(given).oomScoreAdjust).toBe(score);
  });

  it('is no lower than the machine allows, for the holder as well', () => {
    const given = { ...resources(limits('1', '1Gi')), minOomScoreAdjust: 0 };
    expect(translate(given).oomScoreAdjust).toBe(0);
    const input = { pod: podRecord(), spec: { containers: [] }, attempt: 0, nodeMemoryBytes: GIB };
    expect(holderSettings({ ...input, minOomScoreAdjust: 0 }, 'h').oomScoreAdjust).toBe(0);
    expect(holderSettings({ ...input, minOomScoreAdjust: -1000 }, 'h').oomScoreAdjust).toBe(-998);
  });
});

describe('variables (rule 106)', () => {
  const env = (...pairs: [string, string][]) => pairs.map(([name, value]) => ({ name, value }));

  it.each<[string, [string, string][], string[]]>([
    ['values come as they are written', [['A', 'one two']], ['A=one two']],
    [
      'an earlier one is seen',
      [
        ['A', '1'],
        ['B', '$(A)2'],
      ],
      ['A=1', 'B=12'],
    ],
    [
      'a later one is not',
      [
        ['B', '$(A)2'],
        ['A', '1'],
      ],
      ['B=$(A)2', 'A=1'],
    ],
    ['an unknown one stays as written', [['B', '$(NO)']], ['B=$(NO)']],
    [
      'two dollars are one, and name nothing',
      [
        ['A', '1'],
        ['B', '$$(A)'],
      ],
      ['A=1', 'B=$(A)'],
    ],
    [
      'what was put in is not looked at again',
      [
        ['A', '$$(B)'],
        ['B', 'x'],
        ['C', '$(A)'],
      ],
      ['A=$(B)', 'B=x', 'C=$(B)'],
    ],
    [
      'an empty value is a value',
      [
        ['A', ''],
        ['B', '<$(A)>'],
      ],
      ['A=', 'B=<>'],
    ],
    [
      'the same name twice: the last one counts',
      [
        ['A', '1'],
        ['A', '2'],
      ],
      ['A=2'],
    ],
    ['a dollar alone is a dollar', [['A', 'costs 5$ or $5 $( ) $(']], ['A=costs 5$ or $5 $( ) $(']],
    [
      'the name may have any character but "="',
      [
        ['a.b-c', '1'],
        ['B', '$(a.b-c)'],
      ],
      ['a.b-c=1', 'B=1'],
    ],
  ])('%s', (_name, pairs, wanted) => {
    expect(translate({ container: { env: env(...pairs) } }).env).toEqual(wanted);
  });

  it('are put into the command and its arguments', () => {
    const settings = translate({
      container: {
        env: env(['PORT', '80'], ['HOST', 'h']),
        command: ['serve', '--on=$(HOST):$(PORT)'],
        args: ['$$(PORT)', '$(NO)', '$(PORT)$(PORT)'],
      },
    });
    expect(settings.entrypoint).toEqual(['serve', '--on=h:80']);
    expect(settings.args).toEqual(['$(PORT)', '$(NO)', '8080']);
  });

  it('leave the image its own command where none is given', () => {
    expect(translate({ container: { command: [], args: [] } })).not.toHaveProperty('entrypoint');
    expect(translate({ container: { command: [], args: [] } })).not.toHaveProperty('args');
    expect(translate({ container: { args: ['x'] } })).not.toHaveProperty('entrypoint');
  });
});

describe('who it runs as', () => {
  const user = (runAsUser?: number, runAsGroup?: number) => ({
    ...(runAsUser === undefined ? {} : { runAsUser }),
    ...(runAsGroup === undefined ? {} : { runAsGroup }),
  });

  it.each<[string, Case, string | undefined]>([
    ['nothing said: the image decides', {}, undefined],
    ['a user', { container: { securityContext: user(1000) } }, '1000'],
    ['user 0 is a user', { container: { securityContext: user(0, 0) } }, '0:0'],
    ['a user of the pod', { spec: { securityContext: user(1000, 2000) } }, '1000:2000'],
    [
      "the container's own wins, each by itself",
      { spec: { securityContext: user(1000, 2000) }, container: { securityContext: user(3000) } },
      '3000:2000',
    ],
    [
      "a group alone goes with the image's user",
      { container: { securityContext: user(undefined, 2000) }, imageUser: '65534' },
      '65534:2000',
    ],
    [
      "of the image's user its own group is left out",
      { container: { securityContext: user(undefined, 2000) }, imageUser: 'nobody:nogroup' },
      'nobody:2000',
    ],
    [
      'a group alone where the image names nobody is with root',
      { container: { securityContext: user(undefined, 2000) }, imageUser: '' },
      '0:2000',
    ],
  ])('%s', (_name, given, wanted) => {
    expect(translate(given).user).toBe(wanted);
  });

  it('asks for the user of the image only where it is needed', () => {
    const spec: PodSpec = { containers: [] };
    const needs = (securityContext: Container['securityContext']) =>
      takesImageUser(spec, { name: 'app', ...(securityContext ? { securityContext } : {}) });
    expect([needs(undefined), needs(user(1)), needs(user(1, 2)), needs(user(undefined, 2))]).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });
});

describe('security', () => {
  it.each<[string, Container['securityContext'], Partial<ContainerSettings>]>([
    ['privileged', { privileged: true }, { privileged: true }],
    [
      'capabilities',
      { capabilities: { add: ['NET_ADMIN', 'SYS_TIME'], drop: ['ALL'] } },
      { capAdd: ['NET_ADMIN', 'SYS_TIME'], capDrop: ['ALL'] },
    ],
    ['a read-only root', { readOnlyRootFilesystem: true }, { readOnlyRoot: true }],
    ['no escalation', { allowPrivilegeEscalation: false }, { noNewPrivileges: true }],
  ])('%s', (_name, securityContext, wanted) => {
    expect(translate({ container: { securityContext } as Partial<Container> })).toMatchObject(wanted);
  });

  it('that is switched off, or allowed, asks for nothing', () => {
    const securityContext = {
      privileged: false,
      capabilities: { add: [], drop: [] },
      readOnlyRootFilesystem: false,
      allowPrivilegeEscalation: true,
    };
    const settings = translate({ container: { securityContext } });
    for (const name of ['privileged', 'capAdd', 'capDrop', 'readOnlyRoot', 'noNewPrivileges'])
      expect(settings).not.toHaveProperty(name);
  });
});

describe('namespaces and ports (rule 77)', () => {
  const ports: Container['ports'] = [
    { containerPort: 80, hostPort: 8080, name: 'web' },
    { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '127.0.0.1' },
    { containerPort: 9000 },
    { containerPort: 9001, hostPort: 0 },
  ];

  it('on the host network nothing is published and no holder is joined', () => {
    expect(translate({ container: { ports } })).toMatchObject({ network: 'host', ports: [] });
  });

  it('with a holder, the holder publishes and the containers join it', () => {
    const own = translate({ spec: { hostNetwork: false }, container: { ports } });
    expect(own).toMatchObject({ network: { holderId: 'holder-id' }, ports: [] });
    expect(own.identity).toMatchObject({ attempt: 2, holderAttempt: 3 });
    const pod = podRecord({ name: `${'a'.repeat(80)}-abcde` });
    const holder = holderSettings(
      {
        pod,
        spec: { containers: [{ name: 'a', ports }, { name: 'b' }] },
        attempt: 3,
        nodeMemoryBytes: GIB,
        minOomScoreAdjust: -1000,
      },
      'image',
    );
    expect(holder).toMatchObject({
      network: 'own',
      image: 'image',
      hostname: 'a'.repeat(63),
      identity: { pod, name: '', attempt: 3 },
      ports: [
        { containerPort: 80, hostPort: 8080, protocol: 'tcp' },
        { containerPort: 53, hostPort: 53, protocol: 'udp', hostIp: '127.0.0.1' },
      ],
    });
  });

  it('the host PID and IPC namespaces are joined when asked for', () => {
    expect(translate({ spec: { hostPID: true, hostIPC: true } })).toMatchObject({
      hostPid: true,
      hostIpc: true,
    });
    expect(translate({})).not.toHaveProperty('hostPid');
  });
});

describe('volumes', () => {
  const spec: Partial<PodSpec> = {
    volumes: [
      { name: 'proc', hostPath: { path: '/proc' } },
      { name: 'logs', hostPath: { path: '/var/log', type: 'DirectoryOrCreate' } },
    ],
  };

  it.each<[string, NonNullable<Container['volumeMounts']>[number], object]>([
    [
      'as it is',
      { name: 'logs', mountPath: '/l' },
      { source: '/var/log', target: '/l', readOnly: false, propagation: 'rprivate' },
    ],
    ['read-only', { name: 'proc', mountPath: '/p', readOnly: true }, { source: '/proc', readOnly: true }],
    [
      'with mounts that the host makes later',
      { name: 'proc', mountPath: '/p', mountPropagation: 'HostToContainer' },
      { propagation: 'rslave' },
    ],
    [
      'with mounts that either makes later',
      { name: 'proc', mountPath: '/p', mountPropagation: 'Bidirectional' },
      { propagation: 'rshared' },
    ],
    [
      'with mounts of its own only',
      { name: 'proc', mountPath: '/p', mountPropagation: 'None' },
      { propagation: 'rprivate' },
    ],
  ])('a path of the host %s', (_name, mount, wanted) => {
    expect(translate({ spec, container: { volumeMounts: [mount] } }).mounts).toMatchObject([wanted]);
  });

  it('are mounted from the root of the container, and of two at one place the later', () => {
    const volumeMounts = ['data/', '/l', '/data', '/p/../l/./x/'].map((mountPath) => ({
      name: mountPath === 'data/' ? 'proc' : 'logs',
      mountPath,
    }));
    const { mounts } = translate({ spec, container: { volumeMounts } });
    expect(mounts.map(({ source, target }) => [source, target])).toEqual([
      ['/var/log', '/data'],
      ['/var/log', '/l'],
      ['/var/log', '/l/x'],
    ]);
  });

  it.each<[string, object, boolean]>([
    ['configMap', { configMap: { name: 'c' } }, true],
    ['secret', { secret: { secretName: 's' } }, true],
    ['projected', { projected: { sources: [] } }, true],
    ['downwardAPI', { downwardAPI: {} }, true],
    ['emptyDir', { emptyDir: {} }, false],
  ])('of a %s, only read: %#', (_name, source, readOnly) => {
    const mount = { name: 'v', mountPath: '/v' };
    const given = { spec: { volumes: [{ name: 'v', ...source }] }, container: { volumeMounts: [mount] } };
    expect(translate(given).mounts).toMatchObject([{ source: '/kept/v', target: '/v', readOnly }]);
  });
});

test('fsGroup is one more group of every container', () => {
  expect(translate({ spec: { securityContext: { fsGroup: 2000 } } }).groups).toEqual([2000]);
});

const NOTHING: Prepared = { environment: new Map(), sources: [] };

describe('the name on the engine', () => {
  it('differs by pod, container and attempt', () => {
    const pods = [podRecord(), podRecord()];
    const names = pods.flatMap((pod) =>
      [0, 1].flatMap((attempt) => {
        const input = { pod, spec: { containers: [] }, attempt, nodeMemoryBytes: GIB, minOomScoreAdjust: 0 };
        return [
          holderSettings(input, 'i').name,
          containerSettings(input, { name: 'a' }, NOTHING).name,
          containerSettings(input, { name: 'b' }, NOTHING).name,
        ];
      }),
    );
    expect(new Set(names).size).toBe(12);
    for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/);
  });
});
