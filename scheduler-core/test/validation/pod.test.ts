// Proves that what a template says of init containers, hooks, names and security is refused where Kubernetes refuses it
// (rules 79, 81 and 82).
import { validateDaemonSet } from '@fleetset/scheduler-core/validation/daemon-set';
import { describe, expect, test } from 'vitest';
import { type Edit, edited, MINIMAL, readDaemonSet } from '../manifest.ts';

type Row = readonly [sentence: string, edit: Edit, ...errors: string[]];
const refuses = (rows: readonly Row[]) =>
  test.each(rows.map((row) => [row[0], row] as const))('%s', (_sentence, [, edit, ...errors]) => {
    const found = validateDaemonSet(readDaemonSet(edited(MINIMAL, [edit])));
    expect(
      found.map(({ field, message }) => `${field.replace('spec.template.spec.', '')}: ${message}`),
    ).toEqual(errors);
  });

const init = (...containers: object[]): Edit => [
  'pod.initContainers',
  containers.map((container) => ({ name: 'init', image: 'init:1', ...container })),
];
const EXEC = { exec: { command: ['true'] } };
const NOT_PLAIN = 'Forbidden: may not be set for init containers without restartPolicy=Always';

describe('rule 82: init containers', () => {
  refuses([
    ['may be', init({})],
    [
      'have names of their own in the whole pod',
      init({ name: 'main' }, { name: 'a' }, { name: 'a' }),
      'initContainers[0].name: Duplicate value: "main"',
      'initContainers[2].name: Duplicate value: "a"',
    ],
    ['have an image', init({ image: '' }), 'initContainers[0].image: Required value'],
    [
      'have neither probes nor hooks',
      init({ readinessProbe: EXEC, startupProbe: EXEC, livenessProbe: EXEC, lifecycle: { preStop: EXEC } }),
      `initContainers[0].lifecycle: ${NOT_PLAIN}`,
      `initContainers[0].livenessProbe: ${NOT_PLAIN}`,
      `initContainers[0].readinessProbe: ${NOT_PLAIN}`,
      `initContainers[0].startupProbe: ${NOT_PLAIN}`,
    ],
    [
      'unless they are sidecars',
      init({
        restartPolicy: 'Always',
        readinessProbe: EXEC,
        startupProbe: EXEC,
        lifecycle: { preStop: EXEC },
      }),
    ],
    [
      'of sidecars both are looked into',
      init({ restartPolicy: 'Always', readinessProbe: {}, lifecycle: { preStop: {} } }),
      'initContainers[0].readinessProbe: Required value: must specify a handler type',
      'initContainers[0].lifecycle.preStop: Required value: must specify a handler type',
    ],
    [
      'know one restart policy',
      init({ restartPolicy: 'Never' }),
      'initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      'which others have not',
      ['main.restartPolicy', 'Always'],
      'containers[0].restartPolicy: Forbidden: may not be set for non-init containers',
    ],
    [
      'are not resized',
      init({ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }] }),
      'initContainers[0].resizePolicy: Invalid value: [{"resourceName":"cpu","restartPolicy":"NotRequired"}]: must not be set for init containers',
    ],
    [
      'may have the host port of another container, not one twice',
      init(
        {
          ports: [
            { containerPort: 1, hostPort: 80 },
            { containerPort: 2, hostPort: 80 },
          ],
        },
        { name: 'b', ports: [{ containerPort: 1, hostPort: 80 }] },
      ),
      'initContainers[0].ports[1].hostPort: Duplicate value: "TCP//80"',
    ],
  ]);
});

describe('rules 81 and 104: hooks', () => {
  const hook = (preStop: object): Edit => ['main.lifecycle', { preStop }];
  refuses([
    ['sleep within the grace', hook({ sleep: { seconds: 30 } })],
    [
      'not longer',
      hook({ sleep: { seconds: 31 } }),
      'containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)',
    ],
    ['may name tcpSocket, which does nothing', hook({ tcpSocket: { port: 1 } })],
    [
      'its port is looked at all the same',
      hook({ tcpSocket: { port: 0 } }),
      'containers[0].lifecycle.preStop.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive',
    ],
    ['need a command', hook({ exec: {} }), 'containers[0].lifecycle.preStop.exec.command: Required value'],
    [
      'have headers that can be sent',
      hook({ httpGet: { port: 1, httpHeaders: [{ name: 'a b', value: '' }] } }),
      "containers[0].lifecycle.preStop.httpGet.httpHeaders: Invalid value: \"a b\": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
    ],
  ]);
});

