// Whose a label or a taint is: the node's own configuration, the operators', or the plane's own account of the node.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JSON_PATCH, type Json, MERGE, STRATEGIC } from '../support/api-client.ts';
import { type HollowMember, joinMember } from '../support/hollow-member.ts';
import { EVENTS, NODES } from '../support/manifests.ts';
import { facts, newest, nodeStatus } from '../support/reports.ts';
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

const OWN_LABELS = { zone: 'a', disk: 'ssd' };
const OWN_TAINTS = [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }];
const WHY = "is set in the node's own configuration (its agent.yaml or flags): change it there";

const path = ({ name }: HollowMember) => `${NODES}/${name}`;
const read = (member: HollowMember): Promise<Json> => plane.api.ok('GET', path(member));
const patch = (member: HollowMember, change: Json, type = STRATEGIC) =>
  plane.api.call('PATCH', path(member), change, { type });
const taintTexts = (node: Json): string[] =>
  (node.spec.taints ?? []).map(({ key, value, effect }: Json) => `${key}=${value ?? ''}:${effect}`).sort();

/** A node whose configuration has labels and a taint, taken in. */
async function configured(labels: Json = OWN_LABELS, taints: Json[] = OWN_TAINTS): Promise<HollowMember> {
  const member = await joinMember(plane);
  member.report({ facts: facts(member.name, { labels, taints: taints as never }) });
  await until('Ready and known', async () => {
    const node = await read(member);
    return (
      taintTexts(node).length === taints.length &&
      Object.keys(labels).every((key) => node.metadata.labels[key])
    );
  });
  return member;
}

