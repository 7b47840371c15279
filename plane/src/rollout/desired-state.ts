// What one node is told: every DaemonSet with its placement rules and the revision this node may run, what
// operators set on the node, and the pods that somebody deleted.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type DesiredDaemonSet, NodeDesired } from '@fleetset/proto/gen/fleetset/v1/node';
import { type PlacementRules, placementRules } from '@fleetset/scheduler-core/placement';
import { revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import { allowsSurge, updateStrategyOf } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import { operatorLabels, operatorTaints } from '../fleet/compose-node.ts';
import { nodeRecord } from '../fleet/node-record.ts';
import { adoptedBy, orphanedSets } from '../fleet/orphans.ts';
import { tombstonesOf } from '../fleet/tombstones.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';
import type { BodyBook } from './body-book.ts';
import type { StoredRevision } from './daemon-set-pass.ts';
import type { GrantBook } from './grants.ts';

/** Placement rules and templates, made once from each stored object. */
const rulesOf = new WeakMap<object, PlacementRules>();
const templateOf = new WeakMap<object, PodTemplateSpec>();

const remembered = <T extends object>(cache: WeakMap<object, T>, key: object, make: () => T): T => {
  const known = cache.get(key);
  if (known) return known;
  const made = make();
  cache.set(key, made);
  return made;
};

export interface DesiredInputs {
  readonly store: Store;
  readonly bodies: BodyBook;
  readonly grants: GrantBook;
  /** Of a DaemonSet's uid, by hash. */
  readonly revisionsOf: (daemonSetUid: string) => ReadonlyMap<string, StoredRevision>;
}

/** Without its generation: that is given when the content is new. */
export function desiredFor(inputs: DesiredInputs, node: Node): NodeDesired {
  const name = node.metadata?.name ?? '';
  const record = nodeRecord(inputs.store, name);
  const own = { ownLabels: record?.ownLabels ?? {}, ownTaints: record?.ownTaints ?? [] };
  return {
    generation: undefined,
    daemonSets: [...inputs.store.list('apps/daemonsets')]
      .map(({ value }) => value as unknown as DaemonSet & { metadata: KubeObject['metadata'] })
      .filter(({ metadata }) => !metadata.deletionTimestamp)
      .map((daemonSet) => desiredSet(inputs, daemonSet, name))
      .sort((a, b) => (a.uid < b.uid ? -1 : 1)),
    labels: sortedRecord(operatorLabels(node.metadata?.labels ?? {}, own)),
    taints: operatorTaints(node.spec?.taints ?? [], own).map(({ key, value = '', effect }) => ({
      key,
      value,
      effect,
    })),
    tombstones: tombstonesOf(inputs.store, name),
    // Also to a node that is not known to have one: it may know better.
    orphans: orphanedSets(inputs.store)
      .filter(({ adopter }) => !adopter)
      .map(({ uid }) => uid)
      .sort(),
  };
}

const sortedRecord = (record: { readonly [key: string]: string }): { [key: string]: string } =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

function desiredSet(
  { store, bodies, grants, revisionsOf }: DesiredInputs,
  daemonSet: DaemonSet & { readonly metadata: KubeObject['metadata'] },
  nodeName: string,
): DesiredDaemonSet {
  const { uid = '', namespace = '', name = '' } = daemonSet.metadata;
  const spec = daemonSet.spec?.template?.spec ?? { containers: [] };
  const revisionHash = grants.of(uid).get(nodeName);
  const revision = revisionHash === undefined ? undefined : revisionsOf(uid).get(revisionHash);
  const template = revision && remembered(templateOf, revision, () => revisionTemplate(revision));
  return {
    namespace,
    name,
    uid,
    placementHash: bodies.hashOf(remembered(rulesOf, spec, () => placementRules(spec))),
    templateHash: template ? bodies.hashOf(template) : '',
    revision: template ? (revisionHash ?? '') : '',
    minReadySeconds: daemonSet.spec?.minReadySeconds ?? 0,
    // What began as a surge ends as one: more nodes may be on their way than may be down.
    surge: allowsSurge(updateStrategyOf(daemonSet)) || grants.isSurge(uid, nodeName),
    adopts: adoptedBy(store, uid),
  };
}

/** One for all: its buffer has grown to what they need. */
const writer = new BinaryWriter();

export const desiredContent = (desired: NodeDesired): Buffer =>
  Buffer.from(NodeDesired.encode(desired, writer).finish());
