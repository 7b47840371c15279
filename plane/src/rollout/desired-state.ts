// What one node is told: every DaemonSet with its placement rules and the revision this node may run, the ConfigMaps
// and Secrets that its pods name, what operators set on the node, and the pods that somebody deleted.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import {
  type ApiEndpoint,
  type ConfigObject,
  type DesiredDaemonSet,
  NodeDesired,
  type PodReport,
} from '@fleetset/proto/gen/fleetset/v1/node';
import type { ConfigRef } from '@fleetset/scheduler-core/node/config-data';
import { configPin, withoutPin } from '@fleetset/scheduler-core/node/config-snapshot';
import { accountName, ROOT_CA } from '@fleetset/scheduler-core/node/service-account';
import { allowsSurge, updateStrategyOf } from '@fleetset/scheduler-core/rollout/update-strategy';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import { podRefusal } from '../admission/pod-security.ts';
import { operatorLabels, operatorTaints } from '../fleet/compose-node.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { nodeRecord } from '../fleet/node-record.ts';
import { adoptedBy, type OrphanedSet, orphanedSets, podsOfSet } from '../fleet/orphans.ts';
import type { followTombstones } from '../fleet/tombstones.ts';
import { asBuffer } from '../own-bytes.ts';
import type { Store } from '../store/store.ts';
import { belongsOn } from './belongs.ts';
import type { BodyBook } from './body-book.ts';
import type { ConfigSnapshots } from './config-snapshots.ts';
import type { GrantBook } from './grants.ts';
import { rulesOf, rulesOfPod } from './placement-rules.ts';
import { remembered } from './remembered.ts';
import { type StoredRevision, type StoredSet, templateOf, templateStored } from './stored-set.ts';
import { accountFor, accountKey, bornPullSecrets } from './told-accounts.ts';
import { configKey, pullRefsOf, readConfig, refsOf, secretRef } from './told-configs.ts';

export interface DesiredInputs {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly bodies: BodyBook;
  readonly grants: GrantBook;
  /** Of a DaemonSet's uid, by hash. */
  readonly revisionsOf: (daemonSetUid: string) => ReadonlyMap<string, StoredRevision>;
  /** Its revisions hold their config: a change of it is rolled out. */
  readonly holdsConfig: (daemonSet: StoredSet) => boolean;
  readonly snapshots: ConfigSnapshots;
  readonly tombstonesOf: ReturnType<typeof followTombstones>;
  /** Where pods find the API. */
  readonly api: ApiEndpoint;
}

/** Without its generation: that is given when the content is new. */
export function desiredFor(inputs: DesiredInputs, node: Node): NodeDesired {
  const name = node.metadata?.name ?? '';
  const sets = [...inputs.store.list('apps/daemonsets')]
    .map(({ value }) => value as unknown as StoredSet)
    .filter(({ metadata }) => !metadata.deletionTimestamp);
  const record = nodeRecord(inputs.store, name);
  const own = { ownLabels: record?.ownLabels ?? {}, ownTaints: record?.ownTaints ?? [] };
  return {
    generation: undefined,
    daemonSets: sets
      .map((daemonSet) => desiredSet(inputs, daemonSet, node))
      .sort((a, b) => (a.uid < b.uid ? -1 : 1)),
    configs: configsFor(inputs, sets, node),
    labels: sortedRecord(operatorLabels(node.metadata?.labels ?? {}, own)),
    taints: operatorTaints(node.spec?.taints ?? [], own).map(({ key, value = '', effect }) => ({
      key,
      value,
      effect,
    })),
    tombstones: inputs.tombstonesOf(name),
    // Also to a node that is not known to have one: it may know better.
    orphans: orphanedSets(inputs.store)
      .filter(({ adopter }) => !adopter)
      .map(({ uid }) => uid)
      .sort(),
    api: inputs.api,
  };
}

