// Pod Security Standards by the labels of a namespace: which pods must not be made in it, and who is told what.
import {
  compareLevels,
  formatStandard,
  PREFIX,
  policyOf,
  type SecurityPolicy,
  type Standard,
} from '@fleetset/scheduler-core/pod-security/policy';
import {
  formatReasons,
  formatViolations,
  violationsOf,
} from '@fleetset/scheduler-core/pod-security/violations';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Pod, PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { KubeObject } from '../kinds/kind.ts';
import { remembered } from '../rollout/remembered.ts';
import { type StoredRevision, templateOf } from '../rollout/stored-set.ts';
import type { Store } from '../store/store.ts';

/** What is said of a write that is let through. */
export interface Remarks {
  readonly warnings: readonly string[];
  /** For the audit log. */
  readonly annotations: { readonly [key: string]: string };
}

const policies = new WeakMap<object, SecurityPolicy>();
const found = new WeakMap<object, Map<string, string>>();

/** Made once of each namespace as it is stored. */
function policyIn(store: Store, namespace: string): SecurityPolicy {
  const object = store.get('core/namespaces', namespace)?.value as unknown as KubeObject | undefined;
  return object ? remembered(policies, object, () => policyOf(object.metadata.labels ?? {})) : policyOf({});
}

/** '' when the standard allows it. Looked at once for each template that is stored and each standard. */
function violations(template: PodTemplateSpec, standard: Standard): string {
  if (standard.level === 'privileged') return '';
  const known = remembered(found, template, () => new Map<string, string>());
  const name = formatStandard(standard);
  const before = known.get(name);
  if (before !== undefined) return before;
  const text = formatViolations(violationsOf(template, standard));
  known.set(name, text);
  return text;
}

/** Why no pod may be made of it in that namespace; undefined when one may. */
export function podRefusal(store: Store, namespace: string, template: PodTemplateSpec): string | undefined {
  const { enforce } = policyIn(store, namespace);
  const text = violations(template, enforce);
  return text === '' ? undefined : `violates PodSecurity "${formatStandard(enforce)}": ${text}`;
}

/** Of the pods of one revision of a DaemonSet; of its template when there is none of that hash. */
export function revisionRefusal(
  store: Store,
  { metadata, spec }: DaemonSet,
  hash: string | undefined,
): string | undefined {
  const { namespace = '', name = '' } = metadata ?? {};
  const id = `${namespace}/${name}-${hash}`;
  const stored = store.get('apps/controllerrevisions', id)?.value as unknown as StoredRevision | undefined;
  return podRefusal(store, namespace, stored ? templateOf(stored) : (spec?.template ?? {}));
}

/** A DaemonSet itself is let in, as in Kubernetes: what is enforced counts for its pods. */
export function remarksOnSet(store: Store, { metadata, spec }: DaemonSet): Remarks {
  const { warn, audit } = policyIn(store, metadata?.namespace ?? '');
  const template = spec?.template ?? {};
  const wouldViolate = (standard: Standard): string | undefined => {
    const text = violations(template, standard);
    return text === '' ? undefined : `would violate PodSecurity "${formatStandard(standard)}": ${text}`;
  };
  const [warning, noted] = [wouldViolate(warn), wouldViolate(audit)];
  return {
    warnings: warning === undefined ? [] : [warning],
    annotations: noted === undefined ? {} : { [`${PREFIX}audit-violations`]: noted },
  };
}

/** Pods that are there already stay; who makes the namespace stricter is told which they are. */
export function remarksOnNamespace(store: Store, object: KubeObject, old: KubeObject | undefined): Remarks {
  const { enforce } = policyOf(object.metadata.labels ?? {});
  const before = policyOf(old?.metadata.labels ?? {}).enforce;
  const isStricter =
    enforce.level !== 'privileged' &&
    (enforce.version !== before.version
      ? formatStandard(enforce) !== formatStandard(before)
      : compareLevels(enforce.level, before.level) > 0);
  if (!old || !isStricter) return { warnings: [], annotations: {} };
  const { name = '' } = object.metadata;
  const found = violatingPods(store, name, enforce);
  const head = `existing pods in namespace "${name}" violate the new PodSecurity enforce level "${formatStandard(enforce)}"`;
  return { warnings: found.length > 0 ? [head, ...found] : [], annotations: {} };
}

/** Those that violate the same are one line. */
function violatingPods(store: Store, namespace: string, standard: Standard): string[] {
  const byReason = new Map<string, string[]>();
  for (const { value } of store.list('core/pods')) {
    const { metadata, spec } = value as unknown as Pod;
    if (metadata?.namespace !== namespace || !spec) continue;
    const reasons = formatReasons(violationsOf({ metadata, spec }, standard));
    if (reasons !== '') byReason.set(reasons, [...(byReason.get(reasons) ?? []), metadata.name ?? '']);
  }
  return [...byReason].map(([reasons, names]) => `${named(names)}: ${reasons}`).sort();
}

function named(names: readonly string[]): string {
  const [first = '', ...others] = [...names].sort();
  if (others.length === 0) return first;
  return `${first} (and ${others.length} other pod${others.length > 1 ? 's' : ''})`;
}
