// v1 Pod in the API. Pods are born on their nodes; here they are mirrored.
import { type Pod, pod as podSchema } from '@fleetset/scheduler-core/schema/pod';
import { ageOf } from './age.ts';
import { AGE, column, NAME } from './columns.ts';
import type { Kind, KubeObject } from './kind.ts';

const asPod = (object: KubeObject) => object as unknown as Pod & { metadata: KubeObject['metadata'] };

export const podKind: Kind = {
  group: '',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  volatile: true,
  schema: podSchema,
  verbs: ['delete', 'deletecollection', 'get', 'list', 'watch'],
  subresources: [
    { name: 'attach', kind: 'PodAttachOptions', verbs: ['create', 'get'] },
    { name: 'eviction', kind: 'Eviction', group: 'policy', verbs: ['create'] },
    { name: 'exec', kind: 'PodExecOptions', verbs: ['create', 'get'] },
    { name: 'log', kind: 'Pod', verbs: ['get'] },
    { name: 'portforward', kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
    { name: 'status', kind: 'Pod', verbs: ['get'] },
  ],
  columns: [
    NAME,
    column('Ready', 'Containers that are ready, of all.', (object) => readyCell(asPod(object))),
    column('Status', 'What the pod is doing.', (object) => podStatusCell(asPod(object))),
    column('Restarts', 'How often its containers were restarted.', (object, now) =>
      restartsCell(asPod(object), now),
    ),
    AGE,
    column('IP', 'Address of the pod.', (object) => asPod(object).status?.podIP ?? '<none>', { priority: 1 }),
    column('Node', 'Node it runs on.', (object) => asPod(object).spec?.nodeName ?? '<none>', { priority: 1 }),
    column('Nominated Node', 'Always none: every daemon pod has its node.', () => '<none>', { priority: 1 }),
    column('Readiness Gates', 'Always none.', () => '<none>', { priority: 1 }),
  ],
  fields: {
    'spec.nodeName': (object) => asPod(object).spec?.nodeName ?? '',
    'spec.restartPolicy': (object) => asPod(object).spec?.restartPolicy ?? '',
    'spec.schedulerName': (object) => asPod(object).spec?.schedulerName ?? '',
    'spec.serviceAccountName': (object) => asPod(object).spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (object) => String(asPod(object).spec?.hostNetwork ?? false),
    'status.phase': (object) => asPod(object).status?.phase ?? '',
    'status.podIP': (object) => asPod(object).status?.podIP ?? '',
    'status.nominatedNodeName': () => '',
  },
};

type Status = NonNullable<Pod['status']>;
type ContainerStatus = NonNullable<Status['containerStatuses']>[number];

const isSidecarStatus = ({ spec }: Pod, { name }: ContainerStatus): boolean =>
  spec?.initContainers?.find((container) => container.name === name)?.restartPolicy === 'Always';

/** Where initialization stands; undefined when it is done. `counted`: the statuses that were looked at till then. */
function initStanding(pod: Pod): {
  readonly text: string | undefined;
  readonly counted: readonly ContainerStatus[];
} {
  const statuses = pod.status?.initContainerStatuses ?? [];
  const total = pod.spec?.initContainers?.length ?? 0;
  for (const [index, one] of statuses.entries()) {
    const { waiting, terminated } = one.state ?? {};
    if (terminated?.exitCode === 0 || (isSidecarStatus(pod, one) && one.started)) continue;
    const counted = statuses.slice(0, index + 1);
    if (terminated) return { text: `Init:${terminated.reason || endText(terminated)}`, counted };
    const why =
      waiting?.reason && waiting.reason !== 'PodInitializing' ? waiting.reason : `${index}/${total}`;
    return { text: `Init:${why}`, counted };
  }
  return { text: undefined, counted: statuses };
}

/** As kubectl counts: a pod that was initialized shows its main containers, whatever its sidecars do. */
const showsMain = (pod: Pod, standing: ReturnType<typeof initStanding>): boolean =>
  standing.text === undefined || hasCondition(pod.status, 'Initialized');

function readyCell(pod: Pod): string {
  const { spec, status } = pod;
  const standing = initStanding(pod);
  const inits = spec?.initContainers ?? [];
  const sidecars = inits.filter(({ restartPolicy }) => restartPolicy === 'Always').length;
  const readySidecars = standing.counted.filter(
    (one) => isSidecarStatus(pod, one) && one.started && one.ready,
  );
  const ready = (status?.containerStatuses ?? []).filter(
    (container) => container.ready && container.state?.running,
  );
  const count = readySidecars.length + (showsMain(pod, standing) ? ready.length : 0);
  return `${count}/${sidecars + (spec?.containers.length ?? 0)}`;
}

export function podStatusCell(pod: Pod): string {
  const { metadata, status } = pod;
  const phase = status?.reason ?? status?.phase ?? 'Unknown';
  const standing = initStanding(pod);
  let text = standing.text ?? phase;
  let running = false;
  for (const container of showsMain(pod, standing) ? [...(status?.containerStatuses ?? [])].reverse() : []) {
    const { waiting, terminated } = container.state ?? {};
    if (waiting?.reason) text = waiting.reason;
    else if (terminated) text = terminated.reason || endText(terminated);
    else if (container.ready && container.state?.running) running = true;
  }
  if (text === 'Completed' && running) text = hasCondition(status, 'Ready') ? 'Running' : 'NotReady';
  if (!metadata?.deletionTimestamp) return text;
  if (status?.reason === 'NodeLost') return 'Unknown';
  return phase === 'Failed' || phase === 'Succeeded' ? text : 'Terminating';
}

const endText = ({ signal, exitCode }: { readonly signal?: number; readonly exitCode: number }): string =>
  signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;

const hasCondition = (status: Pod['status'], type: string): boolean =>
  status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;

/** While it initializes the restarts of its init containers, then those of its sidecars and main containers. */
function restartsCell(pod: Pod, now: number): string {
  const standing = initStanding(pod);
  const containers = showsMain(pod, standing)
    ? [
        ...standing.counted.filter((one) => isSidecarStatus(pod, one)),
        ...(pod.status?.containerStatuses ?? []),
      ]
    : standing.counted;
  const count = containers.reduce((sum, { restartCount }) => sum + restartCount, 0);
  const ends = containers
    .map(({ lastState }) => lastState?.terminated?.finishedAt)
    .filter((end) => end !== undefined)
    .sort();
  const last = ends.at(-1);
  return count > 0 && last ? `${count} (${ageOf(last, now)} ago)` : String(count);
}
