// Sees to it that a container's image is on the node, by its pull policy and with its pod's pull secrets (rule 98).
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { isRuntimeError } from '../runtime/container-runtime.ts';
import { dockerConfig, type PullCredential, pullCredentials } from '../runtime/pull-credentials.ts';
import { ActionFailed } from './action-failed.ts';
import { about, type ExecuteParts, trouble } from './action-parts.ts';
import type { PodConfig } from './pod-config.ts';
import { pullByAny } from './pull-by-any.ts';

/** `isFresh`: it was pulled a moment ago, for this very start. */
export async function ensureImage(
  parts: ExecuteParts,
  record: PodRecord,
  container: Container,
  config: PodConfig,
  isFresh: boolean,
): Promise<void> {
  const { image = '', imagePullPolicy } = container;
  const whose = about(parts, record, container.name);
  if ((imagePullPolicy !== 'Always' || isFresh) && (await parts.runtime.hasImage(image))) return;
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
    ...whose,
  });
  try {
    await pullByAny(parts, image, credentialsFor(parts, record, image, config));
  } catch (error) {
    if (isRuntimeError(error, 'unreachable')) throw error;
    const why = `Failed to pull image ${JSON.stringify(image)}: ${(error as Error).message}`;
    parts.events.add({ type: 'Warning', reason: 'Failed', message: why, ...whose });
    if (isRuntimeError(error, 'pull-failed') && (await mayDoWithoutPull(parts, record, image))) {
      const message = `Container image ${JSON.stringify(image)} already present on machine; it is used, as its registry does not answer`;
      parts.events.add({ type: 'Normal', reason: 'Pulled', message, ...whose });
      return;
    }
    const reason = isRuntimeError(error, 'no-space') ? 'InsufficientDiskSpace' : 'ErrImagePull';
    const failed = trouble(parts, 'image', reason, (error as Error).message);
    // Another login may do.
    const state = config.pullSecrets.length > 0 ? { config: config.state } : {};
    throw new ActionFailed({ ...failed, ...state }, error);
  }
  parts.events.add({
    type: 'Normal',
    reason: 'Pulled',
    message: `Successfully pulled image ${JSON.stringify(image)}`,
    ...whose,
  });
}

/** A registry that is away must not keep a pod from starting. An update waits for it, and the old pod runs on. */
async function mayDoWithoutPull({ pods, runtime }: ExecuteParts, record: PodRecord, image: string) {
  const replaces = pods
    .all()
    .some(
      ({ record: other, ending, end }) =>
        other.daemonSetUid === record.daemonSetUid &&
        other.createdAt < record.createdAt &&
        !ending &&
        end === undefined,
    );
  return !replaces && (await runtime.hasImage(image));
}

/** Of the pod's pull secrets; one that is not there is told, and the pull is tried without it. */
function credentialsFor(
  { events }: ExecuteParts,
  { uid }: PodRecord,
  image: string,
  { pullSecrets }: PodConfig,
): readonly PullCredential[] {
  const configs = pullSecrets.map(({ name, found }) => ({
    name,
    config: typeof found === 'object' ? dockerConfig(found) : undefined,
  }));
  const missing = configs.filter(({ config }) => !config).map(({ name }) => name);
  if (missing.length > 0)
    events.add({
      type: 'Warning',
      reason: 'FailedToRetrieveImagePullSecret',
      message: `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`,
      podUid: uid,
    });
  return pullCredentials(
    image,
    configs.flatMap(({ config }) => (config ? [config] : [])),
  );
}
