// A node for properties of planNode: a container engine, an agent that looks, plans and does, and everything that can
// go wrong between them. Actions take their time; what comes of them is an event like any other.
import type {
  ContainerMemory,
  CreateAction,
  NodeAction,
  Trouble,
} from '@fleetset/scheduler-core/node/node-action';
import { actionKey } from '@fleetset/scheduler-core/node/node-action';
import type { NodeInput, NodePlan } from '@fleetset/scheduler-core/node/plan-node';
import {
  containerKey,
  containerNames,
  HOLDER,
  type NodeDaemonSet,
  needsHolder,
  type PodHealth,
  type PodRecord,
  type SeenContainer,
} from '@fleetset/scheduler-core/node/pod-record';
import type { PlacementDecision } from '@fleetset/scheduler-core/placement';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import fc from 'fast-check';

export type Planner = (input: NodeInput) => NodePlan;

const template = (hostNetwork: boolean, ...names: string[]): PodTemplateSpec => ({
  spec: {
    hostNetwork,
    hostIPC: hostNetwork,
    terminationGracePeriodSeconds: 5,
    containers: names.map((name) => ({ name, image: name })),
  },
});
/** An init container that ends as soon as it starts, and a sidecar. */
const withInit = ({ spec }: PodTemplateSpec): PodTemplateSpec => ({
  spec: {
    ...spec,
    containers: spec?.containers ?? [],
    initContainers: [
      { name: 'prep', image: 'prep' },
      { name: 'car', image: 'car', restartPolicy: 'Always' },
    ],
  },
});
export const TEMPLATES = {
  r0: template(true, 'main'),
  r1: template(false, 'main'),
  r2: template(false, 'main', 'side'),
  r3: template(true, 'main', 'side'),
  r4: withInit(template(true, 'main')),
} as const;
export type Revision = keyof typeof TEMPLATES;
const REVISIONS = Object.keys(TEMPLATES) as Revision[];
const templateOf = ({ revision }: { readonly revision: string }): PodTemplateSpec =>
  TEMPLATES[revision as Revision];

const MIN_READY_MS = 1000;

/** Whether it is to end by itself. */
export const isToEnd = ({ record, name }: { readonly record: PodRecord; readonly name: string }): boolean =>
  templateOf(record).spec?.initContainers?.some(
    (one) => one.name === name && one.restartPolicy !== 'Always',
  ) === true;

interface EngineContainer {
  readonly id: string;
  readonly record: PodRecord;
  readonly name: string;
  readonly attempt: number;
  readonly holder?: { readonly id: string; readonly attempt: number };
  state: SeenContainer['state'];
  exitCode?: number;
  startFailed?: boolean;
}

/** An action that was begun and has not ended. */
interface UnderWay {
  readonly action: NodeAction;
  readonly key: string;
  readonly born?: PodRecord;
  readonly holder?: { readonly id: string; readonly attempt: number };
}

interface Look {
  readonly containers: readonly EngineContainer[];
  readonly busy: ReadonlyMap<string, NodeAction['kind']>;
}

export class NodeModel {
  now = 1_000_000;
  // What was desired.
  setUid = 'set-1';
  setIsThere = true;
  granted: Revision | undefined = 'r0';
  decision: PlacementDecision = 'Run';
  surge = false;
  private everSurged = false;
  held = false;
  readonly tombstones = new Map<string, number | undefined>();
  // The engine.
  containers: EngineContainer[] = [];
  readonly noImage = new Set<string>();
  readonly noStart = new Set<string>();
  // The agent.
  readonly records = new Map<string, PodRecord>();
  readonly memory = new Map<string, ContainerMemory>();
  readonly busy = new Map<string, NodeAction['kind']>();
  readonly endedAt = new Map<string, number>();
  readonly unhealthy = new Map<string, 'startup' | 'liveness'>();
  /** Pods whose programs serve, since when. */
  readonly serving = new Map<string, number>();
  /** Pods that this agent has asked how they are. */
  readonly asked = new Set<string>();
  underWay: UnderWay[] = [];
  /** Made some time ago, for a plan that comes late. */
  look: Look | undefined;
  /** Containers that ended well, and that ever began, by their holder. */
  readonly initialized = new Set<string>();
  readonly begun = new Set<string>();
  /** What must never be. */
  readonly violations: string[] = [];
  private made = 0;
  private readonly plan: Planner;
  /** Whether the plan minds what was under way when the engine was looked at, or only what still is. */
  private readonly mindsTheLook: boolean;

