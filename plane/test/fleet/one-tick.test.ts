// Two writers of one pod or node in one tick: what a report says, what an operator deletes, what silence means.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { podKind } from '../../src/kinds/pod-kind.ts';
import type { Json } from '../support/api-client.ts';
import { type IntakeParts, intakeParts } from '../support/intake-parts.ts';
import { agentEvent, facts, podReport, podStatus, report } from '../support/reports.ts';
import { turns } from '../support/until.ts';

const SET = { metadata: { name: 'web', namespace: 'default', uid: 'u' } };
const OPTIONS = { dryRun: false, propagation: 'Background' } as const;

let parts: IntakeParts;
beforeEach(async () => {
  parts = intakeParts();
  await parts.put('n');
});
afterEach(async () => {
  vi.useRealTimers();
  await parts.close();
  expect(parts.failures).toEqual([]);
});

const pod = podReport(SET, 'r', { name: 'web-a' });
const take = (pods: readonly Json[], node = 'n') =>
  parts.intake.take(node, report(node, { pods: pods as never }));
/** Its status changes each time, so that there is something to write. */
let count = 0;
const changed = (one: Json = pod) => ({
  ...one,
  statusJson: JSON.stringify(podStatus(true, { podIP: `10.0.0.${++count}` })),
});
const remove = (graceSeconds?: number) =>
  parts.objects.remove(podKind, 'default', 'web-a', {
    ...OPTIONS,
    ...(graceSeconds === undefined ? {} : { graceSeconds }),
  });

describe('a pod that is deleted in the tick of a report that shows it', () => {
  const orders = [['the report first'], ['the deletion first']];

  // The bug this found: the report wrote over the deletion what it had made from the pod before it.
  it.each(orders)('stays deleted: %s', async (order) => {
    take([pod]);
    await turns();
    if (order === 'the report first') take([changed()]);
    const removed = remove();
    if (order === 'the deletion first') take([changed()]);
    await removed;
    await turns();
    const [shown] = parts.pods();
    expect(shown.metadata.deletionTimestamp).toBeDefined();
    expect(shown.metadata.deletionGracePeriodSeconds).toBe(30);
    expect(shown.status.podIP).toBe(`10.0.0.${count}`);
  });

  it.each(orders)('with no grace does not come back: %s', async (order) => {
    take([pod]);
    await turns();
    if (order === 'the report first') take([changed()]);
    const removed = remove(0);
    if (order === 'the deletion first') take([changed()]);
    await removed;
    await turns();
    expect(parts.pods()).toEqual([]);
    take([changed()]);
    await turns();
    expect(parts.pods()).toEqual([]);
  });
});

describe('two nodes that choose one name for a pod in one tick', () => {
  it('are both shown', async () => {
    await parts.put('m');
    const other = podReport({ metadata: { ...SET.metadata } }, 'r', { name: 'web-a' });
    take([pod]);
    take([other], 'm');
    await turns();
    expect(parts.pods().map(({ metadata, spec }) => [metadata.name, metadata.uid, spec.nodeName])).toEqual([
      ['web-a', pod.uid, 'n'],
      [`web-a-${other.uid.slice(0, 5)}`, other.uid, 'm'],
    ]);
    take([]);
    take([other], 'm');
    await turns();
    expect(parts.pods().map(({ metadata }) => metadata.uid)).toEqual([other.uid]);
  });
});

describe('one node that reports two pods of one name', () => {
  // The bug this found: the second took the place of the first.
  it.each([
    ['both new', []],
    ['the older one known', [pod]],
  ])('has both shown: %s', async (_, before) => {
    take(before);
    await turns();
    const second = podReport(SET, 'r', { name: 'web-a' });
    take([second, pod]);
    await turns();
    expect(
      parts
        .pods()
        .map(({ metadata }) => metadata.uid)
        .sort(),
    ).toEqual([pod.uid, second.uid].sort());
  });
});