describe("the node's own labels and taints", () => {
  it('show on the Node beside its automatic ones', async () => {
    const member = await configured();
    const node = await read(member);
    expect(node.metadata.labels).toEqual({ 'kubernetes.io/hostname': member.name, ...OWN_LABELS });
    expect(node.spec.taints).toEqual(OWN_TAINTS);
    member.leave();
  });

  it.each<[string, Json, string, Json[]]>([
    [
      'overwritten',
      { metadata: { labels: { zone: 'b' } } },
      STRATEGIC,
      [
        {
          reason: 'FieldValueForbidden',
          field: 'metadata.labels[zone]',
          message: `Forbidden: zone=a ${WHY}`,
        },
      ],
    ],
    [
      'removed',
      { metadata: { labels: { zone: null, disk: null } } },
      MERGE,
      [
        {
          reason: 'FieldValueForbidden',
          field: 'metadata.labels[zone]',
          message: `Forbidden: zone=a ${WHY}`,
        },
        {
          reason: 'FieldValueForbidden',
          field: 'metadata.labels[disk]',
          message: `Forbidden: disk=ssd ${WHY}`,
        },
      ],
    ],
    [
      'untainted',
      { spec: { taints: [] } },
      STRATEGIC,
      [
        {
          reason: 'FieldValueForbidden',
          field: 'spec.taints',
          message: `Forbidden: gpu=yes:NoSchedule ${WHY}`,
        },
      ],
    ],
    [
      'given another value of their taint',
      { spec: { taints: [{ key: 'gpu', value: 'no', effect: 'NoSchedule' }] } },
      STRATEGIC,
      [expect.objectContaining({ field: 'spec.taints' })],
    ],
  ])(
    'cannot be %s from the API, which names the field and where to change it',
    async (_, change, type, causes) => {
      const member = await configured();
      const before = await read(member);
      const reply = await patch(member, change, type);
      expect(reply.status).toBe(422);
      expect(reply.json.details).toEqual({ name: member.name, kind: 'Node', causes });
      expect(await read(member)).toEqual(before);
      member.leave();
    },
  );

  it('do not stand in the way of what operators add, change and take away beside them', async () => {
    const member = await configured();
    const mine = { key: 'mine', value: 'x', effect: 'NoExecute' };
    expect((await patch(member, { metadata: { labels: { rack: '7', zone: 'a' } } })).status).toBe(200);
    expect((await patch(member, { spec: { taints: [mine, ...OWN_TAINTS] } })).status).toBe(200);
    await until('told', () => newest(member.stream)?.taints.length === 1);
    // Only the operators' part is told: the node knows its own.
    expect(newest(member.stream)).toMatchObject({ labels: { rack: '7' }, taints: [mine] });
    expect((await patch(member, { metadata: { labels: { rack: null } } })).status).toBe(200);
    expect((await patch(member, { spec: { taints: OWN_TAINTS } })).status).toBe(200);
    await until('told', () => newest(member.stream)?.taints.length === 0);
    expect(newest(member.stream)?.labels).toEqual({});
    member.leave();
  });

  it("follow the node's configuration, whose keys win over the operators', and leave the others alone", async () => {
    const member = await configured();
    const theirs = { key: 'theirs', effect: 'NoSchedule' };
    await patch(member, { metadata: { labels: { rack: '7', later: 'operator' } } });
    await patch(member, {
      spec: { taints: [theirs, { key: 'both', value: 'op', effect: 'NoSchedule' }, ...OWN_TAINTS] },
    });
    const labels = { zone: 'b', later: 'node' };
    const taints = [{ key: 'both', value: 'node', effect: 'NoSchedule' }];
    member.report({ facts: facts(member.name, { labels, taints }) });
    const node = await until('taken over', async () => {
      const now = await read(member);
      return now.metadata.labels.zone === 'b' ? now : undefined;
    });
    expect(node.metadata.labels).toEqual({
      'kubernetes.io/hostname': member.name,
      zone: 'b',
      later: 'node',
      rack: '7',
    });
    expect(taintTexts(node)).toEqual(['both=node:NoSchedule', 'theirs=:NoSchedule']);
    await until('told', () => newest(member.stream)?.labels.later === undefined);
    expect(newest(member.stream)).toMatchObject({
      labels: { rack: '7' },
      taints: [{ key: 'theirs', value: '', effect: 'NoSchedule' }],
    });
    // What left the configuration is the operators' again.
    expect((await patch(member, { metadata: { labels: { disk: 'hdd' } } })).status).toBe(200);
    member.leave();
  });

  it('are kept with the node, also when the plane is killed and the agent is away', async () => {
    const member = await configured();
    member.leave();
    await plane.restart();
    expect((await patch(member, { metadata: { labels: { zone: 'b' } } })).status).toBe(422);
  });

  // The bug this found: the plane believed whatever a node said of itself.
  it('never lie under node-restriction.kubernetes.io/, which is for administrators alone', async () => {
    const tier = 'node-restriction.kubernetes.io/tier';
    const member = await configured({ fine: 'yes' }, []);
    const claim = () =>
      member.report({ facts: facts(member.name, { labels: { [tier]: 'secret', fine: 'yes' } }) });
    claim();
    const query = `?fieldSelector=involvedObject.name%3D${member.name},reason%3DNodeConfigurationRefused`;
    const event = await until('the event', async () => (await plane.api.ok('GET', EVENTS + query)).items[0]);
    expect(event.message).toBe(`left out of what the node says of itself: label ${tier}=secret`);
    expect((await read(member)).metadata.labels).not.toHaveProperty([tier]);
    expect((await patch(member, { metadata: { labels: { [tier]: 'public' } } })).status).toBe(200);
    await until('told', () => newest(member.stream)?.labels[tier] === 'public');
    claim();
    await turns();
    expect((await read(member)).metadata.labels[tier]).toBe('public');
    member.leave();
  });

  // The bug this found: such a label was stored, and from then on every change of the node was refused for it.
  it('that Kubernetes would not take are left out, and operators can still label the node', async () => {
    const member = await configured({}, []);
    member.report({
      facts: facts(member.name, {
        labels: { 'not a key': 'x', fine: 'not a value!', good: 'yes' },
        taints: [
          { key: 'bad key', value: '', effect: 'NoSchedule' },
          { key: 'odd', value: '', effect: 'Sometimes' },
          ...OWN_TAINTS,
          ...OWN_TAINTS,
        ],
      }),
    });
    await until('taken in', async () => (await read(member)).metadata.labels.good === 'yes');
    expect((await patch(member, { metadata: { labels: { a: 'b' } } })).status).toBe(200);
    const node = await read(member);
    expect(node.metadata.labels).toEqual({ 'kubernetes.io/hostname': member.name, good: 'yes', a: 'b' });
    expect(node.spec.taints).toEqual(OWN_TAINTS);
    member.leave();
  });
});