  constructor(plan: Planner, mindsTheLook = true) {
    this.plan = plan;
    this.mindsTheLook = mindsTheLook;
  }

  private daemonSet(): NodeDaemonSet {
    const granted = this.granted && { revision: this.granted, templateHash: `hash-${this.granted}` };
    return {
      uid: this.setUid,
      namespace: 'default',
      name: 'web',
      rules: {},
      ...(granted ? { granted } : {}),
      ...(this.surge ? { surge: true } : {}),
    };
  }

  setSurge(surge: boolean): void {
    this.surge = surge;
    this.everSurged ||= surge;
  }

  /** As it really is, as far as its containers are as they were when the engine was looked at. */
  private healthOf({ uid, revision }: PodRecord, { containers }: Look): PodHealth {
    const since = this.serving.get(uid);
    const running = containers.filter(({ record, state }) => record.uid === uid && state === 'running');
    const whole = containerNames(templateOf({ revision })).every(
      (name) => name === 'prep' || running.some((container) => container.name === name),
    );
    return since === undefined || !whole
      ? { ready: false }
      : { ready: true, availableAt: since + MIN_READY_MS };
  }

  private isKnown({ uid }: PodRecord, { containers }: Look): boolean {
    return (
      this.asked.has(uid) ||
      !containers.some(({ record, state }) => record.uid === uid && state === 'running')
    );
  }

  private isAvailable(record: PodRecord, look: Look): boolean {
    const { availableAt } = this.healthOf(record, look);
    return availableAt !== undefined && availableAt <= this.now;
  }

  /** The program of a pod that runs begins to serve. */
  serve(uid: string): void {
    if (this.containers.some(({ record, state }) => record.uid === uid && state === 'running'))
      this.serving.set(uid, this.now);
  }

  lookNow(): void {
    this.look = {
      containers: this.containers.map((container) => ({ ...container })),
      busy: new Map(this.busy),
    };
  }

  input(look: Look): NodeInput {
    for (const { id, state } of look.containers) {
      if (state !== 'exited') this.endedAt.delete(id);
      else if (!this.endedAt.has(id)) this.endedAt.set(id, this.now);
    }
    const effects = {
      Run: [],
      Keep: [{ key: 'a', effect: 'NoSchedule' }],
      Leave: [{ key: 'a', effect: 'NoExecute' }],
    };
    return {
      now: this.now,
      node: { name: 'n', labels: {}, taints: effects[this.decision] },
      daemonSets: this.setIsThere ? [this.daemonSet()] : [],
      tombstones: this.tombstones,
      pods: [...this.records.values()].map((record) => ({
        record,
        template: templateOf(record),
        ...(this.isKnown(record, look) ? { health: this.healthOf(record, look) } : {}),
      })),
      containers: look.containers.map((container) => this.seen(container)),
      busy: this.mindsTheLook ? new Map([...look.busy, ...this.busy]) : this.busy,
      memory: this.memory,
      unhealthy: this.unhealthy,
      ...(this.held ? { held: 'somebody holds the node' } : {}),
    };
  }

  private seen(container: EngineContainer): SeenContainer {
    const { id, record, name, attempt, state, exitCode, startFailed, holder } = container;
    const endedAt = this.endedAt.get(id);
    return {
      id,
      podUid: record.uid,
      name,
      attempt,
      state,
      ...(holder ? { holderAttempt: holder.attempt } : {}),
      ...(endedAt === undefined ? {} : { endedAt }),
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(startFailed ? { startFailed } : {}),
    };
  }

  /** One pass of the agent's loop. */
  pass(): NodePlan {
    if (!this.look) this.lookNow();
    const look = this.look as Look;
    this.look = undefined;
    for (const { record } of look.containers)
      if (!this.records.has(record.uid)) this.records.set(record.uid, record);
    const input = this.input(look);
    const plan = this.plan(input);
    this.checkBuckets(plan);
    this.checkStops(input, plan);
    this.checkServing(plan, look);
    this.checkStarts(input, plan);
    this.checkHeld(input, plan);
    for (const action of plan.actions) this.begin(action, look);
    return plan;
  }

