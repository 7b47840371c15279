// Starts and stops one container, each with its lifecycle hook (rules 101, 103 and 104).
import type { StartAction, StopAction } from '@fleetset/scheduler-core/node/node-action';
import { allContainers, HOLDER, type PodRecord } from '@fleetset/scheduler-core/node/pod-record';
import { DEFAULT_GRACE_SECONDS, graceLeft } from '@fleetset/scheduler-core/node/stop-grace';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import { pause } from '../pause.ts';
import { isRuntimeError, type RuntimeError } from '../runtime/container-runtime.ts';
import { withinTimer } from '../timer-limit.ts';
import { ActionFailed } from './action-failed.ts';
import { about, type ExecuteParts, isListed, trouble } from './action-parts.ts';
import { endContainer } from './end-container.ts';
import { ensureVolumes, hasBoundPaths, prepareContainer, volumePod } from './prepare-container.ts';
import { runHook } from './run-hook.ts';

const NO_LIMIT_MS = withinTimer(Number.POSITIVE_INFINITY);

export async function startContainer(parts: ExecuteParts, action: StartAction): Promise<void> {
  const found = specOf(parts, action.podUid, action.container);
  const hook = found?.container?.lifecycle?.postStart;
  if (found && !action.isFresh) await renewVolumes(parts, action, found);
  if (!found || !hook) return begin(parts, action, found?.record);
  // From before it runs: nobody is to see it run until the hook has ended.
  await parts.hooks.run(action.id, action.podUid, async (broken) => {
    await begin(parts, action, found.record);
    const signal = AbortSignal.any([parts.signal, broken]);
    try {
      await runHook(parts.runtime, targetOf(parts, action, found), hook, NO_LIMIT_MS, signal);
    } catch (error) {
      // The agent stops: the container is left as it is.
      if (parts.signal.aborted) return;
      await killAfterHook(parts, action, found.record, error as Error, broken.aborted);
    }
  });
}

/** It may have been made before a reboot: what lay in memory then, and what was bound, is made again. */
async function renewVolumes(
  parts: ExecuteParts,
  { podUid }: StartAction,
  { record, container }: FoundSpec,
): Promise<void> {
  const template = parts.templateOf(record);
  if (!template?.spec || !container) return;
  const pod = volumePod(parts, record, template, parts.podIp(podUid));
  try {
    await ensureVolumes(parts, pod);
    if (hasBoundPaths(template.spec, container)) await prepareContainer(parts, pod, container);
  } catch (error) {
    if (!(error instanceof ActionFailed) || error.trouble.kind !== 'create') throw error;
    throw new ActionFailed({ ...error.trouble, kind: 'start' }, error);
  }
}

async function killAfterHook(
  parts: ExecuteParts,
  action: StartAction,
  record: PodRecord,
  error: Error,
  isStopping: boolean,
): Promise<void> {
  // The pod's end has stopped it: it is ended with its own grace.
  if (isStopping) return;
  parts.events.add({
    type: 'Warning',
    reason: 'FailedPostStartHook',
    message: 'PostStartHook failed',
    ...about(parts, record, action.container),
  });
  const grace = parts.templateOf(record)?.spec?.terminationGracePeriodSeconds;
  await stopContainer(parts, {
    ...action,
    kind: 'stop',
    graceSeconds: grace ?? DEFAULT_GRACE_SECONDS,
    reason: 'FailedPostStartHook',
  });
  throw new ActionFailed(trouble(parts, 'hook', 'PostStartHookError', error.message), error);
}

async function begin(parts: ExecuteParts, action: StartAction, record: PodRecord | undefined): Promise<void> {
  try {
    await parts.runtime.start(action.id);
  } catch (error) {
    if (isRuntimeError(error, 'unreachable') || isRuntimeError(error, 'timeout')) throw error;
    // What is not found may be the network it was to join.
    if (isRuntimeError(error, 'not-found') && !(await isListed(parts, ({ id }) => id === action.id))) return;
    const message = (error as RuntimeError).message;
    throw new ActionFailed(trouble(parts, 'start', 'RunContainerError', message), error);
  }
  if (action.container === HOLDER || !record) return;
  parts.events.add({
    type: 'Normal',
    reason: 'Started',
    message: `Started container ${action.container}`,
    ...about(parts, record, action.container),
  });
}

export async function stopContainer(parts: ExecuteParts, action: StopAction): Promise<void> {
  const { graceSeconds } = action;
  const found = specOf(parts, action.podUid, action.container);
  if (action.container !== HOLDER && found)
    parts.events.add({
      type: 'Normal',
      reason: 'Killing',
      message: `Stopping container ${action.container}: ${action.reason}`,
      ...about(parts, found.record, action.container),
    });
  const hookMs = found && graceSeconds > 0 ? await runPreStop(parts, action, found) : 0;
  const turnMs = graceSeconds > 0 ? await waitForTurn(parts, action, graceSeconds * 1000 - hookMs) : 0;
  parts.signal.throwIfAborted();
  await endContainer(parts, { ...action, graceSeconds: graceLeft(graceSeconds, hookMs, turnMs) });
}

interface FoundSpec {
  readonly record: PodRecord;
  readonly container: Container | undefined;
}

function specOf(parts: ExecuteParts, podUid: string, name: string): FoundSpec | undefined {
  const record = parts.pods.get(podUid)?.record;
  const spec = record && parts.templateOf(record)?.spec;
  const container = spec && allContainers(spec).find((one) => one.name === name);
  return record && { record, container };
}

function targetOf(
  parts: ExecuteParts,
  { podUid, id }: { readonly podUid: string; readonly id: string },
  { record, container = { name: '' } }: FoundSpec,
) {
  const podIp = parts.podIp(podUid);
  return { record, container, containerId: id, ...(podIp === undefined ? {} : { podIp }) };
}

/** Answers how long it took; at most the grace. What fails is told and changes nothing. */
async function runPreStop(parts: ExecuteParts, action: StopAction, found: FoundSpec): Promise<number> {
  const hook = found.container?.lifecycle?.preStop;
  if (!hook) return 0;
  const began = parts.monotonicNow();
  const limitMs = withinTimer(action.graceSeconds * 1000);
  const over = new AbortController();
  const timer = setTimeout(
    () => over.abort(new Error(`the hook took longer than the grace of ${action.graceSeconds} s`)),
    limitMs,
  );
  const signal = AbortSignal.any([parts.signal, over.signal]);
  try {
    await runHook(parts.runtime, targetOf(parts, action, found), hook, limitMs, signal);
  } catch {
    if (!over.signal.aborted && !parts.signal.aborted)
      parts.events.add({
        type: 'Warning',
        reason: 'FailedPreStopHook',
        message: 'PreStopHook failed',
        ...about(parts, found.record, action.container),
      });
  } finally {
    clearTimeout(timer);
  }
  return parts.monotonicNow() - began;
}

/** Answers how long it waited for those that end before it. */
async function waitForTurn(
  parts: ExecuteParts,
  { podUid, after = [] }: StopAction,
  limitMs: number,
): Promise<number> {
  const began = parts.monotonicNow();
  if (limitMs <= 0 || after.length === 0 || !parts.anyRuns(podUid, after)) return 0;
  const over = new AbortController();
  const signal = AbortSignal.any([parts.signal, over.signal]);
  const limit = pause(withinTimer(limitMs), signal).then(() => over.abort());
  while (!signal.aborted && parts.anyRuns(podUid, after)) await parts.nextLook(signal);
  over.abort();
  await limit;
  return parts.monotonicNow() - began;
}