const GRACE_MS = 1000;
const ready = (object: Json) => object.status.conditions.find(({ type }: Json) => type === 'Ready');
const node = () => parts.store.get('core/nodes', 'n')?.value as Json;

/** The node has been heard, long enough ago: the lifecycle loop finds it silent with its first look, in this tick. */
async function fallSilent(): Promise<void> {
  take([pod]);
  await turns();
  parts.clock.now += GRACE_MS;
}

describe('a node that is called silent', () => {
  // The bug this found: the pod was written as it had been before it was deleted.
  it.each([
    ['with the usual grace', undefined, 1],
    ['with no grace', 0, 0],
  ])('in the tick in which its pod is deleted %s leaves it deleted', async (_, graceSeconds, left) => {
    await fallSilent();
    const removed = remove(graceSeconds);
    const lifecycle = parts.lifecycle(GRACE_MS);
    await removed;
    await turns();
    expect(ready(node()).status).toBe('Unknown');
    expect(parts.pods()).toHaveLength(left);
    for (const shown of parts.pods()) {
      expect(shown.metadata.deletionTimestamp).toBeDefined();
      expect(ready(shown)).toMatchObject({ status: 'False', reason: 'NodeNotReady' });
    }
    await lifecycle.stop();
  });

  // Seen failing without `expect` in the node's write: the operator's label was gone.
  it('in the tick in which an operator labels it keeps the label', async () => {
    await fallSilent();
    const { version, value } = parts.store.get('core/nodes', 'n') as Json;
    const labelled = { ...value, metadata: { ...value.metadata, labels: { rack: '9' } } };
    const written = parts.store.commit([
      { collection: 'core/nodes', id: 'n', value: labelled, expect: version, durable: true },
    ]);
    const lifecycle = parts.lifecycle(GRACE_MS);
    expect((await written).committed).toBe(true);
    await turns();
    expect(node().metadata.labels).toEqual({ rack: '9' });
    expect(ready(node()).status).toBe('Unknown');
    expect(node().spec.taints).toHaveLength(2);
    expect(parts.eventsOf('NodeNotReady')).toHaveLength(1);
    await lifecycle.stop();
  });

  it('and is removed in the same tick stays removed', async () => {
    await fallSilent();
    const removed = parts.remove('n');
    const lifecycle = parts.lifecycle(GRACE_MS);
    await removed;
    await turns();
    expect(parts.store.get('core/nodes', 'n')).toBeUndefined();
    expect(parts.pods()).toEqual([]);
    await lifecycle.stop();
  });
});

describe('a grace of more than a timer can count', () => {
  // The bug this found: the timer took it for a millisecond, and the loop spun.
  it('is waited for, and not looked at again and again', async () => {
    take([pod]);
    await turns();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const timers = vi.spyOn(globalThis, 'setTimeout');
    const lifecycle = parts.lifecycle(40 * 86_400_000);
    await turns();
    expect(timers).toHaveBeenCalledOnce();
    expect(timers.mock.calls[0]?.[1]).toBe(2 ** 31 - 1);
    await lifecycle.stop();
    timers.mockRestore();
  });
});

describe('events of a report that another one overtakes', () => {
  // Seen failing when only the newest report that waits is kept, and its own events with it.
  it('are recorded all the same', async () => {
    for (const reason of ['First', 'Second', 'Third'])
      parts.intake.take('n', report('n', { facts: facts('n'), events: [agentEvent({ reason })] }));
    await turns();
    for (const reason of ['First', 'Second', 'Third']) expect(parts.eventsOf(reason)).toHaveLength(1);
  });
});

describe('an intake that is closed', () => {
  // The bug this found: a report under way failed on the closed store, and was tried again each second for ever.
  it('tries nothing again, and takes nothing more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    take([pod]);
    parts.intake.close();
    await parts.store.close();
    await turns();
    expect(vi.getTimerCount()).toBe(0);
    take([changed()]);
    await turns();
    expect(vi.getTimerCount()).toBe(0);
  });
});
