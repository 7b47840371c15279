// Taints and tolerations, with the tolerations every daemon pod gets by itself (rules 3, 4, 7, 9).
import type { Taint, Toleration } from './schema/scheduling.ts';

export const UNREACHABLE = 'node.kubernetes.io/unreachable';
export const NOT_READY = 'node.kubernetes.io/not-ready';
export const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

const automatic = (key: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect,
});

const ALWAYS: readonly Toleration[] = [
  automatic('not-ready', 'NoExecute'),
  automatic('unreachable', 'NoExecute'),
  automatic('disk-pressure', 'NoSchedule'),
  automatic('memory-pressure', 'NoSchedule'),
  automatic('pid-pressure', 'NoSchedule'),
  automatic('unschedulable', 'NoSchedule'),
];
const HOST_NETWORK: readonly Toleration[] = [automatic('network-unavailable', 'NoSchedule')];

/** The template's tolerations and the automatic ones; one of a user's that is the same but for
 *  tolerationSeconds is replaced, in its place. */
export function daemonTolerations(
  own: readonly Toleration[] | undefined,
  hostNetwork: boolean,
): readonly Toleration[] {
  const result = [...(own ?? [])];
  for (const toleration of hostNetwork ? [...ALWAYS, ...HOST_NETWORK] : ALWAYS) {
    const index = result.findIndex((other) => sameButSeconds(other, toleration));
    if (index < 0) result.push(toleration);
    else result[index] = toleration;
  }
  return result;
}

const sameButSeconds = (a: Toleration, b: Toleration): boolean =>
  (a.key ?? '') === (b.key ?? '') &&
  (a.operator ?? '') === (b.operator ?? '') &&
  (a.value ?? '') === (b.value ?? '') &&
  (a.effect ?? '') === (b.effect ?? '');

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  const operator = toleration.operator || 'Equal';
  if (operator === 'Exists') return true;
  return operator === 'Equal' && (toleration.value ?? '') === (taint.value ?? '');
}

/** The taints of this effect that no toleration covers. */
export function untolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
  effect: 'NoSchedule' | 'NoExecute',
): Taint[] {
  return taints.filter(
    (taint) => taint.effect === effect && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}

/** As kubectl writes it: key=value:Effect. */
export const formatTaint = ({ key, value, effect }: Taint): string =>
  value ? `${key}=${value}:${effect}` : `${key}:${effect}`;

export const sameTaint = (a: Taint, b: Taint): boolean =>
  a.key === b.key && a.effect === b.effect && (a.value ?? '') === (b.value ?? '');
