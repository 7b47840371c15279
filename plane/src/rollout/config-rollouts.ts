// Which config the revisions of each DaemonSet hold: reads its ConfigMaps and Secrets, decides with scheduler-core, and
// answers with what to write.
import type { ConfigObject } from '@fleetset/proto/gen/fleetset/v1/node';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { configPin, withoutPin } from '@fleetset/scheduler-core/node/config-snapshot';
import { revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import {
  type ConfigDecision,
  decideConfig,
  type PinRecord,
  type Settling,
} from '@fleetset/scheduler-core/rollout/config-rollout';
import { wantsConfigRollout } from '@fleetset/scheduler-core/rollout/rollout-wishes';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';
import type { ConfigSnapshots, Snapshot } from './config-snapshots.ts';
import type { StoredRevision, StoredSet } from './stored-set.ts';
import { configKey, refsOf } from './told-configs.ts';

const PINS = 'fleetset/config-pins';

export interface ConfigRollout {
  readonly decision: ConfigDecision;
  readonly enabled: boolean;
  /** The ConfigMaps and Secrets whose change matters. */
  readonly keys: readonly string[];
  readonly writes: readonly Write[];
  /** What makes the new revision, if nothing but its config does. */
  readonly cause?: string;
}

export interface ConfigRollouts {
  readonly decide: (daemonSet: StoredSet, revisions: readonly StoredRevision[], now: number) => ConfigRollout;
  readonly forget: (daemonSetUid: string) => void;
}

export function createConfigRollouts(store: Store, snapshots: ConfigSnapshots): ConfigRollouts {
  const settling = new Map<string, Settling>();
  const isEnabled = (daemonSet: DaemonSet) =>
    wantsConfigRollout(
      daemonSet,
      [...store.list('fleetset.dev/rolloutpolicies')].map(({ value }) => value as unknown as RolloutPolicy),
    );
  return {
    forget: (uid) => void settling.delete(uid),
    decide: (daemonSet, revisions, now) => {
      const { uid = '', namespace = '' } = daemonSet.metadata;
      const template = daemonSet.spec?.template ?? {};
      const enabled = isEnabled(daemonSet);
      const refs = refsOf(template);
      const live = enabled ? snapshots.take(namespace, refs) : undefined;
      const before = store.get(PINS, uid)?.value as unknown as PinRecord | undefined;
      const waiting = settling.get(uid);
      const covers = (objects: readonly ConfigObject[]) =>
        refs.every(({ kind, name }) => objects.some((one) => one.kind === kind && one.name === name));
      const decision = decideConfig({
        template,
        revisions,
        enabled,
        live: live?.hash,
        isUsable: (hash) => covers(snapshots.find(hash)?.objects ?? []),
        pinned: before,
        settling: waiting,
        now,
      });
      if (decision.settling) settling.set(uid, decision.settling);
      else settling.delete(uid);
      const cause = causeOf(snapshots, decision, revisions, live);
      return {
        decision,
        enabled,
        keys: enabled ? refs.map(({ kind, name }) => configKey({ kind, namespace, name })) : [],
        ...(cause === undefined ? {} : { cause }),
        writes: [
          ...(live && configPin(decision.template) === live.hash ? snapshots.keep(live) : []),
          ...pinWrites(uid, before, decision.pinned),
          ...(decision.spent ? [withoutItsPin(store, daemonSet)] : []),
        ],
      };
    },
  };
}

function pinWrites(uid: string, before: PinRecord | undefined, pinned: PinRecord | undefined): Write[] {
  if (sameJson(before, pinned)) return [];
  return [{ collection: PINS, id: uid, ...(pinned ? { value: { ...pinned } } : {}), durable: true }];
}

export const dropPin = (uid: string): Write => ({ collection: PINS, id: uid, durable: true });

/** What `kubectl rollout undo` put there has had its time: left there, the next undo to it would do nothing. */
function withoutItsPin(store: Store, daemonSet: StoredSet): Write {
  const { metadata, spec } = daemonSet;
  const id = `${metadata.namespace}/${metadata.name}`;
  const version = store.get('apps/daemonsets', id)?.version;
  const value = {
    ...daemonSet,
    metadata: { ...metadata, generation: (metadata.generation ?? 1) + 1 },
    spec: { ...spec, template: withoutPin(spec?.template ?? {}) },
  };
  return {
    collection: 'apps/daemonsets',
    id,
    value: value as unknown as KubeObject,
    ...(version === undefined ? {} : { expect: version }),
    durable: true,
  };
}

/** Undefined when more than its config is new, or nothing is. */
function causeOf(
  snapshots: ConfigSnapshots,
  { template, settling }: ConfigDecision,
  revisions: readonly StoredRevision[],
  live: Snapshot | undefined,
): string | undefined {
  const newest = [...revisions].sort((a, b) => a.revision - b.revision).at(-1);
  if (!newest || settling || !live || configPin(template) !== live.hash) return undefined;
  const last = revisionTemplate(newest);
  if (!sameJson(withoutPin(last), withoutPin(template))) return undefined;
  const before = snapshots.find(configPin(last) ?? '')?.objects;
  const changed = live.body.objects.filter(
    ({ kind, name, hash }) => before?.find((one) => one.kind === kind && one.name === name)?.hash !== hash,
  );
  if (!before || changed.length === 0) return undefined;
  return `${changed.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`).join(', ')} changed`;
}