describe('operators', () => {
  it('are told what is wrong with a label or a taint', async () => {
    const member = await configured({}, []);
    const label = await patch(member, { metadata: { labels: { 'a/b/c': 'x' } } });
    expect(label.json.details.causes).toEqual([expect.objectContaining({ field: 'metadata.labels' })]);
    const taint = await patch(member, { spec: { taints: [{ key: 'k', effect: 'Sometimes' }] } });
    expect(taint.json.details.causes).toEqual([
      expect.objectContaining({ field: 'spec.taints[0].effect', reason: 'FieldValueNotSupported' }),
    ]);
    member.leave();
  });

  it('cannot write what the agent reports', async () => {
    const member = await configured({}, []);
    const before = await read(member);
    const reply = await patch(member, { status: { capacity: { cpu: '999' } } }, MERGE);
    expect(reply.status).toBe(200);
    expect(reply.json).toEqual(before);
    member.leave();
  });

  it('may say what else a node has, which its reports leave alone, until they take it back', async () => {
    const member = await configured({}, []);
    const patchStatus = (change: Json, type = MERGE) =>
      plane.api.call('PATCH', `${path(member)}/status`, change, { type });
    const capacity = { 'example.com/dongle': '4', 'hugepages-2Mi': '1Gi', 'x.kubernetes.io/y': '1' };
    expect((await patchStatus({ status: { capacity } })).status).toBe(200);
    const reported = async (cpu: string) => {
      const own = { cpu, memory: '4Gi', pods: '110' };
      const status = nodeStatus({ capacity: own, allocatable: { cpu: '1', memory: '3Gi', pods: '110' } });
      member.report({ facts: facts(member.name, { status }) });
      await until('taken in', async () => (await read(member)).status.capacity.cpu === cpu);
      return (await read(member)).status;
    };
    const own = { memory: '4Gi', pods: '110' };
    for (const cpu of ['8', '16']) {
      const status = await reported(cpu);
      expect(status.capacity).toEqual({ cpu, ...own, 'example.com/dongle': '4' });
      expect(status.allocatable).toEqual({ cpu: '1', memory: '3Gi', pods: '110', 'example.com/dongle': '4' });
    }
    await plane.restart();
    await member.reconnect();
    expect((await reported('32')).capacity['example.com/dongle']).toBe('4');
    await patchStatus([{ op: 'remove', path: '/status/capacity/example.com~1dongle' }], JSON_PATCH);
    const after = await reported('64');
    expect([after.capacity, after.allocatable]).toEqual([
      { cpu: '64', ...own },
      { cpu: '1', memory: '3Gi', pods: '110' },
    ]);
    member.leave();
  });

  it('find their labels and taints after the plane was restarted, and so does the node', async () => {
    const member = await configured();
    await patch(member, { metadata: { labels: { rack: '7' } } });
    await patch(member, { spec: { taints: [{ key: 'k', effect: 'NoExecute' }, ...OWN_TAINTS] } });
    const before = await read(member);
    await plane.restart();
    await member.reconnect();
    expect((await read(member)).metadata.labels).toEqual(before.metadata.labels);
    expect(newest(member.stream)).toMatchObject({ labels: { rack: '7' }, taints: [{ key: 'k' }] });
    member.leave();
  });
});