  private begin(action: NodeAction, look: Look): void {
    const key = actionKey(action);
    if (this.busy.has(key)) return;
    this.busy.set(key, action.kind);
    if (action.kind === 'create' && action.backOff) this.remember(action, action.backOff);
    const born = action.kind === 'bear' ? this.bear() : undefined;
    const holder = action.kind === 'create' ? this.holderFor(action, look) : undefined;
    this.underWay.push({ action, key, ...(born ? { born } : {}), ...(holder ? { holder } : {}) });
  }

  private bear(): PodRecord | undefined {
    const { uid, granted } = this.daemonSet();
    if (!granted) return undefined;
    this.made += 1;
    return {
      uid: `pod-${this.made}`,
      name: `web-${this.made}`,
      namespace: 'default',
      daemonSetUid: uid,
      daemonSetName: 'web',
      ...granted,
      createdAt: new Date(this.now).toISOString(),
    };
  }

  private holderFor({ podUid, container, only }: CreateAction, look: Look) {
    const record = this.records.get(podUid);
    if (!record || only || container === HOLDER || !needsHolder(templateOf(record))) return undefined;
    const holders = look.containers.filter((one) => one.record.uid === podUid && one.name === HOLDER);
    const newest = holders.sort((a, b) => b.attempt - a.attempt)[0];
    if (!newest) this.violations.push(`${podUid}/${container} would be made without the pod's network`);
    return newest && { id: newest.id, attempt: newest.attempt };
  }

  private remember(action: { podUid: string; container: string }, more: Partial<ContainerMemory>): void {
    const key = containerKey(action.podUid, action.container);
    this.memory.set(key, { ...this.memory.get(key), ...more });
  }

  /** An action under way ends: well, in failure, without having begun, or done but not answered for. */
  finish(which: number, how: 'well' | 'in failure' | 'undone' | 'unanswered'): void {
    const one = this.underWay.splice(which, 1)[0];
    if (!one) return;
    const { action } = one;
    const trouble =
      how === 'undone' ? undefined : how === 'in failure' ? this.failure(action, 'failed') : this.take(one);
    if ('container' in action) {
      if (trouble) this.remember(action, { trouble });
      else if (how === 'well' && (action.kind === 'create' || action.kind === 'start')) {
        const { trouble: _over, ...rest } =
          this.memory.get(containerKey(action.podUid, action.container)) ?? {};
        const checked = action.kind === 'create' && action.only ? { checked: true } : {};
        this.memory.set(containerKey(action.podUid, action.container), { ...rest, ...checked });
      }
    }
    this.busy.delete(one.key);
  }

  private failure(action: NodeAction, message: string): Trouble | undefined {
    const failedAt = this.now;
    if (action.kind === 'create')
      return { kind: 'create', reason: 'CreateContainerError', message, failedAt };
    if (action.kind === 'start') return { kind: 'start', reason: 'RunContainerError', message, failedAt };
    return undefined;
  }

  /** What the action does to the engine and to the agent's book. */
  private take({ action, born, holder }: UnderWay): Trouble | undefined {
    switch (action.kind) {
      case 'bear':
        if (born) this.records.set(born.uid, born);
        return undefined;
      case 'forget':
        this.records.delete(action.podUid);
        return undefined;
      case 'create':
        return this.create(action, holder);
      case 'start':
        return this.start(action);
      case 'stop':
        this.setState(action.id, 'exited');
        return undefined;
      case 'remove':
        this.containers = this.containers.filter(({ id }) => id !== action.id);
        return undefined;
    }
  }

  private create(action: CreateAction, holder: EngineContainer['holder']): Trouble | undefined {
    const { podUid, container: name, attempt } = action;
    const record = this.records.get(podUid);
    if (!record) return undefined;
    if (name !== HOLDER && this.noImage.has(record.revision))
      return { kind: 'image', reason: 'ErrImagePull', message: 'no such image', failedAt: this.now };
    if (action.only) return undefined;
    const taken = this.containers.some(
      (one) => one.record.uid === podUid && one.name === name && one.attempt === attempt,
    );
    if (taken) return undefined;
    if (holder && !this.containers.some(({ id }) => id === holder.id))
      return this.failure(action, 'no such holder');
    this.made += 1;
    const id = `c-${this.made}`;
    this.containers.push({ id, record, name, attempt, state: 'created', ...(holder ? { holder } : {}) });
    return undefined;
  }

