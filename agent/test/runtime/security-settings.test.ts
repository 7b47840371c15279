// The security context as Docker is told of it: also what no machine of a test may run.
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { expect, it } from 'vitest';
import { securityOptions } from '../../src/runtime/engine-options.ts';
import { securitySettings } from '../../src/runtime/security-settings.ts';
import { podRecord, settings } from '../pods.ts';

type Pod = PodSpec['securityContext'];
type Own = Container['securityContext'];

const optionsOf = (pod: Pod, own: Own, more: object = {}) => {
  const container = { name: 'app', ...(own ? { securityContext: own } : {}) };
  const spec = { containers: [container], ...(pod ? { securityContext: pod } : {}) };
  const input = { pod: podRecord(), spec, attempt: 0, nodeMemoryBytes: 1, minOomScoreAdjust: 0, ...more };
  return securityOptions({ ...settings(), ...securitySettings(input, container) });
};
const LOCAL = { type: 'Localhost', localhostProfile: 'mine' };

it.each<[string, Pod, Own, object]>([
  ['nothing asked is the engine as it is', undefined, undefined, {}],
  ['privileged', undefined, { privileged: true }, { Privileged: true }],
  ['no escalation', undefined, { allowPrivilegeEscalation: false }, { SecurityOpt: ['no-new-privileges'] }],
  ['escalation is allowed anyway', undefined, { allowPrivilegeEscalation: true }, {}],
  ['a read-only root', undefined, { readOnlyRootFilesystem: true }, { ReadonlyRootfs: true }],
  ['all capabilities', undefined, { capabilities: { add: ['all'] } }, { CapAdd: ['ALL'] }],
  [
    'capabilities with their prefix or without; what is dropped is not added',
    undefined,
    { capabilities: { add: ['CAP_NET_ADMIN', 'net_raw', 'NET_ADMIN'], drop: ['NET_RAW', 'CAP_MKNOD'] } },
    { CapAdd: ['NET_ADMIN'], CapDrop: ['NET_RAW', 'MKNOD'] },
  ],
  ['groups once each', { supplementalGroups: [5, 6, 5] }, undefined, { GroupAdd: ['5', '6'] }],
  [
    'no system calls filtered',
    { seccompProfile: { type: 'Unconfined' } },
    undefined,
    { SecurityOpt: ['seccomp=unconfined'] },
  ],
  [
    "the container's profile wins over the pod's",
    { seccompProfile: { type: 'Unconfined' } },
    { seccompProfile: { type: 'RuntimeDefault' } },
    {},
  ],
  ['a profile of the machine', undefined, { seccompProfile: LOCAL }, { SecurityOpt: ['seccomp={"a":1}'] }],
  ['AppArmor: one by name', { appArmorProfile: LOCAL }, undefined, { SecurityOpt: ['apparmor=mine'] }],
  [
    'AppArmor: none',
    { appArmorProfile: LOCAL },
    { appArmorProfile: { type: 'Unconfined' } },
    { SecurityOpt: ['apparmor=unconfined'] },
  ],
  ['AppArmor: the usual', { appArmorProfile: { type: 'RuntimeDefault' } }, undefined, {}],
  [
    "SELinux: the container's options as a whole instead of the pod's",
    { seLinuxOptions: { level: 's0:c1', user: 'u' } },
    { seLinuxOptions: { type: 't', role: '' } },
    { SecurityOpt: ['label=type:t'] },
  ],
  [
    'SELinux of the pod',
    { seLinuxOptions: { level: 's0:c1,c2', role: 'r' } },
    undefined,
    { SecurityOpt: ['label=role:r', 'label=level:s0:c1,c2'] },
  ],
  ['all of /proc', undefined, { procMount: 'Unmasked' }, { MaskedPaths: [], ReadonlyPaths: [] }],
  ['as much of /proc as usual', undefined, { procMount: 'Default' }, {}],
])('%s', (_what, pod, own, expected) => {
  const found = optionsOf(pod, own, { seccompProfile: '{"a":1}' });
  const sorted = (options: object) => ({
    ...options,
    ...('SecurityOpt' in options ? { SecurityOpt: [...(options.SecurityOpt as string[])].sort() } : {}),
  });
  expect(sorted(found)).toEqual(sorted(expected));
});

it('devices by the annotation of the template', () => {
  const annotations = { 'fleetset.dev/devices': '/dev/fuse, /dev/sda:/dev/disk:r' };
  expect(optionsOf(undefined, undefined, { annotations })).toEqual({
    Devices: [
      { PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' },
      { PathOnHost: '/dev/sda', PathInContainer: '/dev/disk', CgroupPermissions: 'r' },
    ],
  });
});
