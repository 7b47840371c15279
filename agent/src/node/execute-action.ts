// Does one action of the plan against the engine. What fails becomes memory that the next plan counts with.

import { randomInt, randomUUID } from 'node:crypto';
import { generatedName } from '@fleetset/scheduler-core/generated-name';
import { tokenRefs } from '@fleetset/scheduler-core/node/account-tokens';
import type { CreateAction, DiscardAction, NodeAction } from '@fleetset/scheduler-core/node/node-action';
import { allContainers, HOLDER, needsHolder, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import { ACCOUNT_VOLUME_PREFIX } from '@fleetset/scheduler-core/node/service-account';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodSpec } from '@fleetset/scheduler-core/schema/pod';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import {
  type ContainerIdentity,
  type ContainerSettings,
  isRuntimeError,
} from '../runtime/container-runtime.ts';
import { containerSettings, takesImageUser } from '../runtime/container-settings.ts';
import { holderSettings } from '../runtime/holder-settings.ts';
import { hostResolver } from '../runtime/host-resolver.ts';
import type { SettingsInput } from '../runtime/settings-input.ts';
import type { PodBook } from '../state/pod-book.ts';
import { ActionFailed } from './action-failed.ts';
import { about, type ExecuteParts, isListed, trouble } from './action-parts.ts';
import { type ImageOf, imageOf } from './ensure-image.ts';
import { givenToContainer } from './given-to-container.ts';
import { ensureVolumes, prepareContainer, volumePod } from './prepare-container.ts';
import { startContainer, stopContainer } from './start-and-stop.ts';

/** Answers what would follow: what was made would be started. */
export async function executeAction(
  parts: ExecuteParts,
  action: NodeAction,
): Promise<NodeAction | undefined> {
  if (action.kind !== 'create') {
    await execute(parts, action);
    return undefined;
  }
  const id = await create(parts, action);
  const { podUid, container, reason } = action;
  if (id === undefined) return undefined;
  return { kind: 'start', podUid, container, id, reason, isFresh: true };
}

async function execute(parts: ExecuteParts, action: Exclude<NodeAction, CreateAction>): Promise<void> {
  switch (action.kind) {
    case 'bear':
      return bear(parts, action.daemonSetUid);
    case 'forget':
      await parts.volumes.remove(action.podUid);
      await parts.terminationLogs.remove(action.podUid);
      return parts.pods.forget(action.podUid);
    case 'reject':
      return reject(parts, action);
    case 'discard':
      return discard(parts, action);
    case 'start':
      return startContainer(parts, action);
    case 'stop':
      return stopContainer(parts, action);
    case 'remove':
      return parts.runtime.remove(action.id);
  }
}

async function bear(parts: ExecuteParts, daemonSetUid: string): Promise<void> {
  const daemonSet = parts.daemonSet(daemonSetUid);
  if (!daemonSet?.granted) return;
  const { account } = daemonSet.granted;
  const record: PodRecord = {
    uid: randomUUID(),
    name: generatedName(`${daemonSet.name}-`, randomInt),
    namespace: daemonSet.namespace,
    daemonSetUid,
    daemonSetName: daemonSet.name,
    revision: daemonSet.granted.revision,
    templateHash: daemonSet.granted.templateHash,
    createdAt: birthAfter(parts.pods, daemonSetUid),
    ...(account?.mount ? { accountVolume: generatedName(ACCOUNT_VOLUME_PREFIX, randomInt) } : {}),
    ...(account?.pullSecrets.length ? { pullSecrets: account.pullSecrets } : {}),
  };
  await parts.pods.add(record, daemonSet.granted.config);
}

/** Later than all of its DaemonSet that are here, also in the same second and when the clock was set back: the order of
 *  their births says which pod replaces which. */
