// Which pods a Service stands for, and at which ports, in Endpoints and in EndpointSlices.
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import type { Service } from '@fleetset/scheduler-core/schema/service';
import { endpointSlices, endpointSubsets, membersOf } from '@fleetset/scheduler-core/service-endpoints';
import { describe, expect, test } from 'vitest';

const service = (spec: Service['spec'] = {}): Service => ({
  metadata: { name: 'web', namespace: 'default' },
  spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }], ...spec },
});
const pod = (
  ip: string,
  over: { ready?: boolean; ending?: boolean; port?: number; phase?: string } = {},
): Pod => {
  const { ready = true, ending = false, port = 8080, phase = 'Running' } = over;
  return {
    metadata: {
      name: `web-${ip}`,
      namespace: 'default',
      uid: `uid-${ip}`,
      labels: { app: 'web', more: 'x' },
      ...(ending ? { deletionTimestamp: '2030-01-01T00:00:00Z' } : {}),
    },
    spec: {
      nodeName: `node-${ip}`,
      containers: [{ name: 'main', ports: [{ name: 'http', containerPort: port }] }],
    },
    status: {
      phase,
      ...(ip === '' ? {} : { podIP: ip }),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
};
const members = (of: Service, ...pods: Pod[]) => membersOf(of, pods) ?? [];
const short = (of: Service, ...pods: Pod[]) =>
  endpointSubsets(members(of, ...pods)).map(
    ({ addresses = [], notReadyAddresses = [], ports = [] }) =>
      `${addresses.map(({ ip }) => ip)} not ${notReadyAddresses.map(({ ip }) => ip)} at ${ports.map(({ name = '', port }) => `${name}:${port}`)}`,
  );

describe('the subsets of a Service', () => {
  test('hold its pods with all that points to them', () => {
    expect(endpointSubsets(members(service(), pod('10.0.0.1')))).toEqual([
      {
        addresses: [
          {
            ip: '10.0.0.1',
            nodeName: 'node-10.0.0.1',
            targetRef: { kind: 'Pod', namespace: 'default', name: 'web-10.0.0.1', uid: 'uid-10.0.0.1' },
          },
        ],
        ports: [{ port: 8080, protocol: 'TCP' }],
      },
    ]);
  });

  test.each<[string, Service, Pod[], string[]]>([
    [
      'tell those that are not ready apart',
      service(),
      [pod('a'), pod('b', { ready: false })],
      ['a not b at :8080'],
    ],
    [
      'unless that does not matter',
      service({ publishNotReadyAddresses: true }),
      [pod('b', { ready: false })],
      ['b not  at :8080'],
    ],
    ['leave out what ends', service(), [pod('a'), pod('b', { ending: true })], ['a not  at :8080']],
    ['and what has ended', service(), [pod('a'), pod('b', { phase: 'Failed' })], ['a not  at :8080']],
    ['and what has no address', service(), [pod(''), pod('a')], ['a not  at :8080']],
    ['and other pods', service({ selector: { app: 'db' } }), [pod('a')], []],
    [
      'are one for each set of ports',
      service(),
      [pod('b', { port: 9 }), pod('a', { port: 8 }), pod('c', { port: 9 })],
      ['a not  at :8', 'b,c not  at :9'],
    ],
    [
      'have ports by number, and names where they have one',
      service({
        ports: [
          { name: 'a', port: 80 },
          { name: 'b', port: 81, targetPort: 1 },
        ],
      }),
      [pod('a')],
      ['a not  at a:80,b:1'],
    ],
    [
      'leave out a pod without the port',
      service({ ports: [{ port: 1, targetPort: 'none' }] }),
      [pod('a')],
      [],
    ],
    [
      'or whose port is of another protocol',
      service({ ports: [{ port: 1, targetPort: 'http', protocol: 'UDP' }] }),
      [pod('a')],
      [],
    ],
    ['need no ports', service({ ports: [] }), [pod('a')], ['a not  at ']],
    ['are in order of their addresses', service(), [pod('c'), pod('a'), pod('b')], ['a,b,c not  at :8080']],
  ])('%s', (_case, of, pods, expected) => {
    expect(short(of, ...pods)).toEqual(expected);
  });

  test.each<[string, Service['spec']]>([
    ['no selector', { selector: {} }],
    ['another name to stand for', { type: 'ExternalName' }],
  ])('are somebody else’s with %s', (_case, spec) => {
    expect(membersOf(service(spec), [pod('a')])).toBeUndefined();
  });

  test('hold a thousand at most', () => {
    const many = Array.from({ length: 1001 }, (_, index) => pod(`10.0.${index >> 8}.${index & 255}`));
    const [subset] = endpointSubsets(members(service(), ...many));
    expect(subset?.addresses).toHaveLength(1000);
  });
});

describe('the slices of a Service', () => {
  const slices = (...pods: Pod[]) =>
    endpointSlices(members(service(), ...pods), (node) => (node === 'node-10.0.0.1' ? 'east' : undefined));

  test('say what each address is good for', () => {
    const made = slices(
      pod('10.0.0.1'),
      pod('10.0.0.2', { ready: false }),
      pod('10.0.0.3', { ending: true }),
    );
    expect(made.map(({ addressType, ports }) => [addressType, ports])).toEqual([
      ['IPv4', [{ name: '', port: 8080, protocol: 'TCP' }]],
    ]);
    expect(
      made[0]?.endpoints.map(({ addresses, conditions, zone }) => [addresses, conditions, zone]),
    ).toEqual([
      [['10.0.0.1'], { ready: true, serving: true, terminating: false }, 'east'],
      [['10.0.0.2'], { ready: false, serving: false, terminating: false }, undefined],
      [['10.0.0.3'], { ready: false, serving: true, terminating: true }, undefined],
    ]);
  });

  test('are of one kind of address each, and of a hundred at most', () => {
    const many = Array.from({ length: 150 }, (_, index) => pod(`10.0.0.${index}`));
    expect(
      slices(...many, pod('fd00::1')).map(({ addressType, endpoints }) => [addressType, endpoints.length]),
    ).toEqual([
      ['IPv4', 100],
      ['IPv4', 50],
      ['IPv6', 1],
    ]);
  });
});
