// Does one action of the plan against the engine. What fails becomes memory that the next plan counts with.
import { randomInt, randomUUID } from 'node:crypto';
import type {
  CreateAction,
  DiscardAction,
  NodeAction,
  Trouble,
} from '@fleetset/scheduler-core/node/node-action';
import { HOLDER, type NodeDaemonSet, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import { SAFE_LETTERS } from '@fleetset/scheduler-core/template-hash';
import {
  type ContainerIdentity,
  type ContainerRuntime,
  type ContainerSettings,
  isRuntimeError,
  type RuntimeContainer,
  type RuntimeError,
} from '../runtime/container-runtime.ts';
import {
  containerSettings,
  holderSettings,
  type SettingsInput,
  takesImageUser,
} from '../runtime/container-settings.ts';
import type { PodBook } from '../state/pod-book.ts';
import { ActionFailed } from './action-failed.ts';
import type { AgentEvents } from './agent-events.ts';
import {
  ensureVolumes,
  hasBoundPaths,
  type PrepareParts,
  prepareContainer,
  volumePod,
} from './prepare-container.ts';
import { stopContainer } from './stop-container.ts';

export interface ExecuteParts extends PrepareParts {
  readonly runtime: ContainerRuntime;
  readonly pods: PodBook;
  readonly events: AgentEvents;
  readonly minOomScoreAdjust: number;
  readonly templateOf: (templateHash: string) => PodTemplateSpec | undefined;
  readonly daemonSet: (uid: string) => NodeDaemonSet | undefined;
  /** Of the container's first process, as seen last. */
  readonly pidOf: (containerId: string) => number | undefined;
  /** The newest holder of a pod, as seen last. */
  readonly holderOf: (
    podUid: string,
  ) => { readonly id: string; readonly attempt: number; readonly ip?: string } | undefined;
  /** Above that of every holder that a container of the pod was made for: also of one that vanished since, whose
   *  number must not come back while containers still join its network. */
  readonly nextHolderAttempt: (podUid: string) => number;
  readonly signal: AbortSignal;
}

/** However long a pull takes, it goes on while the engine tells of progress. */
const PULL_IDLE_LIMIT_MS = 30 * 60_000;

export async function executeAction(parts: ExecuteParts, action: NodeAction): Promise<void> {
  switch (action.kind) {
    case 'bear':
      return bear(parts, action.daemonSetUid);
    case 'forget':
      await parts.volumes.remove(action.podUid);
      return parts.pods.forget(action.podUid);
    case 'reject':
      return reject(parts, action);
    case 'discard':
      return discard(parts, action);
    case 'create':
      return create(parts, action);
    case 'start':
      return start(parts, action);
    case 'stop':
      return stop(parts, action);
    case 'remove':
      return parts.runtime.remove(action.id);
  }
}

async function bear(parts: ExecuteParts, daemonSetUid: string): Promise<void> {
  const daemonSet = parts.daemonSet(daemonSetUid);
  if (!daemonSet?.granted) return;
  const suffix = Array.from({ length: 5 }, () => SAFE_LETTERS[randomInt(SAFE_LETTERS.length)]).join('');
  const record: PodRecord = {
    uid: randomUUID(),
    name: `${daemonSet.name}-${suffix}`,
    namespace: daemonSet.namespace,
    daemonSetUid,
    daemonSetName: daemonSet.name,
    revision: daemonSet.granted.revision,
    templateHash: daemonSet.granted.templateHash,
    createdAt: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
  };
  await parts.pods.add(record, daemonSet.granted.config);
}

type RejectAction = Extract<NodeAction, { kind: 'reject' }>;

async function reject({ pods, events }: ExecuteParts, { podUid, end }: RejectAction): Promise<void> {
  events.add({ type: 'Warning', reason: end.reason, message: end.message, podUid });
  await pods.setEnd(podUid, end);
}

async function discard(parts: ExecuteParts, { podUid, daemonSetUid, end }: DiscardAction): Promise<void> {
  const record = parts.pods.get(podUid)?.record;
  if (!record) return;
  const failed = end.phase === 'Failed';
  const why = end.reason ? ` (${end.reason}: ${end.message})` : '';
  parts.events.add({
    type: failed ? 'Warning' : 'Normal',
    reason: failed ? 'FailedDaemonPod' : 'SucceededDaemonPod',
    message: `Pod ${record.namespace}/${record.name} on node ${parts.nodeName} has ${end.phase.toLowerCase()}${why}: it is deleted`,
    daemonSetUid,
  });
  await parts.pods.setEnding(podUid);
}

async function create(parts: ExecuteParts, action: CreateAction): Promise<void> {
  const record = parts.pods.get(action.podUid)?.record;
  const template = record && parts.templateOf(record.templateHash);
  if (!record || !template?.spec) return;
  const { spec } = template;
  const holder = parts.holderOf(action.podUid);
  const input: SettingsInput = {
    pod: record,
    spec,
    attempt:
      action.container === HOLDER
        ? Math.max(action.attempt, parts.nextHolderAttempt(action.podUid))
        : action.attempt,
    ...(holder && action.container !== HOLDER ? { holder } : {}),
    nodeMemoryBytes: parts.allocatable.memoryBytes,
    minOomScoreAdjust: parts.minOomScoreAdjust,
  };
  if (action.container === HOLDER) {
    await asCreate(parts, async () => holderSettings(input, await parts.runtime.holderImage()));
    return;
  }
  const container = spec.containers.find(({ name }) => name === action.container);
  const check = action.only === 'check';
  // Without its holder it would land in the host's network. A holder that is gone is made again first.
  if (!container || (!spec.hostNetwork && !holder && !check)) return;
  const pod = volumePod(parts, record, template, holder?.ip);
  await ensureVolumes(parts, pod);
  await ensureImage(parts, record, container);
  await requireNonRoot(parts, template, container);
  const prepared = await prepareContainer(parts, pod, container, check);
  if (check) return;
  await asCreate(parts, async () => {
    const imageUser = takesImageUser(spec, container)
      ? await parts.runtime.imageUser(container.image ?? '')
      : '';
    return containerSettings({ ...input, imageUser }, container, prepared);
  });
  parts.events.add({
    type: 'Normal',
    reason: 'Created',
    message: `Created container: ${container.name}`,
    podUid: record.uid,
    container: container.name,
  });
}

const trouble = (parts: ExecuteParts, kind: Trouble['kind'], reason: string, message: string): Trouble => ({
  kind,
  reason,
  message,
  failedAt: parts.monotonicNow(),
});

async function asCreate(parts: ExecuteParts, make: () => Promise<ContainerSettings>): Promise<void> {
  let identity: ContainerIdentity | undefined;
  try {
    const settings = await make();
    identity = settings.identity;
    await parts.runtime.create(settings);
  } catch (error) {
    if (isRuntimeError(error, 'unreachable') || isRuntimeError(error, 'timeout')) throw error;
    if (identity && isRuntimeError(error, 'conflict') && (await isThere(parts, identity))) return;
    if (isRuntimeError(error, 'image-missing'))
      throw new ActionFailed(trouble(parts, 'image', 'ErrImagePull', (error as Error).message), error);
    throw new ActionFailed(trouble(parts, 'create', 'CreateContainerError', (error as Error).message), error);
  }
}

/** A name that is taken means that the container is there already, if it is ours. */
const isThere = (parts: ExecuteParts, { pod, name, attempt }: ContainerIdentity): Promise<boolean> =>
  isListed(
    parts,
    ({ identity }) => identity.pod.uid === pod.uid && identity.name === name && identity.attempt === attempt,
  );

const isListed = async ({ runtime }: ExecuteParts, which: (container: RuntimeContainer) => boolean) =>
  (await runtime.list()).some(which);

async function ensureImage(parts: ExecuteParts, record: PodRecord, container: Container): Promise<void> {
  const { image = '', imagePullPolicy } = container;
  const about = { podUid: record.uid, container: container.name };
  if (imagePullPolicy !== 'Always' && (await parts.runtime.hasImage(image))) return;
  if (imagePullPolicy === 'Never')
    throw new ActionFailed(
      trouble(
        parts,
        'image',
        'ErrImageNeverPull',
        `Container image ${JSON.stringify(image)} is not present with pull policy of Never`,
      ),
    );
  parts.events.add({
    type: 'Normal',
    reason: 'Pulling',
    message: `Pulling image ${JSON.stringify(image)}`,
    ...about,
  });
  try {
    await pullWhileItMoves(parts, image);
  } catch (error) {
    if (isRuntimeError(error, 'unreachable')) throw error;
    const why = `Failed to pull image ${JSON.stringify(image)}: ${(error as Error).message}`;
    parts.events.add({ type: 'Warning', reason: 'Failed', message: why, ...about });
    const reason = isRuntimeError(error, 'no-space') ? 'InsufficientDiskSpace' : 'ErrImagePull';
    throw new ActionFailed(trouble(parts, 'image', reason, (error as Error).message), error);
  }
  parts.events.add({
    type: 'Normal',
    reason: 'Pulled',
    message: `Successfully pulled image ${JSON.stringify(image)}`,
    ...about,
  });
}

async function pullWhileItMoves({ runtime, signal }: ExecuteParts, image: string): Promise<void> {
  const idle = new AbortController();
  const giveUp = () => idle.abort(new Error(`no progress in ${PULL_IDLE_LIMIT_MS / 60_000} minutes`));
  const timer = setTimeout(giveUp, PULL_IDLE_LIMIT_MS).unref();
  try {
    await runtime.pull(image, AbortSignal.any([signal, idle.signal]), () => timer.refresh());
  } finally {
    clearTimeout(timer);
  }
}

/** runAsNonRoot is checked against the user the container would really have. */
async function requireNonRoot(
  parts: ExecuteParts,
  { spec }: PodTemplateSpec,
  container: Container,
): Promise<void> {
  const own = container.securityContext;
  const pod = spec?.securityContext;
  if (!(own?.runAsNonRoot ?? pod?.runAsNonRoot)) return;
  const asked = own?.runAsUser ?? pod?.runAsUser;
  const user = asked === undefined ? await parts.runtime.imageUser(container.image ?? '') : String(asked);
  const name = user.split(':')[0] ?? '';
  if (/^[1-9]\d*$/.test(name)) return;
  const isRoot = name === '' || /^0+$/.test(name) || name === 'root';
  const why = isRoot
    ? 'container has runAsNonRoot and image will run as root'
    : `container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root`;
  throw new ActionFailed(trouble(parts, 'create', 'CreateContainerConfigError', why));
}

type StartAction = Extract<NodeAction, { kind: 'start' }>;
type StopAction = Extract<NodeAction, { kind: 'stop' }>;

async function start(parts: ExecuteParts, action: StartAction): Promise<void> {
  await renewVolumes(parts, action);
  try {
    await parts.runtime.start(action.id);
  } catch (error) {
    if (isRuntimeError(error, 'unreachable') || isRuntimeError(error, 'timeout')) throw error;
    // What is not found may be the network it was to join.
    if (isRuntimeError(error, 'not-found') && !(await isListed(parts, ({ id }) => id === action.id))) return;
    const message = (error as RuntimeError).message;
    throw new ActionFailed(trouble(parts, 'start', 'RunContainerError', message), error);
  }
  if (action.container === HOLDER) return;
  parts.events.add({
    type: 'Normal',
    reason: 'Started',
    message: `Started container ${action.container}`,
    podUid: action.podUid,
    container: action.container,
  });
}

/** It may have been made before a reboot: what lay in memory then, and what was bound, is made again. */
async function renewVolumes(parts: ExecuteParts, { podUid, container: name }: StartAction): Promise<void> {
  const record = parts.pods.get(podUid)?.record;
  const template = record && parts.templateOf(record.templateHash);
  const container = template?.spec?.containers.find((candidate) => candidate.name === name);
  if (!record || !template?.spec || !container) return;
  const pod = volumePod(parts, record, template, parts.holderOf(podUid)?.ip);
  try {
    await ensureVolumes(parts, pod);
    if (hasBoundPaths(template.spec, container)) await prepareContainer(parts, pod, container);
  } catch (error) {
    if (!(error instanceof ActionFailed) || error.trouble.kind !== 'create') throw error;
    throw new ActionFailed({ ...error.trouble, kind: 'start' }, error);
  }
}

async function stop(parts: ExecuteParts, action: StopAction): Promise<void> {
  if (action.container !== HOLDER)
    parts.events.add({
      type: 'Normal',
      reason: 'Killing',
      message: `Stopping container ${action.container}: ${action.reason}`,
      podUid: action.podUid,
      container: action.container,
    });
  await stopContainer(parts, action);
}