function birthAfter(pods: PodBook, daemonSetUid: string): string {
  const births = pods
    .all()
    .filter(({ record }) => record.daemonSetUid === daemonSetUid)
    .map(({ record }) => Date.parse(record.createdAt) + 1000 || 0);
  return utcText(Math.max(Date.now(), ...births));
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

/** Answers the id of what it made, if it can run. */
async function create(parts: ExecuteParts, action: CreateAction): Promise<string | undefined> {
  const record = parts.pods.get(action.podUid)?.record;
  const template = record && parts.templateOf(record);
  if (!record || !template?.spec) return undefined;
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
    nodeMemoryBytes: parts.machineMemoryBytes,
    minOomScoreAdjust: parts.minOomScoreAdjust,
    annotations: template.metadata?.annotations ?? {},
    ...(await hostResolver(spec)),
  };
  if (action.container === HOLDER) {
    const id = await asCreate(parts, async () => holderSettings(input, await parts.runtime.holderImage()));
    if (input.attempt > 0)
      parts.events.add({
        type: 'Normal',
        reason: 'SandboxChanged',
        message: 'Pod sandbox changed, it will be killed and re-created.',
        podUid: action.podUid,
      });
    return id;
  }
  const container = allContainers(spec).find(({ name }) => name === action.container);
  const check = action.only === 'check';
  // Without its holder it would land in the host's network. A holder that is gone is made again first.
  if (!container || (needsHolder(template) && !holder && !check)) return undefined;
  await requireMappedUsers(parts, spec);
  // They were asked for when the pod was planned: to try again for each would take longer.
  const podNow = () => volumePod(parts, record, template, parts.podIp(record.uid));
  await Promise.all([parts.tokens.settled(record.uid, tokenRefs(spec)), parts.volumes.begin(podNow())]);
  const pod = podNow();
  await ensureVolumes(parts, pod);
  const image = imageOf(parts, {
    record,
    container,
    config: pod.config,
    isFresh: action.imageIsFresh === true,
  });
  const asksForUser = takesImageUser(spec, container);
  // Whether it is here the engine says when the container is made, where nothing has to be known of it before.
  const isTaken = !check && !asksForUser && !wantsNonRoot(spec, container) && image.isTakenAsItIs;
  if (!isTaken) await image.ensure();
  await requireNonRoot(parts, record, spec, container);
  const prepared = await prepareContainer(parts, pod, container, check).catch(async (error) => {
    // As kubelet does: what is wrong with its image is told before what is wrong with its config.
    if (isTaken) await image.ensure();
    throw error;
  });
  if (check) return undefined;
  const make = async () => {
    const imageUser = asksForUser ? await parts.runtime.imageUser(container.image ?? '') : '';
    const given = await givenToContainer(parts, input, container);
    return containerSettings({ ...input, ...given, imageUser }, container, prepared);
  };
  const id = await asCreate(parts, make, isTaken ? image : undefined);
  parts.events.add({
    type: 'Normal',
    reason: 'Created',
    message: `Created container: ${container.name}`,
    ...about(parts, record, container.name),
  });
  // On a holder that died meanwhile it cannot.
  return parts.holderOf(action.podUid)?.id === holder?.id ? id : undefined;
}

/** `image`: it is taken as if it were here. */
async function asCreate(
  parts: ExecuteParts,
  make: () => Promise<ContainerSettings>,
  image?: ImageOf,
): Promise<string | undefined> {
  let identity: ContainerIdentity | undefined;
  try {
    const settings = await make();
    identity = settings.identity;
    const id = await parts.runtime.create(settings);
    image?.wasHere();
    return id;
  } catch (error) {
    if (isRuntimeError(error, 'unreachable') || isRuntimeError(error, 'timeout')) throw error;
    if (isRuntimeError(error, 'conflict')) image?.wasHere();
    else if (image) {
      // What is wrong with the image is told as such.
      await image.ensure();
      if (isRuntimeError(error, 'image-missing')) return asCreate(parts, make);
    }
    if (identity && isRuntimeError(error, 'conflict') && (await isThere(parts, identity))) return undefined;
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

/** A pod that is to have users of its own never runs with those of the machine. */
async function requireMappedUsers(parts: ExecuteParts, { hostUsers }: PodSpec): Promise<void> {
  if (hostUsers !== false || (await parts.runtime.info()).mapsUsers) return;
  const why =
    'hostUsers is false, and the Docker engine of the node maps no users (userns-remap in its daemon.json)';
  throw new ActionFailed(trouble(parts, 'create', 'CreateContainerConfigError', why));
}

/** runAsNonRoot is checked against the user the container would really have. */
async function requireNonRoot(
  parts: ExecuteParts,
  record: PodRecord,
  spec: PodSpec,
  container: Container,
): Promise<void> {
  if (!wantsNonRoot(spec, container)) return;
  const asked = container.securityContext?.runAsUser ?? spec.securityContext?.runAsUser;
  const imageUser = asked === undefined ? await parts.runtime.imageUser(container.image ?? '') : '';
  const why = rootProblem(asked, imageUser);
  if (why === undefined) return;
  const whose = `(pod: "${record.name}_${record.namespace}(${record.uid})", container: ${container.name})`;
  throw new ActionFailed(trouble(parts, 'create', 'CreateContainerConfigError', `${why} ${whose}`));
}

const wantsNonRoot = (spec: PodSpec, { securityContext }: Container): boolean =>
  (securityContext?.runAsNonRoot ?? spec.securityContext?.runAsNonRoot) === true;

/** A name, even root's, says nothing of the number behind it. */
function rootProblem(asked: number | undefined, imageUser: string): string | undefined {
  if (asked !== undefined) return asked === 0 ? "container's runAsUser breaks non-root policy" : undefined;
  const name = imageUser.split(':')[0] ?? '';
  if (name === '' || /^0+$/.test(name)) return 'container has runAsNonRoot and image will run as root';
  if (/^\d+$/.test(name)) return undefined;
  return `container has runAsNonRoot and image has non-numeric user (${name}), cannot verify user is non-root`;
}
