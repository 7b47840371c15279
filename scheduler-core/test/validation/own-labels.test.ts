// Which labels a machine may give itself.
import { describe, expect, it } from 'vitest';
import { validateOwnLabels } from '../../src/validation/own-labels.ts';

const problems = (key: string, value = 'a') =>
  validateOwnLabels('labels', { [key]: value }).map(({ field, message }) => `${field}: ${message}`);

describe('labels of its own', () => {
  it.each(['node-restriction.kubernetes.io/zone', 'pci.node-restriction.kubernetes.io/zone'])(
    '%s is for administrators alone',
    (key) =>
      expect(problems(key)).toEqual([
        `labels[${key}]: Forbidden: a node may not give itself labels under node-restriction.kubernetes.io/`,
      ]),
  );

  it.each([
    'node-restriction.kubernetes.io',
    'my-node-restriction.kubernetes.io/zone',
    'node-restriction.kubernetes.io.example.com/zone',
    'example.com/node-restriction.kubernetes.io',
    'zone',
  ])('%s is not', (key) => expect(problems(key)).toEqual([]));

  it('are labels as Kubernetes takes them', () =>
    expect(problems('zone', 'not a value')[0]).toMatch(/^labels: Invalid value: "not a value"/));
});
