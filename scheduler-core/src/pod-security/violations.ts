// What of a pod's template a Pod Security Standard forbids, in Kubernetes' words.
import type { PodTemplateSpec } from '../schema/pod.ts';
import { BASELINE } from './baseline.ts';
import type { Control, Violation } from './control.ts';
import type { Standard } from './policy.ts';
import { RESTRICTED } from './restricted.ts';

export function violationsOf(template: PodTemplateSpec, { level, version }: Standard): readonly Violation[] {
  if (level === 'privileged') return [];
  const minor = version === 'latest' ? Number.POSITIVE_INFINITY : version;
  const strict = level === 'restricted' ? RESTRICTED.filter(({ since }) => since <= minor) : [];
  const replaced = new Set(strict.map(({ replaces }) => replaces));
  const controls: readonly Control[] = [...BASELINE.filter((control) => !replaced.has(control)), ...strict];
  return controls.filter(({ since }) => since <= minor).flatMap(({ check }) => check(template, minor) ?? []);
}

/** `host namespaces (hostNetwork=true), privileged (...)`; '' when nothing is forbidden. */
export const formatViolations = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');

/** Without the details, in which pods of different sets differ. */
export const formatReasons = (violations: readonly Violation[]): string =>
  violations.map(({ reason }) => reason).join(', ');
