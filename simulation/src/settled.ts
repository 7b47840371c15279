// What has yet to come true once all faults have ended: every node runs what it should and nothing else, the counters say
// what is so, and nobody plans anything more.
import type { Store } from '@fleetset/plane/store/store';
import { revisionHash, revisionTemplate } from '@fleetset/scheduler-core/revision-history';
import type { RolloutPlan } from '@fleetset/scheduler-core/rollout/plan-rollout';
import { type RolloutRecord, targetOf } from '@fleetset/scheduler-core/rollout/rollout-record';
import type { ControllerRevision } from '@fleetset/scheduler-core/schema/daemon-set';
import type { Node } from '@fleetset/scheduler-core/schema/node';
import type { ConfigMap } from '@fleetset/scheduler-core/schema/plain';
import type { RolloutPolicy } from '@fleetset/scheduler-core/schema/rollout-policy';
import { type App, appOf, isSick } from './apps.ts';
import type { Machine } from './machine.ts';
import { CONFIG, NAMESPACE } from './operator.ts';
import type { RunningPlane } from './plane-host.ts';
import {
  appIn,
  configIn,
  decisionFor,
  isApp,
  isUp,
  podUidOf,
  type StoredSet,
  setsIn,
  setUidOf,
} from './truth.ts';
import { isGood } from './wishes.ts';
import type { World } from './world.ts';

/** `complete`: every DaemonSet is to have its newest revision. Undefined when nothing is missing. */
export function whatIsMissing(world: World, complete: boolean): string | undefined {
  const plane = world.plane.now();
  if (!plane) return 'the plane is away';
  const { store } = plane;
  for (const { id } of store.list('core/nodes')) {
    const machine = world.machines.get(id);
    const missing = machine ? nodeMissing(machine, store) : `there is no machine ${id}`;
    if (missing) return missing;
  }
  for (const machine of world.machines.values())
    if (!store.get('core/nodes', machine.name) && machine.engine.containers().length > 0)
      return `${machine.name} was removed, and has containers`;
  for (const { id } of store.list('fleetset/tombstones')) return `tombstone ${id} is left`;
  for (const { id, value } of store.list('fleetset/grants'))
    if (!store.get('core/nodes', String(value.node))) return `grant ${id} of a removed node is left`;
  for (const set of setsIn(store)) {
    const missing = setMissing(world, plane, set, complete);
    if (missing) return `${set.metadata.name}: ${missing}`;
  }
  return mirrorMissing(world, store);
}

function nodeMissing(machine: Machine, store: Store): string | undefined {
  const { name, engine } = machine;
  const node = store.get('core/nodes', name)?.value as unknown as Node;
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  if (ready !== 'True') return `${name} is not Ready but ${ready}`;
  if (node.spec?.taints?.some(({ key }) => key.startsWith('node.kubernetes.io/')))
    return `${name} is tainted`;
  const agent = machine.agent();
  if (!agent) return `${name} has no agent`;
  const { plan } = agent.node.view();
  const buckets = plan.pods.map(({ record }) => record.uid);
  const book = new Set(agent.pods.all().map(({ record }) => record.uid));
  if (book.size !== buckets.length || buckets.some((uid) => !book.has(uid)))
    return `${name} has a pod in no bucket`;
  const orphan = engine.containers().find((container) => !book.has(podUidOf(container)));
  if (orphan) return `${name} has a container of no pod: ${orphan.settings.name}`;
  const sick = engine
    .containers()
    .find((one) => one.state === 'running' && isSick(appIn(one), machine.ranForMs(one)));
  if (sick) return `${name} does not restart ${sick.settings.name}, which is sick`;
  const ending = plan.pods.find(({ bucket }) => bucket === 'stop');
  return ending && `${name} still stops ${ending.record.name}`;
}

