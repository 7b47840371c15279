// What a plan rests on, read from the plane: nodes, what runs on them, policies, and how rollouts stand.
import { readyCondition, withoutLifecycle } from '@fleetset/plane/fleet/compose-node';
import { readTrouble } from '@fleetset/plane/fleet/failing-pod';
import type { PlacementNode } from '@fleetset/scheduler-core/placement';
import { REVISION_LABEL } from '@fleetset/scheduler-core/revision-history';
import type { RolloutNode } from '@fleetset/scheduler-core/rollout/rollout-node';
import type { ControllerRevision, DaemonSet } from '@fleetset/scheduler-core/schema/daemon-set';
import type { ObjectMeta } from '@fleetset/scheduler-core/schema/meta';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { PodStatus } from '@fleetset/scheduler-core/schema/pod';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import { type ApiClient, ApiFailure } from '../api-client.ts';
import type { NodePlacement, RolloutStatus } from '../commands/describe-rollout.ts';

export interface Fleet {
  readonly nodes: readonly Node[];
  readonly policies: readonly RolloutPolicy[];
}

/** A pod as the API lists it. */
export interface PodSeen {
  readonly metadata: ObjectMeta;
  readonly spec?: { readonly nodeName?: string };
  readonly status?: PodStatus;
}

/** Of one DaemonSet that is there already. */
export interface Running {
  readonly revisions: readonly ControllerRevision[];
  readonly pods: readonly PodSeen[];
  readonly placements: readonly NodePlacement[];
  readonly rollout: RolloutStatus;
}

export async function readFleet(client: ApiClient): Promise<Fleet> {
  const [nodes, policies] = await Promise.all([
    listOf<Node>(client, '/api/v1/nodes'),
    listOf<RolloutPolicy>(client, '/apis/fleetset.dev/v1/rolloutpolicies'),
  ]);
  return { nodes, policies };
}

export const readSets = (client: ApiClient, namespace: string): Promise<readonly DaemonSet[]> =>
  listOf<DaemonSet>(client, `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/daemonsets`);

export async function readRunning(client: ApiClient, { metadata }: Stored): Promise<Running> {
  const { name = '', namespace = '', uid = '' } = metadata;
  const within = (group: string) => `${group}/namespaces/${encodeURIComponent(namespace)}`;
  const ours = within('/apis/fleetset.dev/v1');
  const isOwned = (object: { readonly metadata?: ObjectMeta }) =>
    object.metadata?.ownerReferences?.some((owner) => owner.controller && owner.uid === uid) ?? false;
  const [revisions, pods, placements, rollout] = await Promise.all([
    listOf<ControllerRevision>(client, `${within('/apis/apps/v1')}/controllerrevisions`),
    listOf<PodSeen>(client, `${within('/api/v1')}/pods`),
    listOf<NodePlacement>(client, `${ours}/placements`),
    getOrNothing<{ status: RolloutStatus }>(client, `${ours}/rollouts/${encodeURIComponent(name)}`),
  ]);
  return {
    revisions: revisions.filter(isOwned),
    pods: pods.filter(isOwned),
    placements: placements.filter(({ spec }) => spec.daemonSetName === name),
    rollout: rollout?.status ?? {},
  };
}

interface Stored {
  readonly metadata: ObjectMeta;
}

const listOf = async <T>(client: ApiClient, path: string): Promise<readonly T[]> =>
  ((await client.call('GET', path)) as { readonly items: readonly T[] }).items;

/** Undefined when there is no such object. */
export async function getOrNothing<T>(client: ApiClient, path: string): Promise<T | undefined> {
  try {
    return (await client.call('GET', path)) as T;
  } catch (error) {
    if (error instanceof ApiFailure && error.code === 404) return undefined;
    throw error;
  }
}

const nameOf = ({ metadata }: Node): string => metadata?.name ?? '';

/** As placement looks at it: the taints by which the plane says that a node is silent move no pod. */
export const placementNode = (node: Node): PlacementNode => ({
  name: nameOf(node),
  labels: node.metadata?.labels ?? {},
  taints: withoutLifecycle(node.spec?.taints ?? []),
});

/** As a rollout looks at it. */
export function rolloutNode(
  node: Node,
  decision: RolloutNode['decision'],
  running: Running | undefined,
): RolloutNode {
  const name = nameOf(node);
  const ready = readyCondition(node.status)?.status;
  const placement = running?.placements.find(({ spec }) => spec.nodeName === name);
  const granted = placement?.status.grantedRevision;
  const pods = running?.pods.filter(({ spec }) => spec?.nodeName === name) ?? [];
  const pod = countingPod(pods);
  const failing = pod?.status && !isReady(pod) ? readTrouble(pod.status).failing : undefined;
  const beside = pods.find((one) => one !== pod && one.metadata.deletionTimestamp === undefined);
  const held = placement?.status.held;
  return {
    name,
    labels: node.metadata?.labels ?? {},
    decision,
    connected: ready !== undefined && ready !== 'Unknown',
    lost: ready === 'Unknown',
    ...(granted === undefined ? {} : { granted }),
    ...(failing ? { failing } : {}),
    ...(beside ? { beside: { revision: revisionOf(beside) } } : {}),
    ...(held ? { held } : {}),
    ...(pod
      ? {
          pod: {
            revision: revisionOf(pod),
            available: availableOf(pod, placement) ?? isReady(pod),
            deleted: pod.metadata.deletionTimestamp !== undefined,
          },
        }
      : {}),
  };
}

/** As the node itself reported it: minReadySeconds count. */
const availableOf = ({ metadata }: PodSeen, placement: NodePlacement | undefined): boolean | undefined =>
  placement?.status.pods?.find(({ name }) => name === metadata.name)?.available;

const revisionOf = ({ metadata }: PodSeen): string => metadata.labels?.[REVISION_LABEL] ?? '';

/** The oldest that stays, else the oldest. */
function countingPod(pods: readonly PodSeen[]): PodSeen | undefined {
  const key = ({ metadata }: PodSeen) => `${metadata.creationTimestamp} ${metadata.name}`;
  const sorted = [...pods].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return sorted.find(({ metadata }) => metadata.deletionTimestamp === undefined) ?? sorted[0];
}

const isReady = ({ status }: PodSeen): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
