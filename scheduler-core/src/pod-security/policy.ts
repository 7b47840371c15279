// The Pod Security Standard that a namespace asks for with its labels, for each of the three modes.
import { type FieldError, invalid } from '../validation/field-error.ts';

export const SECURITY_LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type SecurityLevel = (typeof SECURITY_LEVELS)[number];

export const SECURITY_MODES = ['enforce', 'audit', 'warn'] as const;
export type SecurityMode = (typeof SECURITY_MODES)[number];

export interface Standard {
  readonly level: SecurityLevel;
  /** The minor number of Kubernetes 1, or the newest that is known. */
  readonly version: number | 'latest';
}

export type SecurityPolicy = { readonly [mode in SecurityMode]: Standard };

export const PREFIX = 'pod-security.kubernetes.io/';
const OPEN: Standard = { level: 'privileged', version: 'latest' };
const VERSION = /^v1\.([0-9]|[1-9][0-9]*)$/;

export const formatStandard = ({ level, version }: Standard): string =>
  `${level}:${version === 'latest' ? version : `v1.${version}`}`;

/** -1, 0 or 1, as the first is laxer, the same or stricter. */
export const compareLevels = (a: SecurityLevel, b: SecurityLevel): number =>
  Math.sign(SECURITY_LEVELS.indexOf(a) - SECURITY_LEVELS.indexOf(b));

type Labels = { readonly [label: string]: string };

/** What cannot be read counts as the strictest where it is enforced, and for nothing where it is only told. */
export function policyOf(labels: Labels): SecurityPolicy {
  const enforce = standardOf(labels, 'enforce', 'restricted');
  const warn = standardOf(labels, 'warn', 'privileged');
  const follows =
    labels[`${PREFIX}warn`] === undefined &&
    isLevel(labels[`${PREFIX}enforce`]) &&
    compareLevels(enforce.level, warn.level) > 0;
  const version = labels[`${PREFIX}warn-version`] === undefined ? enforce.version : warn.version;
  return {
    enforce,
    audit: standardOf(labels, 'audit', 'privileged'),
    warn: follows ? { level: enforce.level, version } : warn,
  };
}

const isLevel = (text: string | undefined): text is SecurityLevel =>
  (SECURITY_LEVELS as readonly (string | undefined)[]).includes(text);

function standardOf(labels: Labels, mode: SecurityMode, otherwise: SecurityLevel): Standard {
  const level = labels[`${PREFIX}${mode}`];
  const minor = VERSION.exec(labels[`${PREFIX}${mode}-version`] ?? '')?.[1];
  return {
    level: level === undefined ? OPEN.level : isLevel(level) ? level : otherwise,
    version: minor === undefined ? 'latest' : Number(minor),
  };
}

export function validateSecurityLabels(labels: Labels): FieldError[] {
  return SECURITY_MODES.flatMap((mode) => {
    const [level, version] = [labels[`${PREFIX}${mode}`], labels[`${PREFIX}${mode}-version`]];
    const at = (label: string) => `metadata.labels[${PREFIX}${label}]`;
    return [
      ...(level === undefined || isLevel(level)
        ? []
        : [invalid(at(mode), level, `must be one of ${SECURITY_LEVELS.join(', ')}`)]),
      ...(version === undefined || version === 'latest' || VERSION.test(version)
        ? []
        : [invalid(at(`${mode}-version`), version, 'must be "latest" or "v1.x"')]),
    ];
  });
}
