// A node written down in lines, and its plan read back in lines: for tables of situations.
import type { ContainerMemory, NodeAction } from '@fleetset/scheduler-core/node/node-action';
import { actionKey } from '@fleetset/scheduler-core/node/node-action';
import { type NodePlan, planNode } from '@fleetset/scheduler-core/node/plan-node';
import type {
  PlannedPod,
  PodHealth,
  SeenContainer,
  SeenState,
} from '@fleetset/scheduler-core/node/pod-record';
import type { Container } from '@fleetset/scheduler-core/schema/container';
import type { PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import type { Taint } from '@fleetset/scheduler-core/schema/scheduling';

export const NOW = 10_000_000;
const EFFECT: { readonly [word: string]: string } = { Keep: 'NoSchedule', Leave: 'NoExecute' };

const ADDRESS = { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } };

/**
 * Revisions by name: "net..." has a network of its own, "...two" has a second container, "...slow" a long grace,
 * "...init" the init containers first and last, "...car" the sidecars car and van with an init container between them,
 * "...probed" gives the sidecar car a startup probe, "...hook" main a postStart hook, "...grace" probes of main a grace
 * of their own, "...9100" a port of the node, "...addr" names the pod's address in every environment.
 */
export function templateNamed(revision: string): PodTemplateSpec {
  const ports = revision.includes('9100') ? [{ containerPort: 80, hostPort: 9100 }] : [];
  const names = revision.includes('two') ? ['main', 'side'] : ['main'];
  const inits = initContainersOf(revision);
  const probe = { exec: { command: ['true'] }, terminationGracePeriodSeconds: 7 };
  return {
    spec: {
      // On the host's IPC too: then nothing is shared that a holder would have to hold.
      ...(revision.startsWith('net') ? {} : { hostNetwork: true, hostIPC: true }),
      ...(revision.includes('pids') ? { shareProcessNamespace: true } : {}),
      ...(revision.includes('slow') ? { terminationGracePeriodSeconds: 120 } : {}),
      ...(inits.length > 0 ? { initContainers: inits } : {}),
      containers: names.map((name) => ({
        name,
        image: `${name}:${revision}`,
        ports,
        ...(revision.includes('addr') ? { env: [ADDRESS] } : {}),
        ...(revision.includes('hook') && name === 'main'
          ? { lifecycle: { postStart: { sleep: { seconds: 1 } } } }
          : {}),
        ...(revision.includes('grace')
          ? { startupProbe: probe, livenessProbe: { ...probe, terminationGracePeriodSeconds: 9 } }
          : {}),
      })),
    },
  };
}

function initContainersOf(revision: string): Container[] {
  const init = (name: string, more: Partial<Container> = {}): Container => ({
    name,
    image: `${name}:${revision}`,
    ...(revision.includes('addr') ? { env: [ADDRESS] } : {}),
    ...more,
  });
  const sidecar = { restartPolicy: 'Always' };
  const probed = revision.includes('probed') ? { startupProbe: { exec: { command: ['true'] } } } : {};
  if (revision.includes('init')) return [init('first'), init('last')];
  return revision.includes('car')
    ? [init('car', { ...sidecar, ...probed }), init('mid'), init('van', sidecar)]
    : [];
}

/**
 * What is so, one fact a line ("@" is a pod's holder):
 *   grant r2 | no grant | no set | Keep | Leave | surge
 *   pod a r1 | pod a r1 without template          older ones first
 *   a/main#0 running | a/main#1 created | a/main#0 ended 5s ago | a/main#0 ended unseen
 *   a/first#0 done | a/car#0 running started | a/main#0 running on 2     by the attempt of the holder it is on
 *   checked a/main                                its creation was gone through
 *   busy create a/main | busy bear | busy remove a/main#0
 *   deleted a | deleted a in 7s
 *   a unready | a ready | a available | a available in 5s     otherwise it is not known
 *   held
 *   unhealthy a/main#0 | unhealthy a/main#0 startup
 *   trouble a/main start 3s ago                   the last action on it failed
 *   trouble a/main config c1                      for want of a ConfigMap or Secret, with which state of them
 *   config a c2                                   their state now
 *   waited a/main restart 20s since 60s ago       the next wait, and when it was last used
 */
