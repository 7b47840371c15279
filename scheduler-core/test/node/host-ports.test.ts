// Proves which ports of the node a template claims.
import { hostPorts } from '@fleetset/scheduler-core/node/host-ports';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { expect, test } from 'vitest';

test.each<[string, PodSpec, readonly string[]]>([
  ['none, when it says nothing', { containers: [{ name: 'a' }] }, []],
  ['host ports', { containers: [{ name: 'a', ports: [{ containerPort: 80, hostPort: 81 }] }] }, ['TCP/81']],
  [
    "on the node's network every port",
    { hostNetwork: true, containers: [{ name: 'a', ports: [{ containerPort: 53, protocol: 'UDP' }] }] },
    ['UDP/53'],
  ],
  ['not on its own', { containers: [{ name: 'a', ports: [{ containerPort: 80 }] }] }, []],
  [
    "on the node's network also those at which it is asked how it is",
    {
      hostNetwork: true,
      containers: [
        {
          name: 'a',
          readinessProbe: { httpGet: { port: 80 } },
          livenessProbe: { tcpSocket: { port: '81' } },
        },
        {
          name: 'b',
          startupProbe: { httpGet: { port: 'web' } },
          ports: [{ name: 'web', containerPort: 82 }],
        },
      ],
    },
    ['TCP/81', 'TCP/80', 'TCP/82'],
  ],
  [
    'not on its own network',
    { containers: [{ name: 'a', readinessProbe: { tcpSocket: { port: 80 } } }] },
    [],
  ],
])('%s', (_what, spec, expected) => {
  expect([...hostPorts({ spec })]).toEqual(expected);
});