function setMissing(
  world: World,
  plane: RunningPlane,
  set: StoredSet,
  complete: boolean,
): string | undefined {
  const { store, core } = plane;
  const { uid, name } = set.metadata;
  if (set.metadata.deletionTimestamp) return 'its deletion does not end';
  const plan = core.rollout.planOf(uid);
  if (!plan) return 'there is no plan';
  if (plan.grants.length > 0) return `the plan grants ${JSON.stringify(plan.grants)} again and again`;
  const record = core.records.of(uid);
  const onDelete = set.spec?.updateStrategy?.type === 'OnDelete';
  const newest = newestRevision(store, uid);
  const live = (store.get('core/configmaps', `${NAMESPACE}/${CONFIG}`)?.value as ConfigMap | undefined)?.data
    ?.value;
  const counts = { desired: 0, current: 0, ready: 0, updated: 0, misscheduled: 0 };
  let steady = true;
  for (const { id } of store.list('core/nodes')) {
    const machine = world.machines.get(id) as Machine;
    const decision = decisionFor(store, id, set);
    const own = machine.engine.containers().filter((container) => setUidOf(machine, container) === uid);
    const agent = machine.agent();
    const pods =
      agent?.pods.all().filter(({ record: pod }) => machine.ownerOf(pod.daemonSetUid) === uid) ?? [];
    if (decision === 'Leave' && (own.length > 0 || pods.length > 0)) return `${id} should leave it`;
    if (decision !== 'Run') {
      if (pods.length > 0) counts.misscheduled += 1;
      continue;
    }
    counts.desired += 1;
    const granted = core.grants.of(uid).get(id);
    const app = granted === undefined ? undefined : appOfRevision(store, uid, granted);
    if (!app && record && !onDelete && isSettledPhase(record)) return `${id} has no grant`;
    if (!app) {
      if (complete) return `${id} has no grant`;
      steady = false;
      continue;
    }
    if (!isGood(app) || app.image === 'app:none') {
      steady = false;
      continue;
    }
    if (pods.length !== 1) return `${id} has ${pods.length} pods`;
    const [pod] = pods;
    if (pod?.record.revision !== granted) return `${id} runs ${pod?.record.revision}, granted is ${granted}`;
    if (!isUp(machine, uid, (set.spec?.minReadySeconds ?? 0) * 1000)) return `${id} is not up`;
    if (new Set(own.filter(isApp).map(podUidOf)).size !== 1) return `${id} has containers of other pods`;
    const config = own
      .filter(isApp)
      .map(configIn)
      .find((one) => one !== undefined && one !== live);
    if (complete && config !== undefined) return `${id} has "${config}", the ConfigMap says "${live}"`;
    counts.current += 1;
    counts.ready += 1;
    if (granted === newest) counts.updated += 1;
    const waits = plan.waits.some(({ node, reason }) => node === id && reason.includes('paused'));
    if (!onDelete && record && isSettledPhase(record) && !waits && granted !== targetOf(record))
      return `${id} has ${granted}, not ${targetOf(record)}`;
  }
  // Where no node wants it there is nothing to complete.
  if (!onDelete && complete && counts.desired > 0 && record?.phase !== 'Complete')
    return `the rollout is ${record?.phase} ${record?.message}, its step ${record?.wave}; waits: ${JSON.stringify(plan.waits)}`;
  const back = record && appOfRevision(store, uid, targetOf(record));
  // What was stable may be bad by now: the way back to it does not end.
  const may = !record || !isOnTheWayBack(record) || (back && isGood(back));
  if (!onDelete && record && may && counts.desired > 0 && isUndecided(record, plan, continues(store)))
    return `the rollout is still ${record.phase}: ${JSON.stringify(plan)}`;
  return steady ? statusMissing(set, counts, name) : undefined;
}

/** Nobody holds it, and yet it has not come to an end. */
const isUndecided = ({ phase }: RolloutRecord, { waits }: RolloutPlan, goesOn: boolean): boolean =>
  (phase === 'RollingBack' || (phase === 'Progressing' && !goesOn)) &&
  !waits.some(({ reason }) => /paused|approval|kept back/.test(reason));

const isOnTheWayBack = ({ phase, newest, stable }: RolloutRecord): boolean =>
  phase === 'RollingBack' || newest === stable;

/** A rollout that fails may go on for ever. */
const continues = (store: Store): boolean =>
  [...store.list('fleetset.dev/rolloutpolicies')].some(
    ({ value }) => (value as unknown as RolloutPolicy).spec.onFailure === 'Continue',
  );

const isSettledPhase = ({ phase }: RolloutRecord): boolean => phase === 'Complete' || phase === 'RolledBack';

function statusMissing(
  { status, metadata }: StoredSet,
  counts: { desired: number; current: number; ready: number; updated: number; misscheduled: number },
  name: string,
): string | undefined {
  const expected = {
    desiredNumberScheduled: counts.desired,
    currentNumberScheduled: counts.current,
    numberReady: counts.ready,
    numberAvailable: counts.ready,
    numberUnavailable: counts.desired - counts.ready,
    updatedNumberScheduled: counts.updated,
    numberMisscheduled: counts.misscheduled,
    observedGeneration: (metadata as { generation?: number }).generation ?? 0,
  };
  const wrong = Object.entries(expected).filter(
    ([field, value]) => ((status as { [field: string]: unknown } | undefined)?.[field] ?? 0) !== value,
  );
  return wrong.length === 0
    ? undefined
    : `status of ${name} should have ${JSON.stringify(Object.fromEntries(wrong))}: ${JSON.stringify(status)}`;
}

const revisionsOf = (store: Store, setUid: string): ControllerRevision[] =>
  [...store.list('apps/controllerrevisions')]
    .map(({ value }) => value as unknown as ControllerRevision)
    .filter(({ metadata }) => metadata?.ownerReferences?.[0]?.uid === setUid);

function newestRevision(store: Store, setUid: string): string {
  const sorted = revisionsOf(store, setUid).sort((a, b) => b.revision - a.revision);
  return sorted[0] ? revisionHash(sorted[0]) : '';
}

function appOfRevision(store: Store, setUid: string, hash: string): (App & { image: string }) | undefined {
  const revision = revisionsOf(store, setUid).find((one) => revisionHash(one) === hash);
  const container = revision && revisionTemplate(revision).spec?.containers[0];
  return container && { ...appOf(container.command ?? []), image: container.image ?? '' };
}

/** The API shows the pods that there are. */
function mirrorMissing(world: World, store: Store): string | undefined {
  const shown = [...store.list('core/pods')]
    .map(({ value }) => (value.metadata as { uid: string }).uid)
    .sort();
  const there = [...store.list('core/nodes')]
    .flatMap(({ id }) => world.machines.get(id)?.agent()?.node.view().plan.pods ?? [])
    .filter(({ bucket }) => bucket === 'run')
    .map(({ record }) => record.uid);
  const missing = there.find((uid) => !shown.includes(uid));
  if (missing) return `the API does not show pod ${missing}`;
  const extra = shown.length > there.length ? shown.find((uid) => !there.includes(uid)) : undefined;
  const prepared = [...world.machines.values()].some((machine) =>
    machine
      .agent()
      ?.node.view()
      .plan.pods.some(({ bucket, record }) => bucket === 'prepare' && record.uid === extra),
  );
  return extra && !prepared ? `the API shows pod ${extra}, which is not there` : undefined;
}