export function planOf(lines: string): NodePlan {
  const facts = readFacts(lines);
  return planNode({
    now: NOW,
    node: { name: 'n', labels: {}, taints: facts.taints },
    daemonSets: facts.setIsThere
      ? [
          {
            uid: 'set',
            namespace: 'default',
            name: 'web',
            rules: {},
            ...(facts.surge ? { surge: true } : {}),
            ...(facts.granted ? { granted: { revision: facts.granted, templateHash: facts.granted } } : {}),
          },
        ]
      : [],
    tombstones: facts.tombstones,
    pods: facts.pods.map((pod) => {
      const health = facts.health.get(pod.record.uid);
      return health ? { ...pod, health } : pod;
    }),
    containers: facts.containers,
    busy: facts.busy,
    memory: facts.memory,
    unhealthy: facts.unhealthy,
    ...(facts.held ? { held: 'somebody holds the node' } : {}),
  });
}

interface Facts {
  granted: string | undefined;
  setIsThere: boolean;
  surge: boolean;
  readonly health: Map<string, PodHealth>;
  held: boolean;
  readonly taints: Taint[];
  readonly pods: PlannedPod[];
  readonly containers: SeenContainer[];
  readonly busy: Map<string, NodeAction['kind']>;
  readonly memory: Map<string, ContainerMemory>;
  readonly tombstones: Map<string, number | undefined>;
  readonly unhealthy: Map<string, 'startup' | 'liveness'>;
}

const withHolder = (name: string) => name.replace('@', '');
const ago = (text: string | undefined): number => NOW - 1000 * (Number.parseFloat(text ?? '0') || 0);

function readFacts(lines: string): Facts {
  const facts: Facts = {
    granted: undefined,
    setIsThere: true,
    surge: false,
    health: new Map(),
    held: false,
    taints: [],
    pods: [],
    containers: [],
    busy: new Map(),
    memory: new Map(),
    tombstones: new Map(),
    unhealthy: new Map(),
  };
  for (const line of lines.split('\n').map((text) => text.trim()))
    if (line !== '') readFact(facts, line, line.split(/\s+/));
  return facts;
}

function readFact(
  facts: Facts,
  line: string,
  [first = '', second = '', third = '', ...more]: string[],
): void {
  if (line === 'no set') facts.setIsThere = false;
  else if (line === 'surge') facts.surge = true;
  else if (HEALTHS.includes(second)) facts.health.set(first, healthLine(second, more[0]));
  else if (line === 'no grant') facts.granted = undefined;
  else if (line === 'held') facts.held = true;
  else if (first === 'grant') facts.granted = second;
  else if (EFFECT[line]) facts.taints.push({ key: 'a', effect: EFFECT[line] ?? '' });
  else if (first === 'pod') facts.pods.push(podLine(facts.pods.length, second, third, more.length === 0));
  else if (first === 'busy')
    facts.busy.set(second === 'bear' ? 'set' : withHolder(third), second as NodeAction['kind']);
  else if (first === 'deleted')
    facts.tombstones.set(second, more[0] ? Number.parseInt(more[0], 10) : undefined);
  else if (first === 'unhealthy') facts.unhealthy.set(second, third === 'startup' ? 'startup' : 'liveness');
  else if (first === 'checked') remember(facts, second, { checked: true });
  else if (first === 'trouble') remember(facts, second, { trouble: troubleLine(third, more[0]) });
  else if (first === 'config')
    facts.pods.splice(
      0,
      Number.POSITIVE_INFINITY,
      ...facts.pods.map((pod) => (pod.record.uid === second ? { ...pod, config: third } : pod)),
    );
  else if (first === 'waited')
    remember(facts, second, {
      [third]: { waitMs: 1000 * Number.parseInt(more[0] ?? '', 10), updatedAt: ago(more[2]) },
    });
  else facts.containers.push(containerLine(first, second, [third, ...more].join(' ')));
}