const sortedRecord = (record: { readonly [key: string]: string }): { [key: string]: string } =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The template of one of its revisions. */
export function templateNamed(
  { revisionsOf }: Pick<DesiredInputs, 'revisionsOf'>,
  uid: string,
  hash: string | undefined,
): PodTemplateSpec | undefined {
  const revision = hash === undefined ? undefined : revisionsOf(uid).get(hash);
  return revision && templateOf(revision);
}

/** What the node may run; undefined also where no pod of it may be made now: what runs stays, and nothing new comes. */
function grantedTemplate(inputs: DesiredInputs, { metadata }: StoredSet, nodeName: string) {
  const { uid = '', namespace = '' } = metadata;
  const revision = inputs.grants.of(uid).get(nodeName);
  const template = templateNamed(inputs, uid, revision);
  if (!template || revision === undefined) return undefined;
  return podRefusal(inputs.store, namespace, template) === undefined ? { revision, template } : undefined;
}

/** ConfigMaps and Secrets, all of one namespace. */
interface Named {
  readonly namespace: string;
  readonly refs: readonly ConfigRef[];
}

/** Any pod may have been born with it. */
const ROOT_CA_REF: ConfigRef = { kind: 'ConfigMap', name: ROOT_CA };

/** What nodes run: the snapshot is told beside it. */
const plainTemplates = new WeakMap<object, PodTemplateSpec>();
const plain = (template: PodTemplateSpec) => remembered(plainTemplates, template, () => withoutPin(template));

/** What is named by the revisions that the node may run and by those that it still runs, where the DaemonSet belongs on
 *  it. What comes with a snapshot is in that. */
function namedBySet(inputs: DesiredInputs, daemonSet: StoredSet, node: Node): Named {
  const { uid = '', namespace = '' } = daemonSet.metadata;
  const nodeName = node.metadata?.name ?? '';
  const state = inputs.fleet.state(nodeName);
  const pods = podsOfSet(state, uid, adoptedBy(inputs.store, uid));
  const granted = grantedTemplate(inputs, daemonSet, nodeName);
  const hashes = new Set([granted?.revision, ...pods.map(({ revision }) => revision)]);
  const named = [...hashes]
    .flatMap((hash) => templateNamed(inputs, uid, hash) ?? [])
    .flatMap((template) => [
      ROOT_CA_REF,
      ...(snapshotOf(inputs, daemonSet, template) ? [] : refsOf(template)),
      ...pullRefsOf(template),
    ]);
  const given = granted ? accountFor(inputs.store, namespace, granted.template).pullSecrets : [];
  const born = bornRefs(inputs, namespace, pods, (hash) => templateNamed(inputs, uid, hash));
  const refs = [...named, ...given.map(secretRef), ...born];
  if (refs.length === 0) return { namespace, refs };
  return { namespace, refs: belongsOn(node, rulesOf(daemonSet)) ? refs : [] };
}

/** Of pods that a DaemonSet left behind, which go on. */
function namedByOrphans(inputs: DesiredInputs, set: OrphanedSet, node: Node): Named {
  const { namespace, name, uid } = set;
  const pods = inputs.fleet.state(node.metadata?.name ?? '').podsBySet.get(uid) ?? [];
  const templateWith = (hash: string) => {
    const template = templateStored(inputs.store, namespace, name, hash);
    return template && belongsOn(node, rulesOfPod(template.spec)) ? template : undefined;
  };
  const named = [...new Set(pods.map(({ revision }) => revision))]
    .flatMap((hash) => templateWith(hash) ?? [])
    .flatMap((template) => [...refsOf(template), ...pullRefsOf(template)]);
  return { namespace, refs: [ROOT_CA_REF, ...named, ...bornRefs(inputs, namespace, pods, templateWith)] };
}

