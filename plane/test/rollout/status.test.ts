// The counters of a DaemonSet and the Placements behind them, as nodes come under its rules and leave them.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Json, MERGE, STRATEGIC, TABLE } from '../support/api-client.ts';
import {
  createHollowFleet,
  type HollowFleet,
  untilQuiet,
  untilRolledOut,
  untilStatus,
} from '../support/hollow-fleet.ts';
import { daemonSet, NODES, SETS } from '../support/manifests.ts';
import { PLACEMENTS, rolloutOf, setImage } from '../support/rollouts.ts';
import { startTestPlane, type TestPlane } from '../support/test-plane.ts';
import { until } from '../support/until.ts';

let plane: TestPlane;
let fleet: HollowFleet;
beforeEach(async () => {
  plane = await startTestPlane();
  fleet = createHollowFleet(plane);
});
afterEach(async () => {
  fleet.stop();
  expect(plane.complaints).toEqual([]);
  await plane.stop();
});

const label = (node: string, labels: Json) =>
  plane.api.ok('PATCH', `${NODES}/${node}`, { metadata: { labels } }, { type: MERGE });
const taint = (node: string, taints: Json[]) =>
  plane.api.ok('PATCH', `${NODES}/${node}`, { spec: { taints } }, { type: STRATEGIC });
const names = () => fleet.nodes.map(({ name }) => name) as [string, string, string];
const onSsd = { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'main', image: 'web:1' }] };

describe('a label of an operator', () => {
  it('brings a pod when it fits the selector, and takes it away when it no longer does (rules 58 and 59)', async () => {
    await fleet.add(3);
    const set = await plane.api.ok('POST', SETS, daemonSet('web', { pod: onSsd }));
    await untilStatus(plane, 'web', { desiredNumberScheduled: 0 });
    const [first] = names();
    await label(first, { disk: 'ssd' });
    await untilRolledOut(plane, 'web', 1);
    expect(fleet.node(first).podOf(set.metadata.uid)).toBeDefined();
    await label(first, { disk: 'hdd' });
    await untilStatus(plane, 'web', {
      desiredNumberScheduled: 0,
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
    });
    expect(fleet.node(first).podOf(set.metadata.uid)).toBeUndefined();
  });

  it.each(['RollingUpdate', 'OnDelete'] as const)(
    'that comes back brings the newest, and nothing before it (rule 16; %s)',
    async (strategy) => {
      await fleet.add(2);
      const [first, second] = names();
      await label(first, { disk: 'ssd' });
      await label(second, { disk: 'ssd' });
      const set = await plane.api.ok('POST', SETS, daemonSet('web', { pod: onSsd, strategy }));
      await untilRolledOut(plane, 'web', 2);
      await label(first, { disk: null });
      await label(second, { disk: null });
      await untilStatus(plane, 'web', { desiredNumberScheduled: 0, currentNumberScheduled: 0 });
      await setImage(plane, 'web:2');
      await untilStatus(plane, 'web', { desiredNumberScheduled: 0 });
      await untilQuiet(fleet);
      await label(first, { disk: 'ssd' });
      await untilRolledOut(plane, 'web', 1);
      await untilQuiet(fleet);
      expect(fleet.births(set)).toEqual([2, 1]);
    },
  );
});

describe('a DaemonSet that no node should run', () => {
  it('is complete as there is nothing to do, until a node comes, and only then is its revision judged', async () => {
    await fleet.add(1);
    const [first] = names();
    const pod = { ...onSsd, containers: [{ name: 'main', image: 'broken:1' }] };
    await plane.api.ok('POST', SETS, daemonSet('web', { pod }));
    const read = async (): Promise<Json[]> => {
      const { status } = await plane.api.ok('GET', `${SETS}/web`);
      const { phase, message, stableRevision } = await rolloutOf(plane);
      const { reason, message: text } = status.conditions?.[0] ?? {};
      return [phase, message, stableRevision, reason, text];
    };
    const NOTHING = 'no node should run it: nothing to do';
    await untilStatus(plane, 'web', { desiredNumberScheduled: 0 });
    expect(await read()).toEqual(['Complete', NOTHING, undefined, 'RolloutComplete', NOTHING]);
    await label(first, { disk: 'ssd' });
    await untilStatus(plane, 'web', { desiredNumberScheduled: 1, numberUnavailable: 1 });
    expect((await read())[0]).toBe('Progressing');
  });
});

