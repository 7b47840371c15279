// A node that behaves: it decides with the rules it is told, replaces its pod when it is granted another revision,
// obeys deletions, reports, and connects anew when its stream ends. Its containers are thought up; whether a pod
// becomes ready is a question of its image.
import { randomUUID } from 'node:crypto';
import type {
  Hold,
  Maintenance,
  NodeDesired,
  PodReport,
  PrePull,
  SyncResponse,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { PrePullState_Phase } from '@fleetset/proto/gen/fleetset/v1/node';
import { decidePlacement, type PlacementRules } from '@fleetset/scheduler-core/placement';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';
import type { Json } from './api-client.ts';
import { type HollowIdentity, type HollowStream, openSync } from './hollow-agent.ts';
import { facts, podReport, podStatus, report } from './reports.ts';

export interface HollowNodeOptions {
  readonly labels?: { readonly [key: string]: string };
  readonly taints?: readonly Taint[];
  /** Of the machine, and of its own configuration. */
  readonly maintenance?: Maintenance;
  /** Called after each step, when what runs may have changed. */
  readonly onChange?: () => void;
  /** Called for each revision of a DaemonSet that the node hears it may run, the first time. */
  readonly onGrant?: (node: string, revision: string) => void;
  /** Called with each announcement of images, and how to answer it; absent: it knows of no such thing. */
  readonly onPrePull?: (node: string, announced: PrePull, answer: (state: PrePullAnswer) => void) => void;
}

export type PrePullAnswer = 'pulling' | 'pulled' | { readonly failed: string };

export interface HollowNode {
  readonly name: string;
  /** What runs here of a DaemonSet. */
  readonly podOf: (setUid: string) => PodReport | undefined;
  /** Under a surge the new pod, while the old one runs. */
  readonly besideOf: (setUid: string) => PodReport | undefined;
  /** What it was told last about a DaemonSet's surge. */
  readonly surges: (setUid: string) => boolean;
  /** The entries of the ConfigMap that its pod of a DaemonSet was started with, of those that came with the revision. */
  readonly configOf: (setUid: string) => Json;
  /** How many pods of a DaemonSet were ever started here. */
  readonly births: (setUid: string) => number;
  /** How much was ever done here, of all DaemonSets: grows with each pod that is started and each grant heard. */
  readonly deeds: () => number;
  readonly connected: () => boolean;
  /** Its process stands still: it hears nothing and says nothing, and its pods run on. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** Cuts the stream; it does not come back before `thaw`. */
  readonly unplug: () => void;
  /** The pod fails or recovers by itself. */
  readonly setHealth: (setUid: string, ready: boolean) => void;
  /** It says that it runs an available pod of a DaemonSet, whatever the rules decide. */
  readonly pretend: (set: { readonly uid: string; readonly name: string }, revision: string) => void;
  /** Somebody holds the node, or no longer: what runs stays, whatever is granted. */
  readonly hold: (reason: string | undefined) => void;
  readonly stop: () => void;
}

/** Short: a node connects anew as soon as it noticed. */
const RECONNECT_MS = 15;
/** What starting a pod takes, so that a node is down for a while that can be seen. */
const START_MS = 3;

const crashes = (template: Json): boolean => template.spec.containers[0].image.includes('crashing');
const CRASHED = podStatus(false, {
  containerStatuses: [{ name: 'main', ready: false, state: { waiting: { reason: 'CrashLoopBackOff' } } }],
});
/** Whether its pods never become ready: by their image, or by what a ConfigMap says. */
const isBroken = (template: Json, config: Json): boolean =>
  /broken|crashing/.test(template.spec.containers[0].image) || JSON.stringify(config).includes('broken');

const PHASES = { pulling: PrePullState_Phase.PHASE_PULLING, pulled: PrePullState_Phase.PHASE_PULLED };
const prePullState = (id: number, state: PrePullAnswer) => ({
  $case: 'prePullState' as const,
  value:
    typeof state === 'string'
      ? { id, phase: PHASES[state], message: '' }
      : { id, phase: PrePullState_Phase.PHASE_FAILED, message: state.failed },
});

/** `address` is asked at each connect: a plane may come back elsewhere. */
export function startHollowNode(
  plane: { readonly agentAddress: string },
  identity: HollowIdentity,
  options: HollowNodeOptions = {},
): HollowNode {
  const name = identity.nodeName;
  const pods = new Map<string, PodReport>();
  const besides = new Map<string, PodReport>();
  const templates = new Map<string, Json>();
  const births = new Map<string, number>();
  const grants = new Set<string>();
  const instanceId = randomUUID();
  let stream: HollowStream | undefined;
  let desired: NodeDesired | undefined;
  let pending: NodeDesired | undefined;
  let holds: Hold[] = [];
  const pretended: PodReport[] = [];
  let frozen = false;
  let stopped = false;
  let read = 0;
  let heartbeat: NodeJS.Timeout | undefined;
  const timers = new Set<NodeJS.Timeout>();

  const later = (ms: number, what: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      what();
    }, ms);
    timers.add(timer);
  };

  const decide = (rules: PlacementRules, told: NodeDesired) =>
    decidePlacement(rules, {
      name,
      labels: { ...told.labels, ...options.labels, 'kubernetes.io/hostname': name },
      taints: [...told.taints, ...(options.taints ?? [])],
    });

  const say = () => {
    if (!stream || stream.ended() || frozen) return;
    const placements = (desired?.daemonSets ?? []).flatMap((set) => {
      const rules = templates.get(set.placementHash) as PlacementRules | undefined;
      if (!rules || !desired) return [];
      const { decision, reasons } = decide(rules, desired);
      return [{ daemonSetUid: set.uid, decision, reasons: [...reasons], progress: '' }];
    });
    const lies = pretended.map(({ daemonSetUid }) => ({
      daemonSetUid,
      decision: 'Run',
      reasons: [],
      progress: '',
    }));
    const honest = placements.filter((one) =>
      lies.every(({ daemonSetUid }) => daemonSetUid !== one.daemonSetUid),
    );
    stream.say({
      $case: 'report',
      value: report(name, {
        generation: desired?.generation,
        facts: facts(name, {
          labels: options.labels ?? {},
          taints: (options.taints ?? []) as never,
          holds,
          maintenance: options.maintenance,
        }),
        placements: [...honest, ...lies],
        pods: [...pods.values(), ...besides.values(), ...pretended],
      }),
    });
  };

  const changed = () => {
    options.onChange?.();
    say();
  };

  const configs = new Map<string, Json>();
  /** Of all objects of the snapshot together. */
  const snapshotOf = ({ config }: NodeDesired['daemonSets'][number]): Json => {
    const { objects = [] } = config ? (templates.get(config.hash) as Json) : {};
    return Object.assign({}, ...objects.map(({ hash }: Json) => (templates.get(hash) as Json)?.data));
  };

  const start = (set: NodeDesired['daemonSets'][number], where: Map<string, PodReport>) => {
    const template = templates.get(set.templateHash) as Json;
    const birth = (births.get(set.uid) ?? 0) + 1;
    configs.set(set.uid, snapshotOf(set));
    const pod = podReport(
      { metadata: { name: set.name, namespace: set.namespace, uid: set.uid } },
      set.revision,
      { ready: false, createdAt: `2030-01-02T03:${String(10 + birth)}:05Z` },
    );
    where.set(set.uid, pod);
    births.set(set.uid, birth);
    const becomes = (more: Partial<PodReport>) =>
      later(START_MS, () => {
        const there = [pods, besides].find((some) => [...some.values()].some(({ uid }) => uid === pod.uid));
        const now = [...(there?.values() ?? [])].find(({ uid }) => uid === pod.uid);
        if (!there || !now) return;
        // It may be another DaemonSet's by now.
        there.set(now.daemonSetUid, { ...now, ...more });
        if (there === besides && more.available) changeOver(now.daemonSetUid);
        changed();
      });
    if (crashes(template)) becomes({ statusJson: JSON.stringify(CRASHED) });
    if (!isBroken(template, configs.get(set.uid)))
      becomes({ ready: true, available: true, statusJson: JSON.stringify(podStatus(true)) });
  };

  const changeOver = (setUid: string) => {
    const beside = besides.get(setUid);
    besides.delete(setUid);
    if (beside) pods.set(setUid, beside);
  };

  /** Rules 41 and 42. */
  const startBeside = (set: NodeDesired['daemonSets'][number], old: PodReport) => {
    if (old.revision === set.revision) besides.delete(set.uid);
    else if (besides.get(set.uid)?.revision !== set.revision) start(set, besides);
    if (!old.ready) changeOver(set.uid);
  };

  const takeOver = (earlier: string, set: NodeDesired['daemonSets'][number]) => {
    const pod = pods.get(earlier);
    if (!pod) return;
    pods.delete(earlier);
    if (!pods.has(set.uid)) pods.set(set.uid, { ...pod, daemonSetUid: set.uid, daemonSetName: set.name });
  };

  /** One pass over what it is told, as a node's loop would make it. */
  const act = () => {
    if (!desired) return;
    for (const set of desired.daemonSets) for (const earlier of set.adopts) takeOver(earlier, set);
    const listed = new Set([...desired.daemonSets.map(({ uid }) => uid), ...desired.orphans]);
    for (const uid of pods.keys()) if (!listed.has(uid)) pods.delete(uid);
    const deleted = new Set(desired.tombstones.map(({ podUid }) => podUid));
    for (const [uid, pod] of pods) if (deleted.has(pod.uid)) pods.delete(uid);
    for (const uid of besides.keys()) if (!pods.has(uid)) changeOver(uid);
    for (const set of desired.daemonSets) {
      const { decision } = decide(templates.get(set.placementHash) as PlacementRules, desired);
      const pod = pods.get(set.uid);
      if (decision === 'Leave') {
        pods.delete(set.uid);
        besides.delete(set.uid);
      } else if (decision !== 'Run' || set.revision === '') continue;
      else if (pod && holds.length > 0 && !besides.has(set.uid)) continue;
      else if (set.surge && pod) startBeside(set, pod);
      else if (besides.get(set.uid)?.revision === set.revision) changeOver(set.uid);
      else if (pod?.revision !== set.revision) start(set, pods);
    }
    changed();
  };

  const take = (told: NodeDesired) => {
    for (const { uid, revision } of told.daemonSets) {
      if (revision === '' || grants.has(`${uid}/${revision}`)) continue;
      grants.add(`${uid}/${revision}`);
      options.onGrant?.(name, revision);
    }
    const hashes = told.daemonSets.flatMap(({ placementHash, templateHash, config }) => [
      placementHash,
      templateHash,
      ...(config ? [config.hash, ...config.bodies] : []),
    ]);
    const missing = [...new Set(hashes)].filter((hash) => hash !== '' && !templates.has(hash));
    pending = missing.length > 0 ? told : undefined;
    if (missing.length > 0) return stream?.say({ $case: 'bodiesWanted', value: { hashes: missing } });
    desired = told;
    act();
  };

  const hear = (message: NonNullable<SyncResponse['message']>) => {
    if (message.$case === 'welcome') beatEvery(message.value.heartbeatMs);
    else if (message.$case === 'desired') take(message.value);
    else if (message.$case === 'prePull') {
      const over = stream;
      options.onPrePull?.(name, message.value, (state) => over?.say(prePullState(message.value.id, state)));
    } else if (message.$case === 'bodies') {
      for (const { hash, content } of message.value.bodies)
        templates.set(hash, JSON.parse(Buffer.from(content).toString('utf8')));
      if (pending) take(pending);
    }
  };

  const beatEvery = (ms: number) => {
    clearInterval(heartbeat);
    heartbeat = setInterval(() => {
      if (!frozen && stream) stream.say({ $case: 'heartbeat', value: { generation: desired?.generation } });
    }, ms);
  };

  const listen = () => {
    if (stopped) return;
    if (stream && !frozen) {
      for (; read < stream.heard.length; read++) {
        const message = stream.heard[read];
        if (message) hear(message);
      }
      if (stream.ended()) disconnect();
    }
    later(1, listen);
  };

  const disconnect = () => {
    stream?.close();
    stream = undefined;
    if (!stopped && !frozen) later(RECONNECT_MS, connect);
  };

  const connect = () => {
    if (stopped || frozen || stream) return;
    read = 0;
    stream = openSync(plane, identity, {
      instanceId,
      ...(desired?.generation ? { accepted: desired.generation } : {}),
      held: {
        revisions: Object.fromEntries(
          (desired?.daemonSets ?? []).map(({ uid, revision }) => [uid, revision]),
        ),
      },
    });
    say();
  };

  connect();
  listen();
  return {
    name,
    podOf: (uid) => pods.get(uid),
    besideOf: (uid) => besides.get(uid),
    surges: (uid) => desired?.daemonSets.some((set) => set.uid === uid && set.surge) ?? false,
    configOf: (uid) => configs.get(uid) ?? {},
    births: (uid) => births.get(uid) ?? 0,
    deeds: () => grants.size + [...births.values()].reduce((sum, number) => sum + number, 0),
    connected: () => stream !== undefined && stream.heard.length > 0 && !stream.ended(),
    freeze: () => {
      frozen = true;
    },
    thaw: () => {
      frozen = false;
      if (stream) say();
      else connect();
    },
    unplug: () => {
      frozen = true;
      disconnect();
    },
    setHealth: (uid, ready) => {
      const pod = pods.get(uid);
      if (pod)
        pods.set(uid, { ...pod, ready, available: ready, statusJson: JSON.stringify(podStatus(ready)) });
      changed();
    },
    pretend: ({ uid, name: setName }, revision) => {
      const metadata = { name: setName, namespace: 'default', uid };
      pretended.push(podReport({ metadata }, revision, { ready: true, available: true }));
      say();
    },
    hold: (reason) => {
      holds = reason === undefined ? [] : [{ owner: 'somebody', reason, until: '2030-01-02T03:04:05Z' }];
      if (desired) act();
      else say();
    },
    stop: () => {
      stopped = true;
      clearInterval(heartbeat);
      for (const timer of timers) clearTimeout(timer);
      stream?.close();
    },
  };
}
