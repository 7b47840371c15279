// Pods and containers to test with.
import { randomUUID } from 'node:crypto';
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { ContainerSettings } from '../src/runtime/container-runtime.ts';
import { OBEYS, type Program } from './test-programs.ts';

export const TEST_IMAGE = 'fleetset-test/busybox:1';

/** An owner that nobody else has: what a test makes is found and removed by it. */
export const uniqueOwner = (): string => `test-${randomUUID()}/node`;

export function podRecord(over: Partial<PodRecord> = {}): PodRecord {
  const name = over.daemonSetName ?? 'web';
  return {
    uid: randomUUID(),
    name: `${name}-abcde`,
    namespace: 'default',
    daemonSetUid: `uid-of-${name}`,
    daemonSetName: name,
    revision: `${name}-1`,
    templateHash: 'a'.repeat(64),
    createdAt: '2024-05-06T07:08:09Z',
    ...over,
  };
}

/** A container of its own pod, on the host's network, that runs until it is asked to end. */
export function settings(
  program: Program = OBEYS,
  over: Partial<ContainerSettings> = {},
  pod: PodRecord = podRecord(),
): ContainerSettings {
  const identity = over.identity ?? { pod, name: 'app', attempt: 0 };
  const [first = '', ...rest] = program.command;
  return {
    name: `fleetset-test_${identity.name}_${identity.pod.uid}_${identity.attempt}_${randomUUID().slice(0, 8)}`,
    identity,
    image: TEST_IMAGE,
    entrypoint: [first],
    args: rest,
    env: [],
    network: 'host',
    mounts: [],
    ports: [],
    ...over,
  };
}