/** Secrets that pods have of their accounts. */
const bornRefs = (
  { store }: DesiredInputs,
  namespace: string,
  pods: readonly PodReport[],
  templateWith: (revision: string) => PodTemplateSpec | undefined,
): ConfigRef[] =>
  pods.flatMap(({ revision, pullSecrets }) => {
    const template = pullSecrets.length > 0 ? templateWith(revision) : undefined;
    return template ? bornPullSecrets(store, namespace, template, pullSecrets).map(secretRef) : [];
  });

function configsFor(inputs: DesiredInputs, sets: readonly StoredSet[], node: Node): ConfigObject[] {
  const all = [
    ...sets.map((set) => namedBySet(inputs, set, node)),
    ...orphanedSets(inputs.store)
      .filter(({ adopter }) => !adopter)
      .map((set) => namedByOrphans(inputs, set, node)),
  ];
  const told = new Map<string, ConfigObject>();
  for (const { namespace, refs } of all)
    for (const { kind, name } of refs) {
      const config = readConfig(inputs, kind, namespace, name);
      told.set(configKey(config), config);
    }
  return [...told].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, config]) => config);
}

/** Undefined for pods that follow their ConfigMaps and Secrets as they are. */
function snapshotOf(
  { holdsConfig, snapshots }: DesiredInputs,
  daemonSet: StoredSet,
  template: PodTemplateSpec,
) {
  const pin = configPin(template);
  return pin !== undefined && holdsConfig(daemonSet) ? snapshots.told(pin) : undefined;
}

function desiredSet(inputs: DesiredInputs, daemonSet: StoredSet, node: Node): DesiredDaemonSet {
  const { store, bodies, grants } = inputs;
  const { uid = '', namespace = '', name = '' } = daemonSet.metadata;
  const nodeName = node.metadata?.name ?? '';
  const granted = grantedTemplate(inputs, daemonSet, nodeName);
  const template = granted?.template;
  const belongs = belongsOn(node, rulesOf(daemonSet));
  return {
    namespace,
    name,
    uid,
    placementHash: bodies.hashOf(rulesOf(daemonSet)),
    templateHash: template ? bodies.hashOf(plain(template)) : '',
    revision: granted?.revision ?? '',
    minReadySeconds: daemonSet.spec?.minReadySeconds ?? 0,
    // What began as a surge ends as one: more nodes may be on their way than may be down.
    surge: allowsSurge(updateStrategyOf(daemonSet)) || grants.isSurge(uid, nodeName),
    adopts: adoptedBy(store, uid),
    config: template && belongs ? snapshotOf(inputs, daemonSet, template) : undefined,
    account: template && accountFor(store, namespace, template),
  };
}

/** What a change of would change what it says. `accounts`: those of pods that run. */
export const objectsTold = ({ configs, daemonSets }: NodeDesired, accounts: readonly string[]): string[] => [
  ...configs.map(configKey),
  ...daemonSets.flatMap(({ namespace, account }) => (account ? [accountKey(namespace, account.name)] : [])),
  ...accounts,
];

/** Accounts whose pull secrets pods of the node were born with. */
export const accountsOfPods = ({ store, fleet }: Pick<DesiredInputs, 'store' | 'fleet'>, node: string) =>
  (fleet.get(node)?.report?.pods ?? []).flatMap(({ pullSecrets, namespace, daemonSetName, revision }) => {
    if (pullSecrets.length === 0) return [];
    const template = templateStored(store, namespace, daemonSetName, revision);
    return template ? [accountKey(namespace, accountName(template.spec))] : [];
  });

/** One for all: its buffer has grown to what they need. */
const writer = new BinaryWriter();

/** Hashes of the bodies that it names. */
export const bodiesOf = ({ daemonSets, configs }: NodeDesired): string[] => [
  ...daemonSets.flatMap(({ placementHash, templateHash, config }) => [
    placementHash,
    templateHash,
    ...(config ? [config.hash, ...config.bodies] : []),
  ]),
  ...configs.map(({ hash }) => hash),
];

export const desiredContent = (desired: NodeDesired): Buffer =>
  asBuffer(NodeDesired.encode(desired, writer).finish());
