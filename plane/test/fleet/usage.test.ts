// What nodes and pods use, as `kubectl top` reads it (contract b.11): asked of the agents when somebody looks.
import type { Usage } from '@fleetset/proto/gen/fleetset/v1/node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFleet, type Session } from '../../src/fleet/fleet.ts';
import { createUsageBook } from '../../src/fleet/usage-book.ts';
import type { Json } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, SETS } from '../support/manifests.ts';
import { placement, podReport } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const METRICS = '/apis/metrics.k8s.io/v1beta1';

describe('over the API', () => {
  let plane: TestPlane;
  let member: HollowMember;
  let pod: Json;
  let answering: NodeJS.Timeout;
  beforeAll(async () => {
    plane = await startTestPlane();
    member = await joinMember(plane, 'busy');
    member.report();
    const set = await plane.api.ok('POST', SETS, daemonSet('web'));
    const made = podReport(set, await member.granted(set));
    member.report({ placements: [placement(set, 'Run')], pods: [made] });
    pod = await until('the pod is shown', async () => {
      const { items } = await plane.api.ok('GET', '/api/v1/pods');
      return items[0];
    });
    let answered = 0;
    answering = setInterval(() => {
      const asked = member.stream.heard.filter(({ $case }) => $case === 'usageWanted').length;
      for (; answered < asked; answered++) member.stream.say({ $case: 'usage', value: usage() });
    }, 5);
  });
  afterAll(async () => {
    clearInterval(answering);
    member.leave();
    expect(plane.complaints).toEqual([]);
    await plane.stop();
  });

  const usage = (): Usage => ({
    windowMs: 15_000,
    cpuNanoCores: 250_000_001,
    memoryBytes: 2 ** 30 + 1,
    pods: [
      {
        podUid: pod.metadata.uid,
        containers: [{ name: 'main', cpuNanoCores: 5_000_000, memoryBytes: 4096 }],
      },
      { podUid: 'of no pod that is shown', containers: [] },
    ],
  });

  it('a question reaches the agent, and its answer is shown under the names of node and pod', async () => {
    // The plane waits three seconds for an answer, which a loaded machine may take longer for: then it is there later.
    const nodes = await until('the answer', async () => {
      const told = await plane.api.ok('GET', `${METRICS}/nodes`);
      return told.items.length > 0 && told;
    });
    expect((await member.stream.hear('usageWanted')).forMs).toBeGreaterThanOrEqual(30_000);
    expect(nodes).toMatchObject({ kind: 'NodeMetricsList', apiVersion: 'metrics.k8s.io/v1beta1' });
    expect(nodes.items).toMatchObject([
      {
        metadata: { name: 'busy', labels: { 'kubernetes.io/hostname': 'busy' } },
        timestamp: expect.stringMatching(/Z$/),
        window: '15s',
        usage: { cpu: '250000001n', memory: '1048577Ki' },
      },
    ]);
    const { items } = await plane.api.ok('GET', `${METRICS}/namespaces/default/pods`);
    expect(items).toMatchObject([
      {
        metadata: { name: pod.metadata.name, namespace: 'default', labels: pod.metadata.labels },
        containers: [{ name: 'main', usage: { cpu: '5000000n', memory: '4Ki' } }],
      },
    ]);
    const one = await plane.api.ok('GET', `${METRICS}/namespaces/default/pods/${pod.metadata.name}`);
    expect(one).toMatchObject({ kind: 'PodMetrics', metadata: { name: pod.metadata.name } });
    expect(await plane.api.ok('GET', `${METRICS}/nodes/busy`)).toMatchObject({ kind: 'NodeMetrics' });
  });

  it('is chosen by labels and namespaces', async () => {
    const names = async (path: string) =>
      (await plane.api.ok('GET', `${METRICS}/${path}`)).items.map(({ metadata }: Json) => metadata.name);
    expect(await names('pods?labelSelector=app%3Dweb')).toEqual([pod.metadata.name]);
    expect(await names('pods?labelSelector=app%3Dother')).toEqual([]);
    expect(await names('namespaces/kube-system/pods')).toEqual([]);
  });

  it('is shown as a table, and what is not there is not found', async () => {
    const { rows } = await plane.api.ok('GET', `${METRICS}/nodes`, undefined, {
      headers: { Accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    expect(rows[0].cells).toEqual(['busy', '250000001n', '1048577Ki', '15s']);
    expect(await plane.api.call('GET', `${METRICS}/nodes/idle`)).toMatchObject({
      status: 404,
      json: { message: 'nodes.metrics.k8s.io "idle" not found' },
    });
  });
});

describe('the book of usage', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const used = (memoryBytes: number): Usage => ({ windowMs: 1000, cpuNanoCores: 1, memoryBytes, pods: [] });
  const open = () => {
    const fleet = createFleet(() => performance.now());
    const book = createUsageBook({ fleet, monotonicNow: () => performance.now(), nowText: () => 'now' });
    const join = (nodeName: string, answer: (session: Session) => void) => {
      let asked = 0;
      const gone = new AbortController();
      const session: Session = {
        nodeName,
        instanceId: 'i',
        machineId: 'm',
        agentVersion: '1',
        isBlank: false,
        send: () => {
          asked += 1;
          answer(session);
        },
        end: () => {},
        gone: gone.signal,
      };
      fleet.change(nodeName, { session });
      return { asked: () => asked, session };
    };
    const refreshTakes = async () => {
      const beganAt = performance.now();
      let took: number | undefined;
      void book.refresh().then(() => {
        took = performance.now() - beganAt;
      });
      await vi.advanceTimersByTimeAsync(4000);
      return took;
    };
    return { book, join, refreshTakes };
  };
  const answersIn = (book: () => ReturnType<typeof createUsageBook>, ms: number) => (session: Session) =>
    void setTimeout(() => book().take(session, used(ms)), ms);

  it('waits for every agent that answers, and asks none again that has just answered', async () => {
    const { book, join, refreshTakes } = open();
    const fast = join(
      'fast',
      answersIn(() => book, 500),
    );
    const slow = join(
      'slow',
      answersIn(() => book, 1200),
    );
    const both = [refreshTakes(), book.refresh()];
    expect(await both[0]).toBe(1200);
    expect([book.of('fast')?.usage.memoryBytes, book.of('slow')?.usage.memoryBytes]).toEqual([500, 1200]);
    expect(await refreshTakes()).toBe(0);
    expect([fast.asked(), slow.asked()]).toEqual([1, 1]);
  });

  it('asks again for what is older than a few seconds: a pod that has just begun is wanted too', async () => {
    const { book, join, refreshTakes } = open();
    const node = join(
      'a',
      answersIn(() => book, 20),
    );
    expect(await refreshTakes()).toBe(20);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await refreshTakes()).toBe(20);
    expect(node.asked()).toBe(2);
  });

  it('waits only once for an agent that does not know the question, until it has answered', async () => {
    const { book, join, refreshTakes } = open();
    const { session } = join('old', () => {});
    expect(await refreshTakes()).toBe(3000);
    expect(await refreshTakes()).toBe(0);
    book.take(session, used(1));
    expect(book.of('old')).toBeDefined();
  });

  it('does not show what was told long ago', async () => {
    const { book, join, refreshTakes } = open();
    let dead = false;
    join('a', (session) => {
      if (!dead) book.take(session, used(1));
    });
    await refreshTakes();
    dead = true;
    expect(book.of('a')).toBeDefined();
    await vi.advanceTimersByTimeAsync(40_000);
    expect(book.of('a')).toBeUndefined();
    expect(await refreshTakes()).toBe(3000);
    expect(book.of('a')).toBeUndefined();
  });
});
