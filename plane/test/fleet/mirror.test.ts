// Pods are born on their nodes; the plane shows what the nodes report (rules 4, 15, 76, 77).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { daemonSet, EVENTS, NODES, PODS, SETS } from '../support/manifests.ts';
import { agentEvent, placement, podReport, podStatus } from '../support/reports.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { turns, until } from '../support/until.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startTestPlane();
});
afterAll(async () => {
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

let count = 0;
const newSet = (options?: Json): Promise<Json> =>
  plane.api.ok('POST', SETS, daemonSet(`m${++count}`, options));
const pods = async (query = ''): Promise<Json[]> => (await plane.api.ok('GET', PODS + query)).items;
const podsOf = async (set: Json) =>
  (await pods()).filter(({ metadata }) => metadata.ownerReferences[0].uid === set.metadata.uid);

/** A node that runs one pod of the set, mirrored. */
async function running(
  set: Json,
  more: Json = {},
): Promise<{ member: HollowMember; report: Json; pod: Json }> {
  const member = await joinMember(plane);
  member.report({ placements: [placement(set, 'Run')] });
  const report = podReport(set, await member.granted(set), more);
  member.report({ placements: [placement(set, 'Run')], pods: [report] });
  const pod = await until('the pod is mirrored', async () =>
    (await podsOf(set)).find(({ metadata }) => metadata.uid === report.uid),
  );
  return { member, report, pod };
}

describe('a mirrored pod', () => {
  it('is what Kubernetes makes of the template on its way to a node', async () => {
    const set = await newSet({
      pod: {
        hostNetwork: true,
        tolerations: [{ key: 'mine', operator: 'Exists' }],
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'disk', operator: 'DoesNotExist' }] }],
            },
          },
        },
        containers: [
          {
            name: 'main',
            image: 'i:1',
            ports: [{ containerPort: 9100 }],
            resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
          },
        ],
      },
    });
    const { member, report, pod } = await running(set);
    expect(pod.metadata).toMatchObject({
      name: report.name,
      generateName: `${set.metadata.name}-`,
      uid: report.uid,
      creationTimestamp: report.createdAt,
      labels: { app: set.metadata.name, 'controller-revision-hash': report.revision },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'DaemonSet',
          name: set.metadata.name,
          uid: set.metadata.uid,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    });
    expect(pod.spec.nodeName).toBe(member.name);
    // Rule 15: the node takes the place of what the user required.
    expect(pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution).toEqual({
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [member.name] }] }],
    });
    // Rule 4: with hostNetwork the seventh of the automatic tolerations.
    expect(pod.spec.tolerations.map(({ key, effect }: Json) => `${key}:${effect ?? ''}`)).toEqual([
      'mine:',
      'node.kubernetes.io/not-ready:NoExecute',
      'node.kubernetes.io/unreachable:NoExecute',
      'node.kubernetes.io/disk-pressure:NoSchedule',
      'node.kubernetes.io/memory-pressure:NoSchedule',
      'node.kubernetes.io/pid-pressure:NoSchedule',
      'node.kubernetes.io/unschedulable:NoSchedule',
      'node.kubernetes.io/network-unavailable:NoSchedule',
    ]);
    // Rules 76 and 77: on the pod, not in the template.
    expect(pod.spec.containers[0].resources.requests).toEqual({ cpu: '500m', memory: '1Gi' });
    expect(pod.spec.containers[0].ports).toEqual([
      expect.objectContaining({ containerPort: 9100, hostPort: 9100, protocol: 'TCP' }),
    ]);
    expect(set.spec.template.spec.containers[0].resources.requests).toEqual({ cpu: '500m' });
    expect(pod.status).toEqual(podStatus(true));
    member.leave();
  });

  it('can be selected by its node, its phase and its labels, and follows its report', async () => {
    const set = await newSet();
    const { member, report } = await running(set);
    const byNode = `?fieldSelector=spec.nodeName%3D${member.name}`;
    expect(await pods(byNode)).toHaveLength(1);
    expect(await pods(`${byNode},status.phase!%3DRunning`)).toHaveLength(0);
    expect(await pods(`?labelSelector=app%3D${set.metadata.name}`)).toHaveLength(1);
    const failing = podStatus(false, { phase: 'Pending', reason: 'ImagePullBackOff' });
    member.report({ pods: [{ ...report, ready: false, statusJson: JSON.stringify(failing) }] as never });
    await until('Pending', async () => (await pods(`${byNode},status.phase%3DPending`))[0]);
    member.leave();
  });

  it('keeps its version while its report says the same', async () => {
    const { member, report, pod } = await running(await newSet());
    for (let times = 0; times < 3; times++) member.report({ pods: [report] as never });
    const changed = { ...report, statusJson: JSON.stringify(podStatus(true, { podIP: '10.9.9.9' })) };
    const watch = await plane.api.watch(
      `${PODS}?watch=true&resourceVersion=${pod.metadata.resourceVersion}&fieldSelector=metadata.name%3D${pod.metadata.name}`,
    );
    member.report({ pods: [changed] as never });
    const event = await watch.next('the change');
    expect(event).toMatchObject({ type: 'MODIFIED', object: { status: { podIP: '10.9.9.9' } } });
    expect(watch.events).toHaveLength(1);
    watch.close();
    member.leave();
  });

  // The bug this found: its labels and annotations were gone, and with them every selector that had found it.
  it('of a revision that is no longer known keeps the spec, the labels and the annotations it had', async () => {
    const name = `m${count + 1}`;
    const containers = [{ name: 'main', image: 'i' }];
    const template = {
      metadata: { labels: { app: name }, annotations: { a: 'kept' } },
      spec: { containers },
    };
    const set = await newSet({ spec: { template } });
    const { member, report, pod } = await running(set);
    await plane.api.ok('DELETE', `${SETS}/${set.metadata.name}`);
    await until('the history is gone', async () => {
      const path = '/apis/apps/v1/namespaces/default/controllerrevisions';
      return !(await plane.api.ok('GET', path)).items.some((one: Json) =>
        one.metadata.name.startsWith(`${set.metadata.name}-`),
      );
    });
    member.report({ pods: [{ ...report, terminating: true, graceSeconds: 20 }] as never });
    const terminating = await until('Terminating', async () =>
      (await pods()).find(
        ({ metadata }) => metadata.uid === pod.metadata.uid && metadata.deletionTimestamp !== undefined,
      ),
    );
    expect(terminating.spec).toEqual(pod.spec);
    expect(terminating.metadata.labels).toEqual(pod.metadata.labels);
    expect(terminating.metadata.labels.app).toBe(name);
    expect(terminating.metadata.annotations).toEqual({ a: 'kept' });
    expect(terminating.metadata.deletionGracePeriodSeconds).toBe(20);
    member.report({ pods: [] });
    await until('gone', async () => (await podsOf(set)).length === 0);
    member.leave();
  });

  it('of which no plane knows the template has the containers that its node tells of', async () => {
    const set = { metadata: { uid: 'gone', name: 'gone', namespace: 'default' } };
    const status = podStatus(true);
    const [main] = status.containerStatuses;
    const told = {
      ...status,
      initContainerStatuses: [
        { ...main, name: 'first', ready: true, state: { terminated: { exitCode: 0 } } },
        { ...main, name: 'car', image: 'car:1', started: true },
      ],
    };
    const member = await joinMember(plane);
    const report = podReport(set, 'abc', { terminating: true, graceSeconds: 30 });
    member.report({ pods: [{ ...report, statusJson: JSON.stringify({ phase: 'Running' }) }] });
    await until('it is there', async () => (await podsOf(set))[0]);
    member.report({ pods: [{ ...report, statusJson: JSON.stringify(told) }] });
    const pod = await until('its containers', async () =>
      (await podsOf(set)).find(({ spec }) => spec.containers.length > 0),
    );
    expect(pod.spec).toMatchObject({
      nodeName: member.name,
      initContainers: [
        { name: 'first', image: 'i' },
        { name: 'car', image: 'car:1', restartPolicy: 'Always' },
      ],
      containers: [{ name: 'main', image: 'i' }],
    });
    const table = await plane.api.ok('GET', `${PODS}/${pod.metadata.name}`, undefined, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    expect(table.rows[0].cells.slice(0, 3)).toEqual([pod.metadata.name, '2/2', 'Terminating']);
    member.leave();
  });

  it('is known to the events of the very report that first shows it', async () => {
    const set = await newSet();
    const member = await joinMember(plane);
    member.report({ placements: [placement(set, 'Run')] });
    const report = podReport(set, await member.granted(set));
    const event = agentEvent({ reason: 'FirstWord', podUid: report.uid });
    member.report({ placements: [placement(set, 'Run')], pods: [report], events: [event] });
    const query = `?fieldSelector=involvedObject.uid%3D${report.uid},reason%3DFirstWord`;
    await until('the event', async () => (await plane.api.ok('GET', EVENTS + query)).items[0]);
    member.leave();
  });

  it('vanishes when its node shows it no more, and its DaemonSet says so', async () => {
    const set = await newSet();
    const { member, pod } = await running(set);
    member.report({ pods: [] });
    await until(
      'gone',
      async () => (await plane.api.call('GET', `${PODS}/${pod.metadata.name}`)).status === 404,
    );
    const query = `?fieldSelector=involvedObject.uid%3D${set.metadata.uid}`;
    const reasons = await until('both events', async () => {
      const events = (await plane.api.ok('GET', EVENTS + query)).items;
      return events.length === 2 ? events : undefined;
    });
    expect(reasons.map(({ reason, message }: Json) => `${reason}: ${message}`).sort()).toEqual([
      `SuccessfulCreate: Created pod: ${pod.metadata.name}`,
      `SuccessfulDelete: Deleted pod: ${pod.metadata.name}`,
    ]);
    const ofPod = `${EVENTS}?fieldSelector=involvedObject.uid%3D${pod.metadata.uid}`;
    expect((await plane.api.ok('GET', ofPod)).items).toMatchObject([
      {
        reason: 'Scheduled',
        message: `Successfully assigned default/${pod.metadata.name} to ${member.name}`,
        source: { component: 'default-scheduler' },
        count: 1,
      },
    ]);
    member.leave();
  });

  it('outlives a planned restart of the plane, and the agent coming back makes it no other', async () => {
    const set = await newSet();
    const { member, report, pod } = await running(set);
    await plane.restart();
    expect(await plane.api.ok('GET', `${PODS}/${pod.metadata.name}`)).toEqual(pod);
    await member.reconnect();
    member.report({ placements: [placement(set, 'Run')], pods: [report] as never });
    await until('heard', () => plane.hasHeard(member.name));
    expect(await plane.api.ok('GET', `${PODS}/${pod.metadata.name}`)).toEqual(pod);
    member.leave();
  });
});

