// A container's labels are the whole identity of its pod: what is written is what is read.
import { expect, it } from 'vitest';
import { identityOf, labelsOf } from '../../src/runtime/container-labels.ts';
import type { ContainerIdentity } from '../../src/runtime/container-runtime.ts';

const pod: ContainerIdentity['pod'] = {
  uid: 'uid-1',
  name: 'web-abcde',
  namespace: 'default',
  daemonSetUid: 'uid-of-web',
  daemonSetName: 'web',
  revision: 'web-1',
  templateHash: 'a'.repeat(64),
  createdAt: '2030-01-01T00:00:00Z',
};

it.each<[string, ContainerIdentity]>([
  ['a container', { pod, name: 'app', attempt: 0 }],
  ['one of a pod with a holder', { pod, name: 'app', attempt: 2, holderAttempt: 1 }],
  [
    'one of a pod with its account',
    { pod: { ...pod, accountVolume: 'kube-api-access-abcde' }, name: 'app', attempt: 0 },
  ],
  ['one of a pod with pull secrets', { pod: { ...pod, pullSecrets: ['a', 'b.c'] }, name: 'app', attempt: 0 }],
  ['a holder', { pod, name: '', attempt: 3 }],
])('%s is known again by its labels', (_case, identity) => {
  expect(identityOf(labelsOf(identity, 'owner'))).toEqual(identity);
});
