// What the plane keeps of its nodes from pass to pass is what it would see if it looked at all of them: over whatever
// happens, and however the rollout is paced, a pass over kept views comes to the same as one from nothing, and a DaemonSet
// that no view of changed has nothing to do. Each source of change is shown to matter by a mutant that does not follow it.
import type { NodeFacts, NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { createFleet, reportedChange, type Session } from '../../src/fleet/fleet.ts';
import { ORPHANS } from '../../src/fleet/orphans.ts';
import { dropTombstone, putTombstone, TOMBSTONES } from '../../src/fleet/tombstones.ts';
import { createBodyBook } from '../../src/rollout/body-book.ts';
import { createConfigRollouts } from '../../src/rollout/config-rollouts.ts';
import { openConfigSnapshots } from '../../src/rollout/config-snapshots.ts';
import { type DaemonSetPass, passDaemonSet } from '../../src/rollout/daemon-set-pass.ts';
import { GRANTS, openGrantBook } from '../../src/rollout/grants.ts';
import type { ViewSources } from '../../src/rollout/node-view.ts';
import { createNodeViews } from '../../src/rollout/node-views.ts';
import { rulesBySet } from '../../src/rollout/placement-rules.ts';
import { openRolloutRecords } from '../../src/rollout/rollout-records.ts';
import type { StoredRevision } from '../../src/rollout/stored-set.ts';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import type { StoredValue, Write } from '../../src/store/store.ts';
import type { Json } from '../support/api-client.ts';
import { runs } from '../support/fixed-seed.ts';
import { facts, placement, podReport, podStatus, report } from '../support/reports.ts';

/** Seeded bugs of what is kept of maintenance windows. */
type Bug = 'forgets who changed' | 'forgets the time' | 'writes into what it showed before';
const bug = vi.hoisted((): { now?: Bug } => ({}));
vi.mock('../../src/rollout/closed-nodes.ts', async (original) => {
  const real = await original<typeof import('../../src/rollout/closed-nodes.ts')>();
  const openClosedBook: typeof real.openClosedBook = (...views) => {
    const book = real.openClosedBook(...views);
    let first: number | undefined;
    const same = new Map<string, string>();
    return {
      touch: (name) => {
        if (bug.now !== 'forgets who changed') book.touch(name);
      },
      look: (windows, instant) => {
        first ??= instant;
        const look = book.look(windows, bug.now === 'forgets the time' ? first : instant);
        if (bug.now !== 'writes into what it showed before') return look;
        same.clear();
        for (const [name, reason] of look.closed) same.set(name, reason);
        return { ...look, closed: same };
      },
    };
  };
  return { ...real, openClosedBook };
});

const NODES = ['a', 'b', 'c', 'd'];
const SETS = ['web', 'log'];

const someNode = fc.constantFrom(...NODES);
const someSet = fc.constantFrom(...SETS);
const somePod = fc.record({
  set: someSet,
  /** Which of the revisions that the DaemonSet has. */
  revision: fc.nat(3),
  ready: fc.boolean(),
  crashing: fc.boolean(),
  terminating: fc.boolean(),
  unknown: fc.boolean(),
  /** Of a DaemonSet that was deleted without it. */
  left: fc.nat(3).map((one) => one === 0),
});
const somePolicy = () =>
  fc.record<RolloutPolicySpec>({
    paused: fc.constantFrom(false, false, false, true),
    onFailure: fc.constantFrom('Rollback', 'Continue'),
    partition: fc.constantFrom(0, 0, 1, '50%'),
    steps: fc.constantFrom(
      [],
      [
        { nodeSelector: { zone: 'x' }, nodes: 1 },
        { nodes: '50%', maxUnavailable: 1 },
      ],
      [{ nodes: 1, soakSeconds: 60 }, { approval: 'Manual' }],
    ),
    topologyBudgets: fc.constantFrom([], [{ topologyKey: 'zone', maxUnavailable: 1 }]),
    maintenanceWindows: fc.constantFrom(
      [],
      [{ schedule: '0 22 * * *', duration: '4h' }],
      [{ schedule: '30 0 * * *', duration: '1h', timeZone: 'Europe/Berlin', nodeSelector: { zone: 'y' } }],
    ),
  });
const someEvent = fc.oneof(
  fc.record({ kind: fc.constant('label' as const), node: someNode, disk: fc.constantFrom('ssd', 'hdd') }),
  fc.record({ kind: fc.constant('taint' as const), node: someNode, tainted: fc.boolean() }),
  fc.record({
    kind: fc.constant('ready' as const),
    node: someNode,
    ready: fc.constantFrom('True', 'Unknown'),
  }),
  fc.record({ kind: fc.constantFrom('remove' as const, 'join' as const), node: someNode }),
  fc.record({ kind: fc.constantFrom('connect' as const, 'leave' as const), node: someNode }),
  fc.record({ kind: fc.constantFrom('tell' as const, 'answer' as const, 'obey' as const), node: someNode }),
  fc.record({
    kind: fc.constantFrom('delete pod' as const, 'undelete' as const),
    node: someNode,
    set: someSet,
  }),
  fc.record({
    kind: fc.constant('report' as const),
    node: someNode,
    pods: fc.array(somePod, { maxLength: 3 }),
    says: fc.constantFrom('Run', 'Keep', 'Leave', undefined),
  }),
  fc.record({
    kind: fc.constant('update' as const),
    set: someSet,
    image: fc.constantFrom('one', 'two', 'three'),
  }),
  fc.record({ kind: fc.constantFrom('take over' as const, 'let go' as const), set: someSet }),
  fc.record({ kind: fc.constant('select' as const), set: someSet, disk: fc.constantFrom('ssd', 'hdd') }),
  fc.record({ kind: fc.constant('surge' as const), set: someSet, surges: fc.boolean() }),
  fc.record({ kind: fc.constant('policy' as const), spec: somePolicy() }),
  fc.record({ kind: fc.constant('hold' as const), node: someNode, held: fc.boolean() }),
  fc.record({
    kind: fc.constant('own windows' as const),
    node: someNode,
    schedule: fc.constantFrom('0 23 * * *', '0 3 * * *', 'nonsense', undefined),
  }),
  fc.record({ kind: fc.constant('time passes' as const), minutes: fc.constantFrom(1, 30, 180, 700) }),
);
type Event = typeof someEvent extends fc.Arbitrary<infer E> ? E : never;

const HOLD = { owner: 'ann', reason: 'looks at it', until: 'later' };
const maintenanceOf = (schedule: string | undefined) =>
  schedule === undefined
    ? undefined
    : { timeZone: 'UTC', ownWindows: { windows: [{ schedule, duration: '2h', timeZone: '' }] } };

/** An update waits for the window of node c, and the window opens when that of node a has closed. */
const windowOpens: Event[] = [
  { kind: 'obey', node: 'a' },
  { kind: 'obey', node: 'a' },
  { kind: 'obey', node: 'c' },
  { kind: 'obey', node: 'c' },
  {
    kind: 'policy',
    spec: {
      paused: false,
      onFailure: 'Continue',
      partition: 0,
      steps: [],
      topologyBudgets: [],
      maintenanceWindows: [{ schedule: '0 22 * * *', duration: '4h' }],
    },
  },
  { kind: 'update', set: 'web', image: 'two' },
  { kind: 'time passes', minutes: 700 },
  { kind: 'time passes', minutes: 180 },
];

const RUNS = { ...runs(150), examples: [[windowOpens]] as [Event[]][] };

/** Whose pods are nobody's, or one of the others'. */
const LEFT = { uid: 'uid-left', namespace: 'default', name: 'left', labels: {} };
const session = {} as Session;
const BEGINS = Date.UTC(2030, 0, 1);
const zoneOf = (name: string) => (name < 'c' ? 'x' : 'y');
const ZONE_LABELS = { x: 'Europe.Berlin', y: 'Asia.Tokyo' };
const labelsOf = (name: string, disk: string) => ({
  disk,
  zone: zoneOf(name),
  'fleetset.dev/time-zone': ZONE_LABELS[zoneOf(name)],
});
const node = (name: string, disk = 'ssd'): StoredValue => ({
  metadata: { name, labels: labelsOf(name, disk) },
  spec: {},
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
});
const set = (name: string) => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}`, generation: 1 },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { nodeSelector: { disk: 'ssd' }, containers: [{ name: 'main', image: 'one' }] },
    },
  },
});

/** What `of` a pass is to be compared: everything but the uid that a new revision is given, and when to look again. */
const shown = ({ history, nextAt: _compared, prePull, times, ...rest }: DaemonSetPass) => ({
  ...rest,
  prePull: prePull && { ...prePull, nodes: [...prePull.nodes] },
  times: {
    ...times,
    grantedAt: new Map(times.grantedAt),
    availableAt: new Map(times.availableAt),
    downSince: new Map(times.downSince),
  },
  history: history.map(({ value, ...write }) => ({ ...write, data: value?.data, revision: value?.revision })),
});

type Seed = (sources: ViewSources) => ViewSources;

async function startWorld(seed: Seed) {
  const store = openSqliteStore(':memory:');
  const fleet = createFleet(() => 0);
  const grants = openGrantBook(store);
  const records = openRolloutRecords(store);
  const sources = { store, fleet, grants };
  const kept = createNodeViews(seed(sources));
  const snapshots = await openConfigSnapshots(store, createBodyBook());
  const configs = createConfigRollouts(store, snapshots);
  const clock = { now: 0 };
  const nowText = () => utcText(BEGINS + clock.now);
  const parts = { ...sources, records, configs, nowText, monotonicNow: () => clock.now };
  const write = async (...writes: Write[]) => {
    expect((await store.commit(writes)).committed).toBe(true);
  };
  const put = (collection: string, id: string, value: object) =>
    write({ collection, id, value: value as StoredValue, durable: true });
  const setNamed = (name: string): Json => store.get('apps/daemonsets', `default/${name}`)?.value;
  const revisionsOf = (name: string): StoredRevision[] =>
    [...store.list('apps/controllerrevisions')]
      .map(({ value }) => value as unknown as StoredRevision)
      .filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === `uid-${name}`);
  for (const name of NODES) await put('core/nodes', name, node(name));
  for (const name of SETS) await put('apps/daemonsets', `default/${name}`, set(name));

  /** Of the last pass. */
  const plans = new Map<string, DaemonSetPass['plan']>();
  const fromNothing = (name: string) => {
    const views = createNodeViews(sources);
    const pass = passDaemonSet({ ...parts, views }, setNamed(name), revisionsOf(name));
    views.close();
    return pass;
  };
  /** As the loop does it, until there is nothing more to do. */
  const settle = async (name: string) => {
    for (;;) {
      const whole = fromNothing(name);
      const pass = passDaemonSet({ ...parts, views: kept }, setNamed(name), revisionsOf(name));
      expect(shown(pass)).toEqual(shown(whole));
      // It may look once more for the sake of a node that has left.
      if (whole.nextAt !== undefined) expect(pass.nextAt).toBeLessThanOrEqual(whole.nextAt);
      records.setTimes(pass.daemonSet.metadata.uid ?? '', pass.times);
      kept.taken(pass.daemonSet.metadata.uid ?? '');
      const writes = [...pass.history, ...pass.record, ...pass.grants, ...pass.status];
      if (writes.length === 0) return void plans.set(name, pass.plan);
      await write(...pass.history, ...pass.record, ...pass.grants);
      await write(...pass.status.map(({ expect: _before, ...status }) => status));
    }
  };
  const settled = (name: string) => {
    const { history, record, grants: given, status, events, plan } = fromNothing(name);
    expect([...history, ...record, ...given, ...status, ...events]).toEqual([]);
    expect(plan).toEqual(plans.get(name));
  };
  return { store, fleet, grants, kept, clock, write, put, setNamed, revisionsOf, settle, settled };
}
type World = Awaited<ReturnType<typeof startWorld>>;

/** What the node runs if it does what it was granted. */
const obedient = ({ grants }: World, name: string): NodeReport['pods'] =>
  SETS.flatMap((one) => {
    const granted = grants.of(`uid-${one}`).get(name);
    return granted === undefined ? [] : [podReport(set(one), granted, { uid: `${name}-${one}` })];
  });

function say({ fleet }: World, name: string, said: Partial<NodeReport>): void {
  const state = fleet.state(name);
  const { told, report: before } = state;
  const made = report(name, {
    generation: told?.generation,
    placements: before?.placements ?? [],
    facts: before?.facts ?? facts(name),
    ...said,
  });
  fleet.change(name, reportedChange(state, made));
}

async function happen(world: World, event: Event): Promise<void> {
  const { store, fleet, put, write } = world;
  const changeNode = async (name: string, change: (node: Json) => object) => {
    const before = store.get('core/nodes', name)?.value;
    if (before) await put('core/nodes', name, change(before));
  };
  const changeSpec = async (name: string, more: object) => {
    const { metadata, spec, ...rest } = world.setNamed(name);
    await put('apps/daemonsets', `default/${name}`, {
      ...rest,
      metadata: { ...metadata, generation: metadata.generation + 1 },
      spec: { ...spec, ...more },
    });
  };
  const changeTemplate = (name: string, more: object) => {
    const { template } = world.setNamed(name).spec;
    return changeSpec(name, { template: { ...template, spec: { ...template.spec, ...more } } });
  };
  const factChange = (name: string, more: Partial<NodeFacts>) => {
    const { pods = [], facts: before = facts(name) } = fleet.state(name).report ?? {};
    say(world, name, { pods, facts: { ...before, ...more } });
  };
  switch (event.kind) {
    case 'label':
      return changeNode(event.node, ({ metadata, ...rest }) => ({
        ...rest,
        metadata: { ...metadata, labels: labelsOf(event.node, event.disk) },
      }));
    case 'taint':
      return changeNode(event.node, (before) => ({
        ...before,
        spec: event.tainted ? { taints: [{ key: 'k', effect: 'NoExecute' }] } : {},
      }));
    case 'ready':
      return changeNode(event.node, (before) => ({
        ...before,
        status: { conditions: [{ type: 'Ready', status: event.ready }] },
      }));
    case 'join':
      if (!store.get('core/nodes', event.node)) await put('core/nodes', event.node, node(event.node, 'hdd'));
      return;
    case 'remove':
      await write({ collection: 'core/nodes', id: event.node, durable: true });
      return fleet.forget(event.node);
    case 'connect':
      return fleet.change(event.node, { session, reported: fleet.state(event.node).report !== undefined });
    case 'leave':
      return fleet.change(event.node, { session: undefined, reported: false });
    case 'tell': {
      const counter = (fleet.state(event.node).told?.generation.counter ?? 0) + 1;
      return fleet.change(event.node, {
        told: { generation: { epoch: 1, counter }, content: undefined, bodies: [], rules: rulesBySet(store) },
      });
    }
    case 'answer':
      return say(world, event.node, { pods: fleet.state(event.node).report?.pods ?? [] });
    case 'obey':
      fleet.change(event.node, { session });
      return say(world, event.node, { pods: obedient(world, event.node) });
    case 'delete pod':
      return write(putTombstone({ node: event.node, podUid: `${event.node}-${event.set}` }));
    case 'undelete':
      return write(dropTombstone(event.node, `${event.node}-${event.set}`));
    case 'report':
      return say(world, event.node, {
        placements: event.says ? SETS.map((one) => placement(set(one), event.says as 'Run')) : [],
        pods: event.pods.map((pod, index) => reportedPod(world, event.node, pod, index)),
      });
    case 'take over':
      return put(ORPHANS, LEFT.uid, { ...LEFT, adopter: { uid: `uid-${event.set}`, name: event.set } });
    case 'let go':
      return put(ORPHANS, LEFT.uid, LEFT);
    case 'update':
      return changeTemplate(event.set, { containers: [{ name: 'main', image: event.image }] });
    case 'hold':
      return factChange(event.node, { holds: event.held ? [HOLD] : [] });
    case 'own windows':
      return factChange(event.node, { maintenance: maintenanceOf(event.schedule) });
    case 'policy':
      return put('fleetset.dev/rolloutpolicies', 'default/p', {
        metadata: { name: 'p', namespace: 'default' },
        spec: { selector: {}, ...event.spec },
      });
    case 'time passes':
      world.clock.now += event.minutes * 60_000;
      return;
    case 'surge':
      return changeSpec(event.set, {
        updateStrategy: event.surges
          ? { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
          : {},
      });
    case 'select':
      return changeTemplate(event.set, { nodeSelector: { disk: event.disk } });
  }
}

function reportedPod(
  { revisionsOf }: World,
  name: string,
  {
    set: one,
    revision,
    ready,
    crashing,
    terminating,
    unknown,
    left,
  }: typeof somePod extends fc.Arbitrary<infer P> ? P : never,
  index: number,
) {
  const hashes = revisionsOf(one).map(({ metadata }) => metadata.labels?.['controller-revision-hash'] ?? '');
  const state = { waiting: { reason: 'CrashLoopBackOff' } };
  const status = podStatus(ready, crashing ? { containerStatuses: [{ name: 'main', state }] } : {});
  return podReport(set(one), hashes[revision % Math.max(1, hashes.length)] ?? '', {
    uid: index === 0 ? `${name}-${one}` : `${name}-${one}-${index}`,
    name: `${one}-${index}`,
    ready,
    terminating,
    unknown,
    ...(left ? { daemonSetUid: LEFT.uid } : {}),
    statusJson: JSON.stringify(status),
  });
}

const OF_ALL_SETS: readonly Event['kind'][] = ['take over', 'let go', 'policy', 'time passes'];

const sameAsFromNothing = (seed: Seed = (sources) => sources) =>
  fc.asyncProperty(fc.array(someEvent, { minLength: 5, maxLength: 40, size: 'max' }), async (events) => {
    const world = await startWorld(seed);
    for (const name of SETS) await world.settle(name);
    for (const event of events) {
      await happen(world, event);
      // A template that changed is looked at in any case, and so is everything when pods change hands.
      const changed =
        'node' in event
          ? [...world.kept.changedBy(event.node)]
          : OF_ALL_SETS.includes(event.kind) || !('set' in event)
            ? SETS.map((one) => `uid-${one}`)
            : [`uid-${event.set}`];
      for (const name of SETS)
        if (changed.includes(`uid-${name}`)) await world.settle(name);
        else world.settled(name);
    }
    world.kept.close();
    await world.store.close();
  });

test('kept views come to the same as views made from nothing', async () => {
  await fc.assert(sameAsFromNothing(), RUNS);
});

const deafTo =
  (collection: string): Seed =>
  ({ store, ...sources }) => ({
    ...sources,
    store: {
      ...store,
      watch: (name, from, onChange) =>
        name === collection ? { close: () => {} } : store.watch(name, from, onChange),
    },
  });
const deafToFleet: Seed = ({ fleet, ...sources }) => ({
  ...sources,
  fleet: { ...fleet, follow: () => () => {} },
});

test.each([
  ['labels, taints and readiness of nodes', deafTo('core/nodes')],
  ['deleted pods', deafTo(TOMBSTONES)],
  ['grants', deafTo(GRANTS)],
  ['pods that change hands', deafTo(ORPHANS)],
  ['what nodes report and are told', deafToFleet],
])('a mutant that does not follow %s is caught', async (_what, seed) => {
  const found = await fc.check(sameAsFromNothing(seed), { ...RUNS, numRuns: 1500, endOnFailure: true });
  expect(found.failed).toBe(true);
});

test.each<Bug>(['forgets who changed', 'forgets the time', 'writes into what it showed before'])(
  'a mutant that %s when it keeps what is closed is caught',
  async (what) => {
    bug.now = what;
    const found = await fc.check(sameAsFromNothing(), { ...RUNS, numRuns: 1500, endOnFailure: true });
    delete bug.now;
    expect(found.failed).toBe(true);
  },
);