describe('two nodes that choose the same name for a pod', () => {
  it('are both shown, the second with letters of its uid', async () => {
    const set = await newSet();
    const first = await running(set, { name: 'same-name' });
    const second = await running(set, { name: 'same-name' });
    expect(first.pod.metadata.name).toBe('same-name');
    expect(second.pod.metadata.name).toBe(`same-name-${second.report.uid.slice(0, 5)}`);
    expect(second.pod.spec.nodeName).toBe(second.member.name);
    // Each goes on as itself.
    second.member.report({ pods: [{ ...second.report, statusJson: '{"phase":"Failed"}' }] as never });
    await until('only the second failed', async () => {
      const pod = await plane.api.ok('GET', `${PODS}/${second.pod.metadata.name}`);
      return pod.status.phase === 'Failed';
    });
    expect((await plane.api.ok('GET', `${PODS}/same-name`)).status.phase).toBe('Running');
    first.member.report({ pods: [] });
    second.member.report({ pods: [] });
    await until('gone', async () => (await podsOf(set)).length === 0);
    first.member.leave();
    second.member.leave();
  });

  // The bug this found: once the first was gone the second moved to the plain name: for clients a pod was deleted and
  // another made, under a uid that already was.
  it('keep their names when the other goes', async () => {
    const set = await newSet();
    const first = await running(set, { name: 'kept-name' });
    const second = await running(set, { name: 'kept-name' });
    const watch = await plane.api.watch(
      `${PODS}?watch=true&resourceVersion=${second.pod.metadata.resourceVersion}`,
    );
    first.member.report({ pods: [] });
    await watch.next(
      'the first goes',
      ({ type, object }) => type === 'DELETED' && object.metadata.uid === first.report.uid,
    );
    second.member.report({
      pods: [{ ...second.report, statusJson: JSON.stringify(podStatus(false)) }] as never,
    });
    const event = await watch.next(
      'the second changes',
      ({ object }) => object.metadata.uid === second.report.uid,
    );
    expect([event.type, event.object.metadata.name]).toEqual(['MODIFIED', second.pod.metadata.name]);
    watch.close();
    first.member.leave();
    second.member.leave();
  });

  // The bug this found: what an agent says of its pod was recorded for the name that the agent knows.
  it('have their events told of each by the name it is shown under', async () => {
    const set = await newSet();
    const first = await running(set, { name: 'noisy-name' });
    const second = await running(set, { name: 'noisy-name' });
    const podUid = second.report.uid;
    second.member.report({
      pods: [second.report] as never,
      events: [
        {
          sequence: 1,
          type: 'Warning',
          reason: 'Loud',
          message: 'm',
          podUid,
          daemonSetUid: '',
          fieldPath: '',
        },
      ],
    });
    const event = await until('the event', async () => {
      const query = `?fieldSelector=involvedObject.uid%3D${podUid},reason%3DLoud`;
      return (await plane.api.ok('GET', EVENTS + query)).items[0];
    });
    expect(event.involvedObject.name).toBe(second.pod.metadata.name);
    first.member.leave();
    second.member.leave();
  });
});

describe('a node that is removed while it reports', () => {
  // The bug this found: a report under way put the pods of a removed node back, where nobody took them away again.
  it('leaves no pod behind, whichever comes first', async () => {
    const set = await newSet();
    const { metadata } = set;
    for (let round = 0; round < 15; round++) {
      const member = await joinMember(plane);
      member.report({ placements: [placement(set, 'Run')] });
      const revision = await member.granted(set);
      const report = (n: number) =>
        member.report({
          facts: {
            labels: { 'kubernetes.io/hostname': member.name, n: String(n) },
            taints: [],
            statusJson: '{}',
            holds: [],
            maintenance: undefined,
          },
          pods: Array.from({ length: 5 }, () => podReport(set, revision)),
        });
      report(0);
      const deletion = plane.api.ok('DELETE', `${NODES}/${member.name}`);
      for (let n = 1; n <= round; n++) report(n);
      await deletion;
      await member.stream.untilEnd();
      await turns(50);
      member.leave();
    }
    await until('no pod is left', async () => (await podsOf({ metadata })).length === 0);
  });
});