const HEALTHS = ['unready', 'ready', 'available'];

function healthLine(word: string, when: string | undefined): PodHealth {
  if (word !== 'available') return { ready: word === 'ready' };
  return { ready: true, availableAt: NOW + 1000 * Number.parseInt(when ?? '0', 10) };
}

const podLine = (index: number, uid: string, revision: string, hasTemplate: boolean) => ({
  record: {
    uid,
    name: `web-${uid}`,
    namespace: 'default',
    daemonSetUid: 'set',
    daemonSetName: 'web',
    revision,
    templateHash: revision,
    createdAt: `2026-01-01T00:00:0${index}Z`,
  },
  ...(hasTemplate ? { template: templateNamed(revision) } : {}),
});

function containerLine(id: string, word: string, rest: string): SeenContainer {
  const [, podUid = '', name = '', attempt] = /^(\w+)\/([\w@]+)#(\d+)$/.exec(id) ?? [];
  const hasEnded = word === 'ended' || word === 'done';
  const holder = /on (\d+)/.exec(rest)?.[1];
  // A container of a pod with its own network says which holder it is on; the first one by default.
  const holderAttempt = name === '@' ? undefined : Number(holder ?? 0);
  return {
    id,
    podUid,
    name: withHolder(name),
    attempt: Number(attempt),
    state: (hasEnded ? 'exited' : word) as SeenState,
    ...(hasEnded ? { exitCode: word === 'done' ? 0 : rest.includes('killed') ? 137 : 1 } : {}),
    ...(hasEnded && !rest.startsWith('unseen') ? { endedAt: ago(rest) } : {}),
    ...(rest.includes('started') ? { started: true } : {}),
    ...(holderAttempt === undefined ? {} : { holderAttempt }),
  };
}

function remember(facts: Facts, key: string, more: ContainerMemory): void {
  const real = withHolder(key);
  facts.memory.set(real, { ...facts.memory.get(real), ...more });
}

const troubleLine = (kind: string, when: string | undefined): NonNullable<ContainerMemory['trouble']> => ({
  kind: kind as NonNullable<ContainerMemory['trouble']>['kind'],
  reason: 'Failed',
  message: 'it failed',
  ...(kind === 'config' ? { failedAt: NOW, config: when ?? '' } : { failedAt: ago(when) }),
});

/** The actions in lines, and when to look again. */
export function stepsOf(plan: NodePlan): string[] {
  const again = plan.nextAt === undefined ? [] : [`again in ${(plan.nextAt - NOW) / 1000}s`];
  return [...plan.actions.map(stepLine), ...again];
}

function stepLine(action: NodeAction): string {
  switch (action.kind) {
    case 'bear':
      return 'bear';
    case 'forget':
    case 'reject':
    case 'discard':
      return `${action.kind} ${action.podUid}`;
    case 'create': {
      const { restart, pull } = action.backOff ?? {};
      const wait = [
        restart && `restart ${restart.waitMs / 1000}s`,
        pull && `pull ${pull.waitMs / 1000}s`,
      ].filter(Boolean);
      const what = action.only ?? (action.imageIsFresh ? 'create checked' : 'create');
      return `${what} ${keyOf(action)}#${action.attempt}${wait.length > 0 ? `, next wait ${wait.join()}` : ''}`;
    }
    case 'stop':
      return `stop ${action.id} in ${action.graceSeconds}s${action.after ? ` after ${action.after.join(', ')}` : ''}`;
    default:
      return `${action.kind} ${action.id}`;
  }
}

const keyOf = (action: NodeAction): string => actionKey(action).replace(/\/$/, '/@');

/** "a run, b stop", in the order of the pods' names. */
export const bucketsOf = ({ pods }: NodePlan): string =>
  pods
    .map(({ record, bucket }) => `${record.uid} ${bucket}`)
    .sort()
    .join(', ');