describe('cordon', () => {
  const CORDON = 'node.kubernetes.io/unschedulable=:NoSchedule';

  it('carries its taint along, uncordon takes it away, and the node is told neither', async () => {
    const member = await configured();
    const told = member.stream.desired().length;
    await patch(member, { spec: { unschedulable: true } });
    const cordoned = await read(member);
    expect(taintTexts(cordoned)).toEqual(['gpu=yes:NoSchedule', CORDON]);
    expect(
      (await plane.api.ok('GET', `${NODES}?fieldSelector=spec.unschedulable%3Dtrue`)).items,
    ).toHaveLength(1);
    // Again: no change.
    expect((await patch(member, { spec: { unschedulable: true } })).json.metadata).toEqual(cordoned.metadata);
    await patch(member, { spec: { unschedulable: null } });
    expect(taintTexts(await read(member))).toEqual(['gpu=yes:NoSchedule']);
    await turns();
    expect(member.stream.desired()).toHaveLength(told);
    member.leave();
  });

  it('cannot be undone by a list of taints that leaves it out, nor done by one that has it', async () => {
    const member = await configured({}, []);
    await patch(member, { spec: { unschedulable: true } });
    await patch(member, { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
    expect(taintTexts(await read(member))).toEqual(['k=:NoSchedule', CORDON]);
    await patch(member, {
      spec: { unschedulable: false, taints: [{ key: CORDON.split('=')[0], effect: 'NoSchedule' }] },
    });
    expect(taintTexts(await read(member))).toEqual([]);
    member.leave();
  });
});

describe("the plane's own taints", () => {
  it('come with a node that says it is not ready, go when it is, and are not told to it (rule 6)', async () => {
    const member = await configured({}, []);
    const told = member.stream.desired().length;
    const condition = { type: 'Ready', status: 'False', reason: 'DockerDown', message: 'no engine' };
    member.report({ facts: facts(member.name, { status: nodeStatus({ conditions: [condition] }) }) });
    await until('tainted', async () => taintTexts(await read(member)).length === 2);
    expect(taintTexts(await read(member))).toEqual([
      'node.kubernetes.io/not-ready=:NoExecute',
      'node.kubernetes.io/not-ready=:NoSchedule',
    ]);
    const { taints } = (await read(member)).spec;
    expect(taints[0].timeAdded).toMatch(/^\d{4}-/);
    member.report();
    await until('free', async () => taintTexts(await read(member)).length === 0);
    await turns();
    expect(member.stream.desired()).toHaveLength(told);
    member.leave();
  });

  it('come back when somebody takes them away while the reason is there', async () => {
    const member = await configured({}, []);
    const conditions = [{ type: 'Ready', status: 'False' }];
    member.report({ facts: facts(member.name, { status: nodeStatus({ conditions }) }) });
    await until('tainted', async () => taintTexts(await read(member)).length === 2);
    await patch(member, { spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] } });
    await until('tainted again', async () => taintTexts(await read(member)).length === 3);
    member.leave();
  });
});

describe('conditions', () => {
  it('keep the time of their last change while they only repeat', async () => {
    const member = await configured({}, []);
    const ready = (node: Json) => node.status.conditions.find(({ type }: Json) => type === 'Ready');
    const first = ready(await read(member));
    expect(first.lastTransitionTime).toMatch(/^\d{4}-/);
    const message = 'ready, and then some';
    const conditions = [{ type: 'Ready', status: 'True', reason: 'AgentReady', message }];
    member.report({ facts: facts(member.name, { status: nodeStatus({ conditions }) }) });
    const second = await until('the message', async () => {
      const now = ready(await read(member));
      return now.message === message ? now : undefined;
    });
    expect(second.lastTransitionTime).toBe(first.lastTransitionTime);
    member.leave();
  });
});
