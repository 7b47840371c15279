// Sees to it that a container's image is on the node, by its pull policy and with its pod's pull secrets (rule 98).

import type { Trouble } from '@fleetset/scheduler-core/node/node-action';
import type { PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { isRuntimeError } from '../runtime/container-runtime.ts';
import { dockerConfig, type PullCredential, pullCredentials } from '../runtime/pull-credentials.ts';
import { ActionFailed } from './action-failed.ts';
import { about, type ExecuteParts, trouble } from './action-parts.ts';
import type { PodConfig } from './pod-config.ts';
import { pullByAny } from './pull-by-any.ts';

export interface ImageWanted {
  readonly record: PodRecord;
  readonly container: Container;
  readonly config: PodConfig;
  /** It was pulled a moment ago, for this very start. */
  readonly isFresh: boolean;
}

export interface ImageOf {
  /** Nobody asks a registry for it when it is here. */
  readonly isTakenAsItIs: boolean;
  /** The engine has found it. */
  readonly wasHere: () => void;
  readonly ensure: () => Promise<void>;
}

export const imageOf = (parts: ExecuteParts, wanted: ImageWanted): ImageOf => ({
  isTakenAsItIs: isTakenAsItIs(wanted),
  wasHere: () => tellPresent(parts, wanted),
  ensure: () => ensureImage(parts, wanted),
});

const isTakenAsItIs = ({ container, isFresh }: ImageWanted): boolean =>
  container.imagePullPolicy !== 'Always' || isFresh;

function tellPresent(parts: ExecuteParts, { record, container, isFresh }: ImageWanted): void {
  // Its pull was told.
  if (isFresh) return;
  const message = `Container image ${JSON.stringify(container.image ?? '')} already present on machine`;
  parts.events.add({ type: 'Normal', reason: 'Pulled', message, ...about(parts, record, container.name) });
}

async function ensureImage(parts: ExecuteParts, wanted: ImageWanted): Promise<void> {
  const { record, container, config } = wanted;
  const { image = '', imagePullPolicy } = container;
  const whose = about(parts, record, container.name);
  const fail = (reason: string, message: string, more: Partial<Trouble> = {}, cause?: unknown) => {
    parts.events.add({ type: 'Warning', reason: 'Failed', message: `Error: ${reason}`, ...whose });
    return new ActionFailed({ ...trouble(parts, 'image', reason, message), ...more }, cause);
  };
  /** What the engine says of the name itself. */
  const unusable = (reason: string, message: string, cause: unknown) => {
    parts.events.add({ type: 'Warning', reason: 'InspectFailed', message, ...whose });
    return fail(reason, message, {}, cause);
  };
  const isHere = () =>
    parts.runtime.hasImage(image).catch((error: Error) => {
      if (isRuntimeError(error, 'unreachable') || isRuntimeError(error, 'timeout')) throw error;
      const message = `Failed to inspect image ${JSON.stringify(image)}: ${error.message}`;
      throw unusable('ImageInspectError', message, error);
    });
  if (isTakenAsItIs(wanted) && (await isHere())) return tellPresent(parts, wanted);
  if (imagePullPolicy === 'Never') {
    const message = `Container image ${JSON.stringify(image)} is not present with pull policy of Never`;
    parts.events.add({ type: 'Warning', reason: 'ErrImageNeverPull', message, ...whose });
    throw fail('ErrImageNeverPull', message);
  }
  parts.events.add({
    type: 'Normal',
    reason: 'Pulling',
    message: `Pulling image ${JSON.stringify(image)}`,
    ...whose,
  });
  const began = parts.monotonicNow();
  try {
    await pullByAny(parts, image, credentialsFor(parts, record, image, config));
  } catch (error) {
    if (isRuntimeError(error, 'unreachable')) throw error;
    if (isRuntimeError(error, 'invalid')) {
      const message = `Failed to apply default image tag ${JSON.stringify(image)}: couldn't parse image name ${JSON.stringify(image)}: ${(error as Error).message}`;
      throw unusable('InvalidImageName', message, error);
    }
    const why = `Failed to pull image ${JSON.stringify(image)}: ${(error as Error).message}`;
    parts.events.add({ type: 'Warning', reason: 'Failed', message: why, ...whose });
    if (isRuntimeError(error, 'pull-failed') && (await mayDoWithoutPull(parts, record, image))) {
      const message = `Container image ${JSON.stringify(image)} already present on machine; it is used, as its registry does not answer`;
      parts.events.add({ type: 'Normal', reason: 'Pulled', message, ...whose });
      return;
    }
    const reason = isRuntimeError(error, 'no-space') ? 'InsufficientDiskSpace' : 'ErrImagePull';
    // Another login may do.
    const state = config.pullSecrets.length > 0 ? { config: config.state } : {};
    const failed = fail(reason, (error as Error).message, state, error);
    const backOff = `Back-off pulling image ${JSON.stringify(image)}`;
    parts.events.add({ type: 'Normal', reason: 'BackOff', message: backOff, ...whose });
    throw failed;
  }
  const took = `${((parts.monotonicNow() - began) / 1000).toFixed(3)}s`;
  parts.events.add({
    type: 'Normal',
    reason: 'Pulled',
    message: `Successfully pulled image ${JSON.stringify(image)} in ${took} (${took} including waiting)`,
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
