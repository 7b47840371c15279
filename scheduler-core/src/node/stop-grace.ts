// How long a container has to end (rules 66 and 104).
import type { PodChoice } from './choose-pods.ts';
import { allContainers, type PlannedPod } from './pod-record.ts';

/** Rule 74. */
export const DEFAULT_GRACE_SECONDS = 30;
const LEAST_SECONDS = 2;

interface GraceContext {
  readonly tombstones: ReadonlyMap<string, number | undefined>;
  readonly pods: ReadonlyMap<string, PlannedPod>;
}

/** What the deletion asked for, else the pod's own. */
export function podGrace({ record }: PodChoice, { tombstones, pods }: GraceContext): number {
  const own = pods.get(record.uid)?.template?.spec?.terminationGracePeriodSeconds;
  return tombstones.get(record.uid) ?? own ?? DEFAULT_GRACE_SECONDS;
}

/** The probe's own grace, unless the pod is being deleted. */
export function graceAfterProbe(
  choice: PodChoice,
  context: GraceContext,
  container: string,
  kind: 'startup' | 'liveness',
): number {
  const spec = context.pods.get(choice.record.uid)?.template?.spec;
  const found = spec && allContainers(spec).find(({ name }) => name === container);
  const probe = kind === 'startup' ? found?.startupProbe : found?.livenessProbe;
  if (context.tombstones.has(choice.record.uid)) return podGrace(choice, context);
  return probe?.terminationGracePeriodSeconds ?? podGrace(choice, context);
}

/** What is left for the stop signal when hooks and waiting took their time; whole seconds are counted, as kubelet does. */
export function graceLeft(graceSeconds: number, ...spentMs: readonly number[]): number {
  if (graceSeconds <= 0) return 0;
  const spent = spentMs.reduce((sum, ms) => sum + Math.floor(ms / 1000), 0);
  return Math.max(LEAST_SECONDS, graceSeconds - spent);
}
