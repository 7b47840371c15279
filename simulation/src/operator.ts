// What people do to the fleet with kubectl, as the API does it: DaemonSets, policies, nodes and pods.
import type { Objects } from '@fleetset/plane/api/objects';
import { daemonSetKind } from '@fleetset/plane/kinds/daemon-set-kind';
import type { Kind, KubeObject } from '@fleetset/plane/kinds/kind';
import { nodeKind } from '@fleetset/plane/kinds/node-kind';
import { configMapKind } from '@fleetset/plane/kinds/plain-kinds';
import { podKind } from '@fleetset/plane/kinds/pod-kind';
import { rolloutPolicyKind } from '@fleetset/plane/kinds/rollout-policy-kind';
import type { RolloutPolicySpec } from '@fleetset/scheduler-core/schema/rollout-policy';
import type { Taint, Toleration } from '@fleetset/scheduler-core/schema/scheduling';
import { type App, ASK_ALIVE, ASK_READY, commandOf } from './apps.ts';

const WRITE = { dryRun: false, fieldValidation: 'Strict' } as const;
export const NAMESPACE = 'default';

export interface TemplateWish {
  readonly app: Omit<App, 'of'>;
  readonly containers: number;
  readonly image: string;
  /** Tells two templates apart that are alike otherwise. */
  readonly version: number;
  readonly hostNetwork: boolean;
  readonly graceSeconds: number;
  readonly probePeriodSeconds: number;
  /** Its containers have what the ConfigMap says in their environment. */
  readonly config?: boolean;
  readonly nodeSelector?: { readonly [key: string]: string };
  readonly tolerations?: readonly Toleration[];
}

export interface SetWish {
  readonly name: string;
  readonly template: TemplateWish;
  readonly strategy: 'RollingUpdate' | 'OnDelete';
  readonly maxUnavailable: number | string;
  /** Instead. */
  readonly maxSurge?: number | string;
  readonly minReadySeconds: number;
}

/** All configs of a run are one. */
export const CONFIG = 'config';
const CONFIG_ENV = { name: 'CONFIG', valueFrom: { configMapKeyRef: { name: CONFIG, key: 'value' } } };

const templateOf = (name: string, wish: TemplateWish) => ({
  metadata: { labels: { app: name } },
  spec: {
    hostNetwork: wish.hostNetwork,
    terminationGracePeriodSeconds: wish.graceSeconds,
    ...(wish.nodeSelector ? { nodeSelector: wish.nodeSelector } : {}),
    ...(wish.tolerations ? { tolerations: wish.tolerations } : {}),
    containers: Array.from({ length: wish.containers }, (_, index) => ({
      name: `c${index}`,
      image: wish.image,
      command: commandOf({ ...wish.app, of: wish.containers }),
      env: [{ name: 'VERSION', value: String(wish.version) }, ...(wish.config ? [CONFIG_ENV] : [])],
      imagePullPolicy: 'IfNotPresent',
      ...(wish.app.liveness
        ? { livenessProbe: { exec: { command: ASK_ALIVE }, periodSeconds: 5, failureThreshold: 2 } }
        : {}),
      readinessProbe: {
        exec: { command: ASK_READY },
        periodSeconds: wish.probePeriodSeconds,
        failureThreshold: 2,
      },
    })),
  },
});

const strategyOf = ({ strategy, maxUnavailable, maxSurge }: SetWish) => {
  if (strategy === 'OnDelete') return { type: strategy };
  const surge = maxSurge === undefined ? { maxUnavailable } : { maxUnavailable: 0, maxSurge };
  return { type: strategy, rollingUpdate: surge };
};

export const shownStrategy = ({ strategy, maxUnavailable, maxSurge, minReadySeconds }: SetWish): string =>
  `${strategy} ${maxSurge === undefined ? maxUnavailable : `surge ${maxSurge}`} ${minReadySeconds}s`;

