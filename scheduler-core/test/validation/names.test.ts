// Proves Kubernetes' rules for names, label keys and values, and port names, each with its message.
import {
  dnsLabelProblem,
  dnsSubdomainProblem,
  labelValueProblem,
  portNameProblem,
  qualifiedNameProblem,
} from '@fleetset/scheduler-core/validation/names';
import { describe, expect, test } from 'vitest';

const LONG = 'a'.repeat(64);

type Rule = (value: string) => string | undefined;
function table(
  name: string,
  rule: Rule,
  good: readonly string[],
  bad: readonly (readonly [string, string])[],
) {
  describe(name, () => {
    test.each(good)('%j is right', (value) => {
      expect(rule(value)).toBeUndefined();
    });
    test.each(bad)('%j: %s', (value, start) => {
      expect(rule(value)).toMatch(new RegExp(`^${start.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`));
    });
  });
}

const LABEL = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'";
table(
  'a DNS label',
  dnsLabelProblem,
  ['a', '0', 'a-b', '123-abc', 'a'.repeat(63)],
  [
    ['', LABEL],
    ['A', LABEL],
    ['a_b', LABEL],
    ['-a', LABEL],
    ['a-', LABEL],
    ['a\n', LABEL],
    ['a.b', 'must not contain dots'],
    [LONG, 'must be no more than 63 characters'],
  ],
);

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'";
table(
  'a DNS subdomain',
  dnsSubdomainProblem,
  ['a', 'a.b', 'a-b.0', LONG],
  [
    ['', SUBDOMAIN],
    ['a..b', SUBDOMAIN],
    ['.a', SUBDOMAIN],
    ['a.', SUBDOMAIN],
    ['a.-b', SUBDOMAIN],
    ['A.b', SUBDOMAIN],
    ['a'.repeat(254), 'must be no more than 253 characters'],
  ],
);

const NAME = "name part must consist of alphanumeric characters, '-', '_' or '.'";
table(
  'a label or annotation key',
  qualifiedNameProblem,
  ['a', 'A_b.c-D', 'example.com/a', 'x/y', '1', 'a'.repeat(63)],
  [
    ['', 'name part must be non-empty'],
    ['a/', 'name part must be non-empty'],
    ['/a', 'prefix part must be non-empty'],
    ['A.com/a', `prefix part ${SUBDOMAIN}`],
    ['a/b/c', "a qualified name must consist of alphanumeric characters, '-', '_' or '.'"],
    ['a b', NAME],
    ['-a', NAME],
    ['a_', NAME],
    ['é', NAME],
    [LONG, 'name part must be no more than 63 characters'],
  ],
);

const VALUE = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'";
table(
  'a label value',
  labelValueProblem,
  ['', 'a', 'A_b.c-D', '12345', 'a'.repeat(63)],
  [
    ['-5', VALUE],
    ['a/b', VALUE],
    ['a b', VALUE],
    ['a\n', VALUE],
    [LONG, 'must be no more than 63 characters'],
  ],
);

table(
  'the name of a port',
  portNameProblem,
  ['http', 'a', 'a-b', '8080-tcp', 'a'.repeat(15)],
  [
    ['a'.repeat(16), 'must be no more than 15 characters'],
    ['HTTP', 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'],
    ['a_b', 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'],
    ['', 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'],
    ['8080', 'must contain at least one letter (a-z)'],
    ['a--b', 'must not contain consecutive hyphens'],
    ['-a', 'must not begin or end with a hyphen'],
    ['a-', 'must not begin or end with a hyphen'],
  ],
);