describe('a taint of an operator', () => {
  it('NoSchedule keeps the pod that is there and counts it as misscheduled (rule 24)', async () => {
    await fleet.add(3);
    const set = await plane.api.ok('POST', SETS, daemonSet('web'));
    await untilRolledOut(plane, 'web', 3);
    const [first] = names();
    await taint(first, [{ key: 'k', effect: 'NoSchedule' }]);
    await untilStatus(plane, 'web', {
      desiredNumberScheduled: 2,
      currentNumberScheduled: 2,
      numberMisscheduled: 1,
      numberAvailable: 2,
    });
    expect(fleet.node(first).podOf(set.metadata.uid)?.ready).toBe(true);
    await taint(first, [{ key: 'k', effect: 'NoExecute' }]);
    await untilStatus(plane, 'web', { desiredNumberScheduled: 2, numberMisscheduled: 0 });
    expect(fleet.node(first).podOf(set.metadata.uid)).toBeUndefined();
    await taint(first, []);
    await untilRolledOut(plane, 'web', 3);
  });

  it('on a node without a pod keeps it without one', async () => {
    await fleet.add(2);
    const [first] = names();
    await until('known', () => plane.hasHeard(first));
    await taint(first, [{ key: 'k', effect: 'NoSchedule' }]);
    await plane.api.ok('POST', SETS, daemonSet('web'));
    await untilRolledOut(plane, 'web', 1);
    await untilQuiet(fleet);
    expect(fleet.node(first).deeds()).toBe(0);
  });

  it('does not bring a moved node into the budget of an update (rule 37 does not take part here)', async () => {
    await fleet.add(3);
    const set = await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
    await untilRolledOut(plane, 'web', 3);
    const [first] = names();
    await taint(first, [{ key: 'k', effect: 'NoSchedule' }]);
    await untilStatus(plane, 'web', { numberMisscheduled: 1 });
    await setImage(plane, 'web:2');
    await untilRolledOut(plane, 'web', 2);
    await untilQuiet(fleet);
    // What may only stay is left as it is.
    expect(fleet.node(first).births(set.metadata.uid)).toBe(1);
  });

  it('cordon changes nothing (rules 57 and 61)', async () => {
    await fleet.add(2);
    const [first] = names();
    await plane.api.ok('PATCH', `${NODES}/${first}`, { spec: { unschedulable: true } }, { type: STRATEGIC });
    await plane.api.ok('POST', SETS, daemonSet('web'));
    await untilRolledOut(plane, 'web', 2);
  });
});

describe('a change of the placement rules in the template', () => {
  it('takes effect at once on every node, granted or not', async () => {
    await fleet.add(3);
    const set = await plane.api.ok('POST', SETS, daemonSet('web'));
    await untilRolledOut(plane, 'web', 3);
    const [first] = names();
    await label(first, { disk: 'ssd' });
    const change = { spec: { template: { spec: { nodeSelector: { disk: 'ssd' } } } } };
    await plane.api.ok('PATCH', `${SETS}/web`, change, { type: STRATEGIC });
    await untilRolledOut(plane, 'web', 1);
    await until('the others left', () =>
      fleet.nodes.every((node) => (node.podOf(set.metadata.uid) !== undefined) === (node.name === first)),
    );
  });
});

