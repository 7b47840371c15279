// What a plane tells a node, and the bodies it names, to test with.
import { createHash } from 'node:crypto';
import type {
  ConfigObject,
  DesiredDaemonSet,
  NodeDesired,
  PodAccount,
} from '@fleetset/proto/gen/fleetset/v1/node';
import type { ConfigKind } from '@fleetset/scheduler-core/node/config-data';
import { type PlacementRules, placementRules } from '@fleetset/scheduler-core/placement';
import type { PodSpec, PodTemplateSpec } from '@fleetset/scheduler-core/schema/pod';
import { TEST_IMAGE } from './pods.ts';
import { OBEYS } from './test-programs.ts';

export interface Body {
  readonly hash: string;
  readonly content: Buffer;
}

export function body(value: object): Body {
  const content = Buffer.from(JSON.stringify(value));
  return { hash: createHash('sha256').update(content).digest('hex'), content };
}

/** One container on the host's network that runs until it is asked to end. */
export const template = (over: Partial<PodSpec> = {}): PodTemplateSpec => ({
  metadata: { labels: { app: 'web' } },
  spec: {
    hostNetwork: true,
    terminationGracePeriodSeconds: 30,
    containers: [
      { name: 'app', image: TEST_IMAGE, command: [...OBEYS.command], imagePullPolicy: 'IfNotPresent' },
    ],
    ...over,
  },
});

/** A DaemonSet as a node is told of it: `web-1` is the first revision of `web`. */
export interface ToldSet {
  readonly told: DesiredDaemonSet;
  readonly bodies: readonly Body[];
}

export function toldSet(
  name: string,
  options: {
    readonly template?: PodTemplateSpec;
    readonly revision?: string;
    readonly granted?: boolean;
    readonly rules?: PlacementRules;
    readonly minReadySeconds?: number;
    readonly surge?: boolean;
    /** Uids of sets whose pods it takes over. */
    readonly adopts?: readonly string[];
    /** The snapshot that comes with the revision. */
    readonly config?: readonly ToldConfig[];
    readonly account?: PodAccount;
  } = {},
): ToldSet {
  const whole = options.template ?? template();
  const rules = body(options.rules ?? placementRules(whole.spec ?? { containers: [] }));
  const granted = options.granted === false ? undefined : body(whole);
  const snapshot = options.config && body({ objects: options.config.map(({ told }) => told) });
  const objects = (options.config ?? []).flatMap(({ bodies }) => bodies);
  return {
    told: {
      namespace: 'default',
      name,
      uid: `uid-of-${name}`,
      placementHash: rules.hash,
      templateHash: granted?.hash ?? '',
      revision: granted ? (options.revision ?? `${name}-1`) : '',
      minReadySeconds: options.minReadySeconds ?? 0,
      surge: options.surge ?? false,
      adopts: [...(options.adopts ?? [])],
      config: snapshot && { hash: snapshot.hash, bodies: objects.map(({ hash }) => hash) },
      account: options.account,
    },
    bodies: [rules, ...(granted ? [granted] : []), ...(snapshot ? [snapshot, ...objects] : [])],
  };
}

export interface DesiredParts {
  readonly epoch?: number;
  readonly counter?: number;
  /** A bare name is a set of one ordinary pod. */
  readonly daemonSets?: readonly (string | ToldSet)[];
  readonly labels?: { readonly [key: string]: string };
  readonly taints?: NodeDesired['taints'];
  readonly tombstones?: NodeDesired['tombstones'];
  readonly orphans?: readonly string[];
  readonly configs?: readonly ToldConfig[];
  readonly api?: NodeDesired['api'];
}

/** A ConfigMap or Secret as a node is told of it. */
export interface ToldConfig {
  readonly told: ConfigObject;
  readonly bodies: readonly Body[];
}

/** `data`: as text; absent: there is no such object. */
export function toldConfig(
  kind: ConfigKind,
  name: string,
  data?: { readonly [key: string]: string },
): ToldConfig {
  const encoded = (text: string) => (kind === 'Secret' ? Buffer.from(text).toString('base64') : text);
  const entries = Object.entries(data ?? {}).map(([key, text]) => [key, encoded(text)]);
  const bodies = data ? [body({ data: Object.fromEntries(entries) })] : [];
  return { told: { kind, namespace: 'default', name, hash: bodies[0]?.hash ?? '' }, bodies };
}

export const desired = (parts: DesiredParts = {}): NodeDesired => ({
  generation: { epoch: parts.epoch ?? 1, counter: parts.counter ?? 1 },
  daemonSets: (parts.daemonSets ?? []).map((set) => (typeof set === 'string' ? toldSet(set) : set).told),
  labels: { ...parts.labels },
  taints: parts.taints ?? [],
  tombstones: parts.tombstones ?? [],
  orphans: [...(parts.orphans ?? [])],
  configs: (parts.configs ?? []).map(({ told }) => told),
  api: parts.api,
});

export const bodiesNamed = (parts: DesiredParts): readonly Body[] => [
  ...(parts.daemonSets ?? []).flatMap((set) => (typeof set === 'string' ? toldSet(set) : set).bodies),
  ...(parts.configs ?? []).flatMap(({ bodies }) => bodies),
];
