// What writing or deleting a Node, Pod, DaemonSet or Namespace means for the fleet.
import type { DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import { formatTaint, sameTaint } from '@fleetset/scheduler-core/taint-toleration';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import { type FieldError, forbidden } from '@fleetset/scheduler-core/validation/field-error';
import { type Remarks, remarksOnNamespace, remarksOnSet } from '../admission/pod-security.ts';
import { LEASES, leaseIdOf } from '../fleet/node-leases.ts';
import { NODE_RECORDS, nodeRecord, REMOVED_KEYS } from '../fleet/node-record.ts';
import { isDeleted, putTombstone, TOMBSTONES } from '../fleet/tombstones.ts';
import { accountOfSecret, isAccountSecret } from '../kinds/account-secret.ts';
import { priorityClassKind } from '../kinds/cluster-kinds.ts';
import { daemonSetKind } from '../kinds/daemon-set-kind.ts';
import { blocking, dependentsOf, FOREGROUND } from '../kinds/dependents.ts';
import { collectionOf, idOfObject, type Kind, type KubeObject } from '../kinds/kind.ts';
import { nodeKind } from '../kinds/node-kind.ts';
import { namespaceKind, secretKind } from '../kinds/plain-kinds.ts';
import { podKind } from '../kinds/pod-kind.ts';
import { namespaceDefaults } from '../lifecycle/namespace-defaults.ts';
import { GRANTS } from '../rollout/grants.ts';
import { orphan } from '../rollout/orphaning.ts';
import type { Store, Write } from '../store/store.ts';
import { type ApiError, forbiddenRequest, invalidObject } from './api-error.ts';
import type { DeletePlan, Effects, EffectsOf } from './effects.ts';
import type { DeleteOptions } from './object-options.ts';
import { LONGEST_GRACE_SECONDS } from './write-options.ts';

export const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;
const DEFAULT_GRACE_SECONDS = 30;

/** `caCertificate`: of the API, for the pods of each namespace. */
export function createEffects(store: Store, caCertificate: string): EffectsOf {
  const plain = plainEffects(store);
  const byKind = new Map<Kind, Effects>([
    [nodeKind, nodeEffects(store)],
    [podKind, podEffects(store)],
    [daemonSetKind, daemonSetEffects(store)],
    [secretKind, { ...plain, remarks: (object) => remarksOnSecret(store, object) }],
    [namespaceKind, namespaceEffects(store, caCertificate)],
    [priorityClassKind, { ...plain, ...classEffects(store) }],
  ]);
  return (kind) => byKind.get(kind) ?? plain;
}

function nodeEffects(store: Store): Effects {
  return {
    checkUpdate: (object, current) => {
      const record = nodeRecord(store, current.metadata.name ?? '');
      if (!record) return object;
      const labels = ownLabelErrors(object.metadata.labels ?? {}, record.ownLabels);
      const taints = ownTaintErrors((object as Node).spec?.taints ?? [], record.ownTaints);
      const errors = [...labels, ...taints];
      if (errors.length > 0) throw invalidObject(nodeKind, object.metadata.name ?? '', errors);
      return object;
    },
    alongEnd: (object) => {
      const name = object.metadata.name ?? '';
      const record = nodeRecord(store, name);
      const message = `node ${name} was removed from the fleet (kubectl delete node)`;
      return [
        ...(record
          ? [{ collection: REMOVED_KEYS, id: record.keyHash, value: { name, message }, durable: true }]
          : []),
        { collection: NODE_RECORDS, id: name, durable: true },
        ...leftoversOfNode(store, name),
      ];
    },
  };
}

/** What is kept for a node beside its own record. */
export const leftoversOfNode = (store: Store, name: string): Write[] => [
  ...idsOfNode(store, GRANTS, name),
  ...idsOfNode(store, TOMBSTONES, name),
  { collection: LEASES, id: leaseIdOf(name), durable: true },
];

function idsOfNode(store: Store, collection: string, node: string): Write[] {
  return [...store.list(collection)]
    .filter(({ value }) => value.node === node)
    .map(({ id }) => ({ collection, id, durable: true }));
}

const OWN = "is set in the node's own configuration (its agent.yaml or flags): change it there";
const OWN_PRESSURE = 'is set by the node itself, as long as its conditions say that it is short';

function ownLabelErrors(
  labels: { readonly [key: string]: string },
  own: { readonly [key: string]: string },
): FieldError[] {
  return Object.entries(own)
    .filter(([key, value]) => labels[key] !== value)
    .map(([key, value]) => forbidden(`metadata.labels[${key}]`, `${key}=${value} ${OWN}`));
}

const ownTaintErrors = (taints: readonly Taint[], own: readonly Taint[]): FieldError[] =>
  own
    .filter((mine) => !taints.some((taint) => sameTaint(taint, mine)))
    .map((mine) => {
      const why = mine.key.startsWith('node.kubernetes.io/') ? OWN_PRESSURE : OWN;
      return forbidden('spec.taints', `${formatTaint(mine)} ${why}`);
    });

/** It is let in, as Kubernetes does, and removed a moment later: nobody would be told why. */
function remarksOnSecret(store: Store, object: KubeObject): Remarks {
  const name = isAccountSecret(object) ? accountOfSecret(object).name : '';
  const { namespace = '' } = object.metadata;
  const isThere = name === '' || store.get('core/serviceaccounts', `${namespace}/${name}`);
  const why = `serviceaccounts ${JSON.stringify(name)} not found in namespace ${JSON.stringify(namespace)}: a Secret for its token is removed at once`;
  return { warnings: isThere ? [] : [why], annotations: {} };
}

/** Rule 66: there is nothing left that a grace could be for. */
const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Failed' || status?.phase === 'Succeeded';

/** The node is told; the Pod goes when its node shows it no more. With a grace of 0 it is forgotten at once. */
function podEffects(store: Store): Effects {
  return {
    planDelete: (object, options) => {
      const pod = object as unknown as Pod;
      const node = pod.spec?.nodeName ?? '';
      const podUid = object.metadata.uid ?? '';
      const graceSeconds = hasEnded(pod) ? 0 : options.graceSeconds;
      const own = pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
      const tombstone = putTombstone({
        node,
        podUid,
        ...(graceSeconds === undefined ? {} : { graceSeconds }),
      });
      if (graceSeconds === 0) return { writes: [tombstone] };
      const grace = Math.min(graceSeconds ?? own, LONGEST_GRACE_SECONDS);
      const before = object.metadata.deletionGracePeriodSeconds;
      // Deleted again: the grace may become shorter, never longer.
      if (before !== undefined && before <= grace)
        return {
          keep: object,
          writes: isDeleted(store, node, podUid)
            ? []
            : [putTombstone({ node, podUid, graceSeconds: before })],
        };
      const deletionTimestamp = utcText(Date.now() + grace * 1000);
      const metadata = { ...object.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace };
      return { keep: { ...object, metadata }, graceSeconds: grace, writes: [tombstone] };
    },
  };
}

/** The finalizers that stand for a cascade. */
const CASCADES = { foregroundDeletion: 'Foreground', orphan: 'Orphan' } as const;
const isCascade = (finalizer: string): finalizer is keyof typeof CASCADES =>
  Object.hasOwn(CASCADES, finalizer);

/** Rule 63. */
function daemonSetEffects(store: Store): Effects {
  return {
    remarks: (object) => remarksOnSet(store, object as unknown as DaemonSet),
    planDelete: (object, options) =>
      planCascade(
        object,
        options,
        () => true,
        () => [...orphan(store, object), ...withoutOwner(store, object)],
      ),
  };
}

/** Of kinds whose objects may own others and do nothing for them. */
function plainEffects(store: Store): Effects {
  return {
    planDelete: (object, options) => {
      const { uid } = object.metadata;
      return planCascade(
        object,
        options,
        () => blocking(dependentsOf(store, uid), uid).length > 0,
        () => withoutOwner(store, object),
      );
    },
  };
}

/** What is asked for now counts before what the finalizers say; orphaning is done with the same write. */
function planCascade(
  object: KubeObject,
  { propagation }: DeleteOptions,
  waits: () => boolean,
  orphanWrites: () => readonly Write[],
): DeletePlan {
  const finalizers = object.metadata.finalizers ?? [];
  const [standing] = finalizers.filter(isCascade);
  const cascade = propagation ?? (standing && CASCADES[standing]) ?? 'Background';
  const held = [
    ...finalizers.filter((finalizer) => !isCascade(finalizer)),
    ...(cascade === 'Foreground' && waits() ? [FOREGROUND] : []),
  ];
  const writes = cascade === 'Orphan' ? orphanWrites() : [];
  if (held.length === 0) return { writes };
  const { finalizers: _before, ...metadata } = object.metadata;
  return { keep: { ...object, metadata: { ...metadata, finalizers: held } }, graceSeconds: 0, writes };
}

/** Those that belonged to it belong to it no more. */
function withoutOwner(store: Store, { metadata: { uid } }: KubeObject): Write[] {
  return dependentsOf(store, uid).map(({ kind, object }) => {
    const { ownerReferences = [], ...metadata } = object.metadata;
    const left = ownerReferences.filter((owner) => owner.uid !== uid);
    const value = {
      ...object,
      metadata: left.length > 0 ? { ...metadata, ownerReferences: left } : metadata,
    };
    const expect = Number(metadata.resourceVersion);
    return { collection: collectionOf(kind), id: idOfObject(object), value, expect, durable: true };
  });
}

/** One class at most is for pods that name none. */
function classEffects(store: Store): Pick<Effects, 'checkCreate' | 'checkUpdate'> {
  const check = (object: KubeObject, isOther: (name: string | undefined) => boolean): KubeObject => {
    if (!object.globalDefault) return object;
    const classes = [...store.list(collectionOf(priorityClassKind))].map(
      ({ value }) => value as unknown as KubeObject,
    );
    const standing = classes.find(({ globalDefault, metadata }) => globalDefault && isOther(metadata.name));
    if (standing) throw secondDefault(object.metadata.name ?? '', standing.metadata.name ?? '');
    return object;
  };
  return {
    checkCreate: (object) => void check(object, () => true),
    checkUpdate: (object) => check(object, (name) => name !== object.metadata.name),
  };
}

function secondDefault(name: string, standing: string): ApiError {
  const { group, plural } = priorityClassKind;
  return forbiddenRequest(
    `${plural}.${group} "${name}" is forbidden: PriorityClass ${standing} is already marked as default. Only one default can exist`,
    { name, group, kind: plural },
  );
}

/** It begins with its default account. What it holds is deleted first, by the namespace loop. */
function namespaceEffects(store: Store, caCertificate: string): Effects {
  return {
    remarks: (object, old) => remarksOnNamespace(store, object, old),
    alongCreate: ({ metadata }) =>
      namespaceDefaults(metadata.name ?? '', caCertificate, metadata.creationTimestamp ?? ''),
    planDelete: (object) => {
      const name = object.metadata.name ?? '';
      if ((SYSTEM_NAMESPACES as readonly string[]).includes(name))
        throw forbiddenRequest(`namespaces "${name}" is forbidden: this namespace may not be deleted`, {
          name,
          kind: 'namespaces',
        });
      const status = { ...(object.status ?? {}), phase: 'Terminating' };
      return { keep: { ...object, status }, graceSeconds: 0 };
    },
  };
}
