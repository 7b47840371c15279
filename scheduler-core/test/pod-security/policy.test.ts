// Which Pod Security Standard the labels of a namespace ask for.
import { describe, expect, it } from 'vitest';
import { formatStandard, policyOf, validateSecurityLabels } from '../../src/pod-security/policy.ts';

const labels = (given: { [label: string]: string }) =>
  Object.fromEntries(
    Object.entries(given).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]),
  );
const shown = (given: { [label: string]: string }) => {
  const { enforce, audit, warn } = policyOf(labels(given));
  return [enforce, audit, warn].map(formatStandard);
};
const OPEN = 'privileged:latest';

describe('labels', () => {
  it.each<[string, { [label: string]: string }, [string, string, string]]>([
    ['that are absent leave all open', {}, [OPEN, OPEN, OPEN]],
    [
      'name each mode',
      { enforce: 'baseline', audit: 'restricted', warn: 'restricted' },
      ['baseline:latest', 'restricted:latest', 'restricted:latest'],
    ],
    [
      'name a version',
      { enforce: 'baseline', 'enforce-version': 'v1.29', warn: 'baseline', 'warn-version': 'latest' },
      ['baseline:v1.29', OPEN, 'baseline:latest'],
    ],
    [
      'that enforce warn as well',
      { enforce: 'restricted', 'enforce-version': 'v1.30' },
      ['restricted:v1.30', OPEN, 'restricted:v1.30'],
    ],
    [
      'with a version to warn by keep that',
      { enforce: 'restricted', 'enforce-version': 'v1.30', 'warn-version': 'v1.31' },
      ['restricted:v1.30', OPEN, 'restricted:v1.31'],
    ],
    [
      'that warn of less do so',
      { enforce: 'restricted', warn: 'baseline' },
      ['restricted:latest', OPEN, 'baseline:latest'],
    ],
    [
      'that cannot be read enforce the strictest and tell nothing',
      { enforce: 'Baseline', audit: 'x', warn: 'y', 'enforce-version': '1.2' },
      ['restricted:latest', OPEN, OPEN],
    ],
  ])('%s', (_, given, standards) => {
    expect(shown(given)).toEqual(standards);
  });

  it('with other values are refused by their names', () => {
    const errors = validateSecurityLabels(
      labels({ enforce: 'strict', 'audit-version': 'v1.01', 'warn-version': 'v2.0', warn: '' }),
    );
    expect(errors.map(({ field, message }) => `${field}: ${message}`)).toEqual([
      'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
      'metadata.labels[pod-security.kubernetes.io/audit-version]: Invalid value: "v1.01": must be "latest" or "v1.x"',
      'metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: "": must be one of privileged, baseline, restricted',
      'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "v2.0": must be "latest" or "v1.x"',
    ]);
    expect(validateSecurityLabels(labels({ enforce: 'baseline', 'enforce-version': 'v1.0' }))).toEqual([]);
  });
});
