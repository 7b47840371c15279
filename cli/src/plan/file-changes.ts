// What the documents of a file make of the objects that a plan rests on, in the order in which they are applied.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { type ConfigKind, configRefs } from '@fleetset/scheduler-core/node/config-data';
import { wantsConfigRollout } from '@fleetset/scheduler-core/rollout/rollout-wishes';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import type { ConfigMap, Secret } from '@fleetset/scheduler-core/schema/plain';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import { changedFields, type FieldChange } from './changed-fields.ts';

export interface Change<T> {
  /** Its place in the file. */
  readonly at: number;
  /** Absent: it is new. */
  readonly before?: T;
  /** As the plane would store it. */
  readonly after: T;
}

export interface ConfigChange extends Change<ConfigMap | Secret> {
  readonly kind: ConfigKind;
}

export interface FileChanges {
  readonly sets: readonly Change<DaemonSet>[];
  readonly policies: readonly Change<RolloutPolicy>[];
  readonly configs: readonly ConfigChange[];
}

type Named = { readonly metadata?: ObjectMeta };

export const isSame = ({ metadata: a }: Named, { metadata: b }: Named): boolean =>
  a?.namespace === b?.namespace && a?.name === b?.name;

/** As they are when everything before this place in the file has been applied. */
export function policiesAt(
  stored: readonly RolloutPolicy[],
  { policies }: FileChanges,
  at = Number.POSITIVE_INFINITY,
): readonly RolloutPolicy[] {
  const applied = policies.filter((change) => change.at < at).map(({ after }) => after);
  return [...stored.filter((one) => !applied.some((other) => isSame(one, other))), ...applied];
}

const setAt = (set: Change<DaemonSet>, at: number): DaemonSet =>
  set.at < at ? set.after : (set.before ?? set.after);

/** What pods see of it. */
function entriesOf({ data, binaryData }: ConfigMap & Secret) {
  return { ...(data ? { data } : {}), ...(binaryData ? { binaryData } : {}) };
}

export const isChanged = ({ before, after }: ConfigChange): boolean =>
  !before || !sameJson(entriesOf(before), entriesOf(after));

/** Entry by entry; of a Secret without what it holds. */
export function changedEntries({ kind, before, after }: ConfigChange): readonly FieldChange[] {
  const entries = changedFields(undefined, before ? entriesOf(before) : {}, entriesOf(after));
  if (kind === 'ConfigMap') return entries;
  const secret = '(secret)';
  return entries.map(({ path, ...change }) => ({
    path,
    ...('before' in change ? { before: secret } : {}),
    ...('after' in change ? { after: secret } : {}),
  }));
}

/** The changed ConfigMaps and Secrets that its template will name. */
export function configChangesOf({ after: { metadata, spec } }: Change<DaemonSet>, { configs }: FileChanges) {
  const refs = configRefs(spec?.template?.spec ?? { containers: [] });
  return configs.filter(
    (change) =>
      isChanged(change) &&
      change.after.metadata?.namespace === metadata?.namespace &&
      refs.some(({ kind, name }) => kind === change.kind && name === change.after.metadata?.name),
  );
}

/** Those that its revisions follow: the policy asks for it when they are applied, and still does in the end. */
export const rolledOut = (
  set: Change<DaemonSet>,
  stored: readonly RolloutPolicy[],
  file: FileChanges,
): readonly ConfigChange[] =>
  wantsConfigRollout(set.after, policiesAt(stored, file))
    ? configChangesOf(set, file).filter(({ at }) =>
        wantsConfigRollout(setAt(set, at), policiesAt(stored, file, at)),
      )
    : [];