  private start(action: Extract<NodeAction, { kind: 'start' }>): Trouble | undefined {
    const container = this.containers.find(({ id }) => id === action.id);
    if (!container) return undefined;
    if (container.name !== HOLDER && this.noStart.has(container.record.revision)) {
      Object.assign(container, { state: 'exited', exitCode: 128, startFailed: true });
      return this.failure(action, 'cannot run');
    }
    const { holder } = container;
    if (holder && this.containers.find(({ id }) => id === holder.id)?.state !== 'running')
      return this.failure(action, 'the holder does not run');
    this.asked.add(container.record.uid);
    this.checkInitialized(container);
    this.setState(container.id, 'running');
    if (isToEnd(container)) {
      this.initialized.add(`${holder?.id}/${container.name}`);
      this.setState(container.id, 'exited');
      container.exitCode = 0;
    }
    return undefined;
  }

  /** (e) Nothing runs before the init containers before it have done their work on the same holder. */
  private checkInitialized({ record, name, holder, id }: EngineContainer): void {
    if (name === HOLDER) return;
    const { initContainers = [], containers = [] } = templateOf(record).spec ?? {};
    const position = initContainers.findIndex((one) => one.name === name);
    const before = position < 0 ? initContainers : initContainers.slice(0, position);
    for (const init of before) {
      const done =
        init.restartPolicy === 'Always'
          ? containers.length === 0 || this.begun.has(`${holder?.id}/${init.name}`)
          : this.initialized.has(`${holder?.id}/${init.name}`);
      if (!done) this.violations.push(`${id} begins before ${init.name}`);
    }
    this.begun.add(`${holder?.id}/${name}`);
  }

  private setState(id: string, state: 'running' | 'exited'): void {
    const container = this.containers.find((one) => one.id === id);
    if (!container || (state === 'exited' && container.state !== 'running')) return;
    container.state = state;
    if (state === 'exited') container.exitCode = 143;
    if (state === 'exited') this.hasEnded(container);
    this.checkAlone();
  }

  private hasEnded({ id, record }: EngineContainer): void {
    this.unhealthy.delete(id);
    this.serving.delete(record.uid);
  }

  /** A container ends by itself, or somebody removes it. */
  end(container: EngineContainer): void {
    container.state = 'exited';
    container.exitCode = 137;
    this.hasEnded(container);
  }

  /** (a) Never two pods of one DaemonSet with running containers; with a surge never three. */
  private checkAlone(): void {
    const bySet = new Map<string, Set<string>>();
    for (const { record, state } of this.containers)
      if (state === 'running')
        bySet.set(record.daemonSetUid, (bySet.get(record.daemonSetUid) ?? new Set()).add(record.uid));
    for (const [set, pods] of bySet)
      if (pods.size > (this.everSurged ? 2 : 1))
        this.violations.push(`${set} runs ${[...pods].join(' and ')}`);
  }

  /** (a) Without a surge nothing is started beside another pod that runs. */
  private checkStarts({ containers, busy }: NodeInput, { actions }: NodePlan): void {
    if (this.surge) return;
    for (const { kind, ...action } of actions) {
      if (kind !== 'start' || !('podUid' in action)) continue;
      const set = this.records.get(action.podUid)?.daemonSetUid;
      const other = containers.find(
        ({ podUid, name, state }) =>
          podUid !== action.podUid &&
          this.records.get(podUid)?.daemonSetUid === set &&
          (state === 'running' || busy.get(containerKey(podUid, name)) === 'start'),
      );
      if (other) this.violations.push(`without a surge ${action.podUid} runs beside ${other.podUid} and so`);
    }
  }

  /** (e) Under a surge a pod that is available is stopped only where another is. */
  private checkServing({ pods }: NodePlan, look: Look): void {
    if (!this.surge || !this.setIsThere || this.decision === 'Leave') return;
    const own = pods.filter(({ record }) => record.daemonSetUid === this.setUid);
    const stays = own.some(({ record, bucket }) => bucket !== 'stop' && this.isAvailable(record, look));
    for (const { record, bucket } of own)
      if (bucket === 'stop' && !stays && !this.tombstones.has(record.uid) && this.isAvailable(record, look))
        this.violations.push(`${record.uid} goes, which served, and nothing else does`);
  }

