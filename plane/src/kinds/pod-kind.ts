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

function readyCell({ spec, status }: Pod): string {
  const ready = (status?.containerStatuses ?? []).filter(
    (container) => container.ready && container.state?.running,
  );
  return `${ready.length}/${spec?.containers.length ?? 0}`;
}

export function podStatusCell({ metadata, status }: Pod): string {
  const phase = status?.reason ?? status?.phase ?? 'Unknown';
  let text = phase;
  let running = false;
  for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
    const { waiting, terminated } = container.state ?? {};
    if (waiting?.reason) text = waiting.reason;
    else if (terminated) text = terminated.reason || endText(terminated);
    else if (container.ready && container.state?.running) running = true;
  }
  if (text === 'Completed' && running) text = isReady(status) ? 'Running' : 'NotReady';
  if (!metadata?.deletionTimestamp) return text;
  if (status?.reason === 'NodeLost') return 'Unknown';
  return phase === 'Failed' || phase === 'Succeeded' ? text : 'Terminating';
}

const endText = ({ signal, exitCode }: { readonly signal?: number; readonly exitCode: number }): string =>
  signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;

const isReady = (status: Pod['status']): boolean =>
  status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;

function restartsCell({ status }: Pod, now: number): string {
  const containers = status?.containerStatuses ?? [];
  const count = containers.reduce((sum, { restartCount }) => sum + restartCount, 0);
  const ends = containers
    .map(({ lastState }) => lastState?.terminated?.finishedAt)
    .filter((end) => end !== undefined)
    .sort();
  const last = ends.at(-1);
  return count > 0 && last ? `${count} (${ageOf(last, now)} ago)` : String(count);
}