describe('Placements', () => {
  it('say for each node and DaemonSet what was decided, by whom, and why', async () => {
    await fleet.add(2);
    const [first, second] = names();
    await until('known', () => plane.hasHeard(first) && plane.hasHeard(second));
    await label(first, { disk: 'ssd' });
    await taint(first, [{ key: 'k', value: 'v', effect: 'NoSchedule' }]);
    await plane.api.ok('POST', SETS, daemonSet('web', { pod: onSsd }));
    const of = async (node: string): Promise<Json> => {
      const placement = await plane.api.ok('GET', `${PLACEMENTS}/web.${node}`);
      return placement.status.decidedBy === 'Agent' ? placement : undefined;
    };
    const kept = await until('the first decided', () => of(first));
    expect(kept).toMatchObject({
      apiVersion: 'fleetset.dev/v1',
      kind: 'Placement',
      metadata: { name: `web.${first}`, namespace: 'default' },
      spec: { nodeName: first, daemonSetName: 'web' },
      status: {
        decision: 'Keep',
        reasons: [
          {
            code: 'TaintNoSchedule',
            message: 'taint k=v:NoSchedule is not tolerated: no new pod here, one that runs may stay',
          },
        ],
      },
    });
    expect((await until('the second decided', () => of(second))).status).toMatchObject({
      decision: 'Leave',
      reasons: [{ code: 'NodeSelector', message: 'nodeSelector wants disk=ssd, the node has no label disk' }],
    });
    const list = await plane.api.ok('GET', '/apis/fleetset.dev/v1/placements');
    expect(list.kind).toBe('PlacementList');
    expect(list.items.map(({ metadata }: Json) => metadata.name)).toEqual([`web.${first}`, `web.${second}`]);
    expect((await plane.api.call('GET', `${PLACEMENTS}/web.nope`)).status).toBe(404);
  });

  it('of a node that never spoke are the plane’s own reading of the same rules', async () => {
    const [node] = await fleet.add(1);
    await until('known', () => plane.hasHeard(node?.name ?? ''));
    node?.stop();
    await plane.restart();
    await plane.api.ok('POST', SETS, daemonSet('web', { pod: onSsd }));
    const { status } = await plane.api.ok('GET', `${PLACEMENTS}/web.${node?.name}`);
    expect(status).toMatchObject({
      decision: 'Leave',
      decidedBy: 'Plane',
      reasons: [{ code: 'NodeSelector', message: 'nodeSelector wants disk=ssd, the node has no label disk' }],
    });
  });

  it('say which revision a node may run, which is the newest, and why it waits', async () => {
    await fleet.add(3);
    await plane.api.ok('POST', SETS, daemonSet('web', { image: 'web:1' }));
    await untilRolledOut(plane, 'web', 3);
    await setImage(plane, 'broken:2');
    await untilStatus(plane, 'web', { numberUnavailable: 1 });
    await untilQuiet(fleet);
    const { items } = await plane.api.ok('GET', PLACEMENTS);
    const newest = items[0].status.newestRevision;
    const moved = items.filter(({ status }: Json) => status.grantedRevision === newest);
    const waiting = items.filter(({ status }: Json) => status.grantedRevision !== newest);
    expect([moved.length, waiting.length]).toEqual([1, 2]);
    expect(moved[0].status).not.toHaveProperty('waiting');
    for (const { status } of waiting)
      expect(status).toMatchObject({
        state: 'Waiting',
        waiting: `waits for its turn: 1 of at most 1 nodes are unavailable (${moved[0].spec.nodeName})`,
        pods: [{ available: true, terminating: false }],
      });
    expect(moved[0].status.state).toBe('Updating');
    const selected = `${PLACEMENTS}?fieldSelector=spec.daemonSetName%3Dweb,spec.nodeName%3D${fleet.nodes[0]?.name}`;
    expect((await plane.api.ok('GET', selected)).items).toHaveLength(1);
    expect(
      (await plane.api.ok('GET', `${PLACEMENTS}?fieldSelector=spec.daemonSetName%3Dother`)).items,
    ).toEqual([]);
    const table = await plane.api.ok('GET', PLACEMENTS, undefined, { headers: { Accept: TABLE } });
    expect(table.columnDefinitions.map(({ name, priority }: Json) => name + (priority ? '*' : ''))).toEqual([
      'Name',
      'DaemonSet',
      'Node',
      'Decision',
      'State',
      'Why',
      'Waiting*',
    ]);
    expect(table.rows[0].cells.slice(1, 6)).toEqual([
      'web',
      names()[0],
      'Run',
      'Updating',
      'no taint forbids it',
    ]);
  });

  it('cannot be written or watched', async () => {
    for (const method of ['POST', 'DELETE'])
      expect((await plane.api.call(method, PLACEMENTS, {})).status).toBe(405);
    expect((await plane.api.call('GET', `${PLACEMENTS}?watch=true`)).status).toBe(405);
  });
});