  /** (b) Every pod in exactly one bucket. */
  private checkBuckets({ pods }: NodePlan): void {
    const chosen = pods.map(({ record }) => record.uid).sort();
    const known = [...this.records.keys()].sort();
    if (chosen.join() !== known.join()) this.violations.push(`buckets hold ${chosen}, known are ${known}`);
  }

  /** (d) A running container is stopped only if something about it changed, or something is wrong with it. */
  private checkStops({ containers }: NodeInput, { actions }: NodePlan): void {
    for (const action of actions) {
      if (action.kind !== 'stop') continue;
      const record = this.records.get(action.podUid);
      const container = containers.find(({ id }) => id === action.id);
      if (!record || container?.state !== 'running') continue;
      const holders = containers.filter(({ podUid, name }) => podUid === record.uid && name === HOLDER);
      const newestHolder = holders.sort((a, b) => b.attempt - a.attempt)[0];
      const reasons = [
        !this.setIsThere || record.daemonSetUid !== this.setUid,
        this.decision === 'Leave',
        this.tombstones.has(record.uid),
        this.granted !== undefined && record.revision !== this.granted,
        this.unhealthy.has(container.id),
        container.holderAttempt !== undefined &&
          (newestHolder?.state !== 'running' || newestHolder.attempt !== container.holderAttempt),
        containers.some(
          ({ podUid, name, attempt }) =>
            podUid === record.uid && name === container.name && attempt > container.attempt,
        ),
      ];
      if (!reasons.some(Boolean))
        this.violations.push(`${container.id} of ${record.uid} is stopped without need: ${action.reason}`);
    }
  }

  /** (h) Of what has run on a held node something stays, unless it was deleted or does not belong there. */
  private checkHeld({ containers, busy, held }: NodeInput, { pods }: NodePlan): void {
    if (held === undefined || !this.setIsThere || this.decision === 'Leave') return;
    const begun = new Set(containers.filter(({ state }) => state !== 'created').map(({ podUid }) => podUid));
    for (const [key, kind] of busy) if (kind === 'start') begun.add(key.slice(0, key.indexOf('/')));
    const live = pods.filter(
      ({ record: { uid, daemonSetUid } }) =>
        daemonSetUid === this.setUid && begun.has(uid) && !this.tombstones.has(uid),
    );
    if (live.length > 0 && live.every(({ bucket }) => bucket === 'stop'))
      this.violations.push(`held: ${live.map(({ record }) => record.uid)} would all be stopped`);
  }

  /** The agent dies and comes back: what was under way is done or not, memory is gone, labels are not. */
  restartAgent(doneMask: number, losesRecords: boolean): void {
    this.underWay.forEach((one, index) => {
      if (doneMask & (1 << (index % 3))) this.take(one);
    });
    this.underWay = [];
    this.busy.clear();
    this.memory.clear();
    this.endedAt.clear();
    this.asked.clear();
    this.look = undefined;
    if (losesRecords) this.records.clear();
  }

  /** The plane drops a tombstone when no report shows the pod any more. */
  dropTombstones(): void {
    for (const uid of this.tombstones.keys())
      if (!this.records.has(uid) && !this.containers.some(({ record }) => record.uid === uid))
        this.tombstones.delete(uid);
  }

  /** Faults stop: everything that can be done succeeds, and time goes on. Answers with the last plan. */
  settle(): NodePlan | undefined {
    this.noImage.clear();
    this.noStart.clear();
    this.held = false;
    // What ended after the look wakes the loop, which looks again.
    this.look = undefined;
    for (let round = 0; round < 300; round++) {
      while (this.underWay.length > 0) this.finish(0, 'well');
      this.dropTombstones();
      for (const uid of this.records.keys()) {
        this.asked.add(uid);
        if (!this.serving.has(uid)) this.serve(uid);
      }
      const plan = this.pass();
      if (this.underWay.length > 0) continue;
      if (plan.nextAt === undefined) return plan;
      this.now = Math.max(this.now, plan.nextAt);
    }
    return undefined;
  }

  running(): EngineContainer[] {
    return this.containers.filter(({ state }) => state === 'running');
  }
}

