// What the node was told, resolved: rules and templates in place of their hashes.

import type { NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import type { NodeDaemonSet, PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import { type GivenByAccount, withAccount } from '@fleetset/scheduler-core/node/service-account';
import type { PlacementRules } from '@fleetset/scheduler-core/placement';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { BodyFiles } from '../state/body-files.ts';
import type { KnownPod } from '../state/pod-book.ts';
import { snapshotBodies } from './pod-config.ts';

export interface ResolvedDesired {
  readonly daemonSets: readonly NodeDaemonSet[];
  readonly minReadyMs: ReadonlyMap<string, number>;
  readonly labels: { readonly [key: string]: string };
  readonly taints: readonly Taint[];
  readonly tombstones: ReadonlyMap<string, number | undefined>;
  /** DaemonSets that were deleted without their pods. */
  readonly orphans: ReadonlySet<string>;
}

/** Hashes that a desired state names. */
export function bodiesOf({ daemonSets, configs }: NodeDesired): ReadonlySet<string> {
  const hashes = [
    ...daemonSets.flatMap(({ placementHash, templateHash, config }) => [
      placementHash,
      templateHash,
      ...(config ? [config.hash, ...config.bodies] : []),
    ]),
    ...configs.map(({ hash }) => hash),
  ];
  return new Set(hashes.filter((hash) => hash !== ''));
}

/** A DaemonSet whose rules are not here is left as it is: neither run nor stopped. See `unresolved`. */
export function resolveDesired(desired: NodeDesired, bodies: BodyFiles): ResolvedDesired {
  const known = desired.daemonSets.filter(({ placementHash }) => bodies.get(placementHash) !== undefined);
  return {
    daemonSets: known.map((daemonSet) => ({
      uid: daemonSet.uid,
      namespace: daemonSet.namespace,
      name: daemonSet.name,
      rules: bodies.get(daemonSet.placementHash) as PlacementRules,
      ...(daemonSet.surge ? { surge: true } : {}),
      ...(daemonSet.templateHash !== '' && bodies.get(daemonSet.templateHash)
        ? {
            granted: {
              revision: daemonSet.revision,
              templateHash: daemonSet.templateHash,
              ...(daemonSet.config ? { config: daemonSet.config.hash } : {}),
              ...(daemonSet.account ? { account: daemonSet.account } : {}),
            },
          }
        : {}),
    })),
    minReadyMs: new Map(desired.daemonSets.map(({ uid, minReadySeconds }) => [uid, minReadySeconds * 1000])),
    labels: desired.labels,
    taints: desired.taints.map(({ key, value, effect }) => ({ key, effect, ...(value ? { value } : {}) })),
    tombstones: new Map(desired.tombstones.map(({ podUid, graceSeconds }) => [podUid, graceSeconds])),
    orphans: new Set(desired.orphans),
  };
}

/** DaemonSets that were told but cannot be judged: their pods must not be touched. */
export const unresolvedSets = (desired: NodeDesired, bodies: BodyFiles): ReadonlySet<string> =>
  new Set(desired.daemonSets.filter(({ placementHash }) => !bodies.get(placementHash)).map(({ uid }) => uid));

/** By what was added. */
const asBorn = new WeakMap<PodTemplateSpec, Map<string, PodTemplateSpec>>();

/** What a pod was born from, with what was added then. */
export function templateOf(
  bodies: BodyFiles,
  { templateHash, accountVolume, pullSecrets }: Pick<PodRecord, 'templateHash' | keyof GivenByAccount>,
): PodTemplateSpec | undefined {
  const template = bodies.get(templateHash) as PodTemplateSpec | undefined;
  if (!template || (accountVolume === undefined && pullSecrets === undefined)) return template;
  const made = asBorn.get(template) ?? new Map<string, PodTemplateSpec>();
  asBorn.set(template, made);
  const given = [accountVolume, ...(pullSecrets ?? [])].join(' ');
  const known = made.get(given);
  if (known) return known;
  const whole = withAccount(template, { accountVolume, pullSecrets });
  made.set(given, whole);
  return whole;
}

/** What a pod needs as long as it is there, whatever is told later. */
export const bodiesOfPod = (bodies: BodyFiles, { record, config }: KnownPod): readonly string[] => [
  record.templateHash,
  ...(config === undefined ? [] : snapshotBodies(bodies, config)),
];

/** The snapshot of each pod of a revision that is granted now; undefined for those that follow what is told. */
export function snapshotsOf(
  desired: NodeDesired,
  pods: readonly KnownPod[],
): ReadonlyMap<string, string | undefined> {
  const sets = new Map(desired.daemonSets.map((set) => [set.uid, set]));
  return new Map(
    pods.flatMap(({ record }): [string, string | undefined][] => {
      const set = sets.get(record.daemonSetUid);
      const granted = set?.revision === record.revision && set.templateHash === record.templateHash;
      return granted ? [[record.uid, set.config?.hash]] : [];
    }),
  );
}
