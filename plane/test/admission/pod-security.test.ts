// Pod Security Standards through the real plane: who is warned, which pods are not made, and what runs on.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, MERGE, STRATEGIC } from '../support/api-client.ts';
import { auditLines } from '../support/audit-lines.ts';
import { createHollowFleet, type HollowFleet } from '../support/hollow-fleet.ts';
import { daemonSet, newNamespace } from '../support/manifests.ts';
import { tempDir } from '../support/temp-dir.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

const PREFIX = 'pod-security.kubernetes.io';
const HOST = { pod: { hostNetwork: true } };
const VIOLATES = 'PodSecurity "baseline:latest": host namespaces (hostNetwork=true)';
const auditPath = join(tempDir(), 'audit.log');
let plane: TestPlane;
let fleet: HollowFleet;
beforeAll(async () => {
  plane = await startTestPlane({ audit: { path: auditPath, maxSize: 0, maxAge: 0, maxBackups: 0 } });
  fleet = createHollowFleet(plane);
  await fleet.add(3);
});
afterAll(async () => {
  fleet.stop();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const label = (namespace: string, labels: Json) =>
  plane.api.call('PATCH', `/api/v1/namespaces/${namespace}`, { metadata: { labels } }, { type: MERGE });
const setsIn = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/daemonsets`;
const warningsOf = ({ headers }: { headers: Json }): string[] =>
  [...(headers.warning ?? '').matchAll(/299 - ("(?:[^"\\]|\\.)*")/g)].map(([, text]) =>
    JSON.parse(text as string),
  );
const get = (namespace: string, name: string) => plane.api.ok('GET', `${setsIn(namespace)}/${name}`);
const births = (set: Json) => fleet.births(set);
const untilReady = (namespace: string, name: string, ready: number) =>
  until(
    `${name} is ready on ${ready}`,
    async () => (await get(namespace, name)).status.numberReady === ready,
  );
const failureOf = async (namespace: string, name: string): Promise<Json> =>
  (await get(namespace, name)).status.conditions?.find(({ type }: Json) => type === 'ReplicaFailure');

describe('a namespace', () => {
  it('with labels that cannot be read is refused, by the label', async () => {
    const labels = { [`${PREFIX}/enforce`]: 'strict', [`${PREFIX}/warn-version`]: '1.30' };
    const reply = await plane.api.call('POST', '/api/v1/namespaces', { metadata: { name: 'bad', labels } });
    expect([reply.status, reply.json.details.causes.map(({ field }: Json) => field)]).toEqual([
      422,
      [`metadata.labels[${PREFIX}/enforce]`, `metadata.labels[${PREFIX}/warn-version]`],
    ]);
    const namespace = await newNamespace(plane.api);
    expect((await label(namespace, labels)).status).toBe(422);
  });
});

describe('a DaemonSet', () => {
  it('that would violate is let in with a warning, and noted in the audit log', async () => {
    const namespace = await newNamespace(plane.api);
    await label(namespace, { [`${PREFIX}/warn`]: 'baseline', [`${PREFIX}/audit`]: 'baseline' });
    const reply = await plane.api.call('POST', setsIn(namespace), daemonSet('host', HOST));
    expect([reply.status, warningsOf(reply)]).toEqual([201, [`would violate ${VIOLATES}`]]);
    const event = await auditLines(auditPath).next(
      'the creation',
      ({ verb, objectRef }) => verb === 'create' && objectRef.namespace === namespace,
    );
    expect(event.annotations[`${PREFIX}/audit-violations`]).toBe(`would violate ${VIOLATES}`);
    await untilReady(namespace, 'host', 3);
    const status = { status: { numberReady: 3 } };
    const again = await plane.api.call('PATCH', `${setsIn(namespace)}/host/status`, status, { type: MERGE });
    expect(warningsOf(again)).toEqual([]);
  });

  it('whose pods are forbidden is let in, and gets none: that is told everywhere, until it may', async () => {
    const namespace = await newNamespace(plane.api);
    await label(namespace, { [`${PREFIX}/enforce`]: 'baseline' });
    const reply = await plane.api.call('POST', setsIn(namespace), daemonSet('host', HOST));
    expect([reply.status, warningsOf(reply)]).toEqual([201, [`would violate ${VIOLATES}`]]);
    const forbidden = `pods "host-" is forbidden: violates ${VIOLATES}`;
    const condition = await until('it is told', () => failureOf(namespace, 'host'));
    expect(condition).toMatchObject({ status: 'True', reason: 'FailedCreate', message: forbidden });
    const event = await until('its event', async () => {
      const { items } = await plane.api.ok('GET', `/api/v1/namespaces/${namespace}/events`);
      return items.find(({ reason }: Json) => reason === 'FailedCreate');
    });
    expect(event).toMatchObject({
      type: 'Warning',
      message: `Error creating: ${forbidden}`,
      involvedObject: { kind: 'DaemonSet', name: 'host' },
      source: { component: 'daemonset-controller' },
    });
    const { items } = await plane.api.ok('GET', `/apis/fleetset.dev/v1/namespaces/${namespace}/placements`);
    expect(items.map(({ status }: Json) => status.waiting)).toEqual(Array(3).fill(`violates ${VIOLATES}`));
    const set = await get(namespace, 'host');
    expect([births(set), set.status.desiredNumberScheduled]).toEqual([[0, 0, 0], 3]);

    await label(namespace, { [`${PREFIX}/enforce`]: 'privileged' });
    await untilReady(namespace, 'host', 3);
    expect(await failureOf(namespace, 'host')).toBeUndefined();
  });

  it('whose pods are forbidden later keeps them, gets no new ones, and who did that is told', async () => {
    const namespace = await newNamespace(plane.api);
    await plane.api.ok('POST', setsIn(namespace), daemonSet('host', HOST));
    await untilReady(namespace, 'host', 3);
    const reply = await label(namespace, { [`${PREFIX}/enforce`]: 'baseline' });
    const [head, line, ...more] = warningsOf(reply);
    expect([reply.status, head, more]).toEqual([
      200,
      `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "baseline:latest"`,
      [],
    ]);
    expect(line).toMatch(/^host-[a-z0-9]{5} \(and 2 other pods\): host namespaces$/);
    const set = await get(namespace, 'host');
    expect(await failureOf(namespace, 'host')).toBeUndefined();

    const { items } = await plane.api.ok('GET', `/api/v1/namespaces/${namespace}/pods`);
    await plane.api.ok('DELETE', `/api/v1/namespaces/${namespace}/pods/${items[0].metadata.name}`);
    await until('it is told', () => failureOf(namespace, 'host'));
    await untilReady(namespace, 'host', 2);
    expect(births(set)).toEqual([1, 1, 1]);
    const { items: placements } = await plane.api.ok(
      'GET',
      `/apis/fleetset.dev/v1/namespaces/${namespace}/placements`,
    );
    expect(placements.map(({ status }: Json) => status.waiting).filter(Boolean)).toEqual([
      `violates ${VIOLATES}`,
    ]);

    expect(warningsOf(await label(namespace, { [`${PREFIX}/enforce`]: null }))).toEqual([]);
    await untilReady(namespace, 'host', 3);
    expect(births(set).toSorted()).toEqual([1, 1, 2]);
  });

  it('whose new template is forbidden keeps the old one on every node, the one that was deleted included', async () => {
    const namespace = await newNamespace(plane.api);
    await label(namespace, { [`${PREFIX}/enforce`]: 'baseline' });
    await plane.api.ok('POST', setsIn(namespace), daemonSet('web'));
    await untilReady(namespace, 'web', 3);
    const change = { spec: { template: { spec: { hostNetwork: true } } } };
    const changed = await plane.api.call('PATCH', `${setsIn(namespace)}/web`, change, { type: STRATEGIC });
    expect(warningsOf(changed)).toEqual([`would violate ${VIOLATES}`]);
    await until('it is told', () => failureOf(namespace, 'web'));
    const pods = `/api/v1/namespaces/${namespace}/pods`;
    const { items } = await plane.api.ok('GET', pods);
    await plane.api.ok('DELETE', `${pods}/${items[0].metadata.name}`);
    await until('another one comes', async () => {
      const now = (await plane.api.ok('GET', pods)).items.filter(
        ({ metadata }: Json) => !metadata.deletionTimestamp,
      );
      return now.length === 3 && now.every(({ metadata }: Json) => metadata.uid !== items[0].metadata.uid);
    });
    const { items: now } = await plane.api.ok('GET', pods);
    expect(now.map(({ spec }: Json) => spec.hostNetwork ?? false)).toEqual([false, false, false]);
    const { status } = await get(namespace, 'web');
    expect(status.conditions.find(({ type }: Json) => type === 'Progressing').message).toContain(VIOLATES);
    expect(status.updatedNumberScheduled ?? 0).toBe(0);
  });
});
