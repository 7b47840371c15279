// Proves a pod's quality of service and what the kernel is told of it (rules 109 and 110).
import { oomScoreAdjust, qosClass } from '@fleetset/scheduler-core/node/qos-class';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { describe, expect, test } from 'vitest';

/** "cpu 1 memory 1Gi" */
const amounts = (text: string) => {
  const words = text.split(' ').filter(Boolean);
  return Object.fromEntries(
    words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? '']] : [])),
  );
};
const container = (limits: string, requests?: string): Container => ({
  name: 'c',
  resources: { limits: amounts(limits), ...(requests === undefined ? {} : { requests: amounts(requests) }) },
});
const FULL = container('cpu 1 memory 1Gi');

describe('rule 109', () => {
  test.each<[string, Container[], string]>([
    ['nothing set is BestEffort', [{ name: 'c' }], 'BestEffort'],
    ['zeros are nothing', [container('cpu 0', 'memory 0')], 'BestEffort'],
    ['what is neither cpu nor memory does not count', [container('nvidia.com/gpu 1')], 'BestEffort'],
    ['both limits, requests left to them (rule 76), are Guaranteed', [FULL], 'Guaranteed'],
    [
      'equal amounts written differently are equal',
      [container('cpu 1 memory 1Gi', 'cpu 1000m memory 1024Mi')],
      'Guaranteed',
    ],
    ['a request below the limit is Burstable', [container('cpu 1 memory 1Gi', 'cpu 500m')], 'Burstable'],
    ['a request of zero beside a limit is Burstable', [container('cpu 1 memory 1Gi', 'cpu 0')], 'Burstable'],
    ['a limit that is missing is Burstable', [container('memory 1Gi')], 'Burstable'],
    ['a limit of zero is missing', [container('cpu 0 memory 1Gi', 'memory 1Gi')], 'Burstable'],
    ['requests alone are Burstable', [container('', 'cpu 1 memory 1Gi')], 'Burstable'],
    ['every container must be full', [FULL, { name: 'other' }], 'Burstable'],
  ])('%s', (_sentence, containers, qos) => {
    expect(qosClass({ containers })).toBe(qos);
  });
  test('init containers count', () => {
    expect(qosClass({ containers: [FULL], initContainers: [{ name: 'init' }] })).toBe('Burstable');
    expect(qosClass({ containers: [{ name: 'c' }], initContainers: [FULL] })).toBe('Burstable');
    expect(qosClass({ containers: [FULL], initContainers: [FULL] })).toBe('Guaranteed');
  });
});

describe('rule 110: on a machine of 4 GiB', () => {
  const GIB = 1024 ** 3;
  const score = (one: Container, others: Container[] = [], priorityClassName?: string) =>
    oomScoreAdjust(
      { containers: [one, ...others], ...(priorityClassName === undefined ? {} : { priorityClassName }) },
      one,
      4 * GIB,
    );
  test.each<[string, number, number]>([
    ['Guaranteed is spared', score(FULL), -997],
    ['node-critical is spared whatever it asks', score({ name: 'c' }, [], 'system-node-critical'), -997],
    ['cluster-critical is not', score({ name: 'c' }, [], 'system-cluster-critical'), 1000],
    ['BestEffort goes first', score({ name: 'c' }), 1000],
    ['a quarter requested is a quarter off', score(container('', 'memory 1Gi')), 750],
    ['the limit stands in for the request', score(container('memory 1Gi')), 750],
    ['all requested stays above the machine itself', score(container('', 'memory 4Gi')), 3],
    ['more than all as well', score(container('', 'memory 40Gi')), 3],
    ['nothing requested in a Burstable pod is below BestEffort', score(container('', 'cpu 1')), 999],
    [
      'a container of a Burstable pod counts its own memory',
      score({ name: 'a' }, [container('', 'memory 1Gi')]),
      999,
    ],
  ])('%s', (_sentence, actual, expected) => {
    expect(actual).toBe(expected);
  });
});

test('rule 110: a sidecar is spared at least as well as the main container that is spared least', () => {
  const GIB = 1024 ** 3;
  const sidecar = (requests: string): Container => ({
    ...container('', requests),
    name: 'car',
    restartPolicy: 'Always',
  });
  const score = (car: Container, ...mains: Container[]) =>
    oomScoreAdjust({ initContainers: [car], containers: mains }, car, 4 * GIB);
  const half = container('', 'memory 2Gi');
  const quarter = { ...container('', 'memory 1Gi'), name: 'd' };
  expect(score(sidecar('cpu 1'), half, quarter)).toBe(750);
  expect(score(sidecar('memory 3Gi'), half, quarter)).toBe(250);
  expect(score(sidecar('cpu 1'), half, { name: 'd' })).toBe(999);
  const plain = { ...sidecar('cpu 1'), restartPolicy: undefined } as unknown as Container;
  expect(score(plain, half)).toBe(999);
});