export const createSet = (objects: Objects, wish: SetWish) =>
  objects.create(
    daemonSetKind,
    NAMESPACE,
    {
      metadata: { name: wish.name },
      spec: {
        selector: { matchLabels: { app: wish.name } },
        updateStrategy: strategyOf(wish),
        minReadySeconds: wish.minReadySeconds,
        revisionHistoryLimit: 3,
        template: templateOf(wish.name, wish.template),
      },
    },
    WRITE,
  );

type Changed = { readonly [field: string]: unknown };
const changeSet = (
  objects: Objects,
  name: string,
  change: (set: KubeObject & { spec: Changed }) => unknown,
) =>
  objects.update(
    daemonSetKind,
    NAMESPACE,
    name,
    (current) => withoutVersion(change(current as never)),
    WRITE,
  );

/** As a patch does: on whatever is there. */
const withoutVersion = (object: unknown): unknown => {
  const { metadata, ...rest } = object as KubeObject;
  const { resourceVersion: _dropped, ...kept } = metadata;
  return { ...rest, metadata: kept };
};

export const setTemplate = (objects: Objects, name: string, wish: TemplateWish) =>
  changeSet(objects, name, (set) => ({ ...set, spec: { ...set.spec, template: templateOf(name, wish) } }));

export const setStrategy = (objects: Objects, wish: SetWish) =>
  changeSet(objects, wish.name, (set) => ({
    ...set,
    spec: { ...set.spec, updateStrategy: strategyOf(wish), minReadySeconds: wish.minReadySeconds },
  }));

export const annotateSet = (
  objects: Objects,
  name: string,
  annotations: { [key: string]: string | undefined },
) =>
  changeSet(objects, name, (set) => ({
    ...set,
    metadata: { ...set.metadata, annotations: without({ ...set.metadata.annotations, ...annotations }) },
  }));

export const removeSet = (
  objects: Objects,
  name: string,
  propagation: 'Background' | 'Foreground' | 'Orphan',
) => objects.remove(daemonSetKind, NAMESPACE, name, { dryRun: false, propagation });

export const putPolicy = (objects: Objects, name: string, spec: RolloutPolicySpec) =>
  put(objects, rolloutPolicyKind, name, { spec });

export const putConfig = (objects: Objects, value: string) =>
  put(objects, configMapKind, CONFIG, { data: { value } });

async function put(objects: Objects, kind: Kind, name: string, content: Changed): Promise<void> {
  try {
    await objects.update(
      kind,
      NAMESPACE,
      name,
      (current) => withoutVersion({ ...current, ...content }),
      WRITE,
    );
  } catch (error) {
    if ((error as { code?: number }).code !== 404) throw error;
    await objects.create(kind, NAMESPACE, { metadata: { name }, ...content }, WRITE);
  }
}

export const removePolicy = (objects: Objects, name: string) =>
  objects.remove(rolloutPolicyKind, NAMESPACE, name, { dryRun: false, propagation: 'Background' });

const without = (map: { [key: string]: string | undefined }) =>
  Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined));

export const labelNode = (objects: Objects, name: string, labels: { [key: string]: string | undefined }) =>
  objects.update(
    nodeKind,
    undefined,
    name,
    (current) =>
      withoutVersion({
        ...current,
        metadata: { ...current.metadata, labels: without({ ...current.metadata.labels, ...labels }) },
      }),
    WRITE,
  );

/** `kubectl taint`, and `cordon` for what it does besides. */
export const taintNode = (objects: Objects, name: string, key: string, taint: Taint | undefined) =>
  objects.update(
    nodeKind,
    undefined,
    name,
    (current) => {
      const { taints = [], ...spec } = (current.spec ?? {}) as { taints?: Taint[] };
      const others = taints.filter((one) => one.key !== key);
      return withoutVersion({ ...current, spec: { ...spec, taints: taint ? [...others, taint] : others } });
    },
    WRITE,
  );

export const removeNode = (objects: Objects, name: string) =>
  objects.remove(nodeKind, undefined, name, { dryRun: false, propagation: 'Background' });

export const removePod = (objects: Objects, name: string, graceSeconds?: number) =>
  objects.remove(podKind, NAMESPACE, name, {
    dryRun: false,
    propagation: 'Background',
    ...(graceSeconds === undefined ? {} : { graceSeconds }),
  });