describe('names', () => {
  const label = (value: string) =>
    `Invalid value: "${value}": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`;
  const ip = (value: string) =>
    `Invalid value: "${value}": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`;
  refuses([
    ['hostname is one label', ['pod.hostname', 'A'], `hostname: ${label('A')}`],
    ['so is subdomain', ['pod.subdomain', 'A'], `subdomain: ${label('A')}`],
    [
      'hostAliases are of addresses',
      ['pod.hostAliases', [{ ip: 'x', hostnames: ['a.b'] }]],
      `hostAliases[0].ip: ${ip('x')}`,
    ],
    [
      'a resolver of its own names a server',
      ['pod.dnsPolicy', 'None'],
      'dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None',
    ],
    [
      'servers are addresses, at most three',
      ['pod.dnsConfig', { nameservers: ['1.1.1.1', 'x', '::1', '2.2.2.2'], options: [{ value: '1' }] }],
      'dnsConfig.nameservers: Invalid value: ["1.1.1.1","x","::1","2.2.2.2"]: must not have more than 3 nameservers',
      `dnsConfig.nameservers[1]: ${ip('x')}`,
      'dnsConfig.options[0]: Required value: must not be empty',
    ],
    ['a search may end in a dot, or be one', ['pod.dnsConfig', { searches: ['a.b.', '.'] }]],
  ]);
});

describe('the security context', () => {
  const context = (value: object): Edit => ['pod.securityContext', value];
  refuses([
    [
      'groups are numbers of groups',
      context({ supplementalGroups: [1, -1], fsGroup: 2 ** 31 }),
      'securityContext.fsGroup: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive',
      'securityContext.supplementalGroups[1]: Invalid value: -1: must be between 0 and 2147483647, inclusive',
    ],
    [
      'a profile of the node has a name',
      context({ seccompProfile: { type: 'Localhost' }, appArmorProfile: { type: 'Localhost' } }),
      'securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost',
      'securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost',
    ],
    [
      'others have none',
      context({ seccompProfile: { type: 'RuntimeDefault', localhostProfile: 'a' } }),
      'securityContext.seccompProfile.localhostProfile: Invalid value: "a": can only be set when seccomp type is Localhost',
    ],
    [
      'a profile stays in its directory',
      context({ seccompProfile: { type: 'Localhost', localhostProfile: '/a/../b' } }),
      'securityContext.seccompProfile.localhostProfile: Invalid value: "/a/../b": must be a relative path',
      'securityContext.seccompProfile.localhostProfile: Invalid value: "/a/../b": must not contain \'..\'',
    ],
    [
      'three kinds of profile there are',
      ['main.securityContext', { seccompProfile: { type: 'x' } }],
      'containers[0].securityContext.seccompProfile.type: Unsupported value: "x": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
    ],
    [
      'a signal to end by only where the system is known',
      ['main.lifecycle', { stopSignal: 'SIGUSR1' }],
      'containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`',
    ],
    [
      'all of /proc only in a user namespace',
      ['main.securityContext', { procMount: 'Unmasked' }],
      'containers[0].securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
    ],
    [
      'a kernel setting is named once',
      context({
        sysctls: [
          { name: 'net.ipv4.tcp_syncookies', value: '1' },
          { name: 'net.ipv4.tcp_syncookies', value: '1' },
          { name: '_', value: '1' },
        ],
      }),
      'securityContext.sysctls[1].name: Duplicate value: "net.ipv4.tcp_syncookies"',
      'securityContext.sysctls[2].name: Invalid value: "_": must have at most 253 characters and match regex ([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?',
    ],
  ]);
  test("none of the network's on the host's", () => {
    const manifest = edited(MINIMAL, [
      ['pod.hostNetwork', true],
      ['pod.hostUsers', false],
      ['pod.securityContext', { sysctls: [{ name: 'net.ipv4.tcp_syncookies', value: '1' }] }],
    ]);
    expect(
      validateDaemonSet(readDaemonSet(manifest)).map(({ field, message }) => `${field}: ${message}`),
    ).toEqual([
      'spec.template.spec.securityContext.sysctls[0].name: Invalid value: "net.ipv4.tcp_syncookies": may not be specified when \'hostNetwork\' is true',
      'spec.template.spec.hostNetwork: Forbidden: when `hostUsers` is false',
    ]);
  });
});

test.each<[string, string, boolean]>([
  ['linux', 'SIGUSR1', true],
  ['linux', 'SIGRTMIN+15', true],
  ['linux', 'SIGRTMAX-14', true],
  ['linux', 'SIGRTMAX-15', false],
  ['linux', 'USR1', false],
  ['linux', 'SIGEMT', false],
  ['linux', '', false],
  ['windows', 'SIGTERM', true],
  ['windows', 'SIGUSR1', false],
])('a pod for %s that ends by %j: %s', (name, stopSignal, isValid) => {
  const manifest = edited(MINIMAL, [
    ['pod.os', { name }],
    ['main.lifecycle', { stopSignal }],
  ]);
  const fields = validateDaemonSet(readDaemonSet(manifest)).map(({ field }) => field);
  expect(fields).toEqual(isValid ? [] : ['spec.template.spec.containers[0].lifecycle.stopSignal']);
});

test('devices of the annotation are as Docker names them', () => {
  const manifest = edited(MINIMAL, [
    [
      'spec.template.metadata.annotations',
      { 'fleetset.dev/devices': '/dev/fuse, /dev/a:/dev/b:r, dev/c, /d:x' },
    ],
  ]);
  expect(validateDaemonSet(readDaemonSet(manifest)).map(({ message }) => message)).toEqual([
    'Invalid value: "dev/c": must be a list of devices as `docker run --device` takes them, with commas between',
    'Invalid value: "/d:x": must be a list of devices as `docker run --device` takes them, with commas between',
  ]);
});