const KINDS = [
  ...(['go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'go on', 'go on'] as const),
  ...([
    'plan',
    'plan',
    'plan',
    'finish',
    'finish',
    'finish',
    'finish',
    'look',
    'wait',
    'grant',
    'grant',
  ] as const),
  ...(['kill', 'kill', 'remove', 'restart agent', 'withdraw', 'place', 'delete pod', 'delete set'] as const),
  ...(['create set', 'create set', 'unhealthy', 'break image', 'break start', 'repair'] as const),
  ...(['hold', 'release'] as const),
] as const;

const SURGE_KINDS = [
  ...(['serve', 'serve', 'serve', 'serve', 'serve', 'wait', 'wait', 'ask', 'ask', 'stop serving'] as const),
  ...(['surge', 'restart agent'] as const),
] as const;

export type NodeEvent = readonly [
  kind: (typeof KINDS)[number] | (typeof SURGE_KINDS)[number],
  which: number,
  how: number,
];

export const someEvents = fc.array(
  fc.tuple(fc.constantFrom(...KINDS), fc.nat(5), fc.nat(7)) as fc.Arbitrary<NodeEvent>,
  { minLength: 10, maxLength: 100, size: 'max' },
);

/** The same, and all that only a surge minds. */
export const someSurgeEvents = fc.array(
  fc.tuple(
    fc.constantFrom(...KINDS, ...SURGE_KINDS, ...SURGE_KINDS),
    fc.nat(5),
    fc.nat(7),
  ) as fc.Arbitrary<NodeEvent>,
  { minLength: 10, maxLength: 100, size: 'max' },
);

const WAYS = ['well', 'well', 'well', 'well', 'well', 'in failure', 'undone', 'unanswered'] as const;

export function happen(model: NodeModel, [kind, which, how]: NodeEvent): void {
  const pick = <T>(list: readonly T[]): T | undefined => list[which % Math.max(1, list.length)];
  const revision = REVISIONS[how % REVISIONS.length] ?? 'r0';
  switch (kind) {
    case 'plan':
      model.pass();
      break;
    case 'look':
      model.lookNow();
      break;
    case 'finish':
      model.finish(which % Math.max(1, model.underWay.length), WAYS[how] ?? 'well');
      break;
    case 'go on':
      while (model.underWay.length > 0) model.finish(0, 'well');
      model.pass();
      break;
    case 'wait':
      model.now += [1, 1000, 12_000, 50_000, 400_000, 700_000][which] ?? 1;
      break;
    case 'grant':
      model.granted = revision;
      break;
    case 'withdraw':
      model.granted = undefined;
      break;
    case 'place':
      model.decision = (['Run', 'Run', 'Run', 'Keep', 'Keep', 'Leave'] as const)[how % 6] ?? 'Run';
      break;
    case 'kill': {
      const container = pick(model.running());
      if (container) model.end(container);
      break;
    }
    case 'remove': {
      const container = pick(model.containers);
      if (container?.state === 'running') model.end(container);
      model.containers = model.containers.filter((one) => one !== container);
      break;
    }
    case 'restart agent':
      model.restartAgent(how, which === 0);
      break;
    case 'delete pod': {
      const uid = pick([...model.records.keys()]);
      if (uid) model.tombstones.set(uid, how);
      break;
    }
    case 'serve': {
      const container = pick(model.running());
      if (container) model.serve(container.record.uid);
      break;
    }
    case 'stop serving': {
      const uid = pick([...model.serving.keys()]);
      if (uid) model.serving.delete(uid);
      break;
    }
    case 'ask': {
      const uid = pick([...model.records.keys()]);
      if (uid) model.asked.add(uid);
      break;
    }
    case 'surge':
      model.setSurge(how < 5);
      break;
    case 'delete set':
      model.setIsThere = false;
      break;
    case 'create set':
      if (!model.setIsThere) model.setUid = `set-${model.now}-${which}`;
      model.setIsThere = true;
      break;
    case 'unhealthy': {
      const container = pick(model.running().filter(({ name }) => name !== HOLDER));
      if (container) model.unhealthy.set(container.id, 'liveness');
      break;
    }
    case 'break image':
      model.noImage.add(revision);
      break;
    case 'break start':
      model.noStart.add(revision);
      break;
    case 'hold':
      model.held = true;
      break;
    case 'release':
      model.held = false;
      break;
    case 'repair':
      model.noImage.clear();
      model.noStart.clear();
      break;
  }
  model.dropTombstones();
}
