// Keeps the Endpoints and EndpointSlices of each Service that has a selector: those of its pods that have an address. They
// are observed state, as the pods are: not on disk, and made again from what nodes report.
import { createHash, randomUUID } from 'node:crypto';
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { startLevelLoop } from '@fleetset/scheduler-core/level-loop';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import type { Service } from '@fleetset/scheduler-core/schema/service';
import { endpointSlices, endpointSubsets, membersOf } from '@fleetset/scheduler-core/service-endpoints';
import { SAFE_LETTERS } from '@fleetset/scheduler-core/template-hash';
import type { KubeObject } from '../kinds/kind.ts';
import type { Change, Store, Write } from '../store/store.ts';
import { schedule } from '../timer.ts';

const SERVICES = 'core/services';
const PODS = 'core/pods';
const ENDPOINTS = 'core/endpoints';
const SLICES = 'discovery.k8s.io/endpointslices';

/** Kubernetes' own labels: who reads or cleans up by them finds ours. */
const ENDPOINTS_KEEPER = { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' };
const SLICE_KEEPER = { 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' };
const SERVICE_NAME = 'kubernetes.io/service-name';
const HEADLESS = 'service.kubernetes.io/headless';
const ZONE = 'topology.kubernetes.io/zone';

/** What changes within it is written at once. */
const GATHER_MS = 100;

type StoredService = Service & Pick<KubeObject, 'metadata'>;

export interface EndpointsLoopParts {
  readonly store: Store;
  readonly nowText: () => string;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export function startEndpointsLoop(parts: EndpointsLoopParts): { readonly stop: () => Promise<void> } {
  const { store } = parts;
  const dirty = new Set<string>();
  const servicesIn = (namespace: string): StoredService[] =>
    [...store.list(SERVICES)]
      .filter(({ id }) => namespaceOf(id) === namespace)
      .map(({ value }) => value as unknown as StoredService);

  const loop = startLevelLoop({
    pass: async () => {
      await new Promise<void>((resolve) => void schedule(GATHER_MS, resolve));
      const namespaces = [...dirty];
      dirty.clear();
      for (const namespace of namespaces) {
        const writes = writesFor(parts, namespace, servicesIn(namespace));
        if (writes.length > 0 && !(await store.commit(writes)).committed) dirty.add(namespace);
      }
      return dirty.size > 0 ? { againInMs: 0 } : {};
    },
    schedule,
    onFailure: (error, retryInMs) => {
      touchAll();
      parts.onFailure(error, retryInMs);
    },
  });
  const touchAll = () => {
    for (const collection of [SERVICES, ENDPOINTS, SLICES])
      for (const { id } of store.list(collection)) dirty.add(namespaceOf(id));
  };
  const follow = (collection: string, matters: (change: Change, namespace: string) => boolean) =>
    store.watch(collection, store.version(), (change) => {
      const namespace = namespaceOf(change.id);
      if (dirty.has(namespace) || !matters(change, namespace)) return;
      dirty.add(namespace);
      loop.wake();
    });
  const watches = [
    follow(SERVICES, () => true),
    follow(PODS, (change, namespace) => isNews(change) && servicesIn(namespace).length > 0),
    follow(ENDPOINTS, ({ value, previous }) => isOurs(value) || isOurs(previous)),
    follow(SLICES, ({ value, previous }) => isOurs(value) || isOurs(previous)),
  ];
  touchAll();
  loop.wake();
  return {
    stop: async () => {
      for (const watch of watches) if (watch !== 'expired') watch.close();
      await loop.stop();
    },
  };
}

const namespaceOf = (id: string): string => id.slice(0, id.indexOf('/'));

const isOurs = (value: unknown): boolean =>
  Object.entries({ ...ENDPOINTS_KEEPER, ...SLICE_KEEPER }).some(
    ([key, keeper]) => (value as KubeObject | undefined)?.metadata.labels?.[key] === keeper,
  );

/** Of what a Service looks at. */
function isNews({ value, previous }: Change): boolean {
  if (!value || !previous) return true;
  const seen = (one: unknown) => {
    const { metadata, status } = one as Pod;
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
    return [metadata?.labels, metadata?.deletionTimestamp, status?.podIP, status?.phase, ready];
  };
  return !sameJson(seen(value), seen(previous));
}

function writesFor(
  parts: EndpointsLoopParts,
  namespace: string,
  services: readonly StoredService[],
): Write[] {
  const { store } = parts;
  const pods = [...store.list(PODS)]
    .filter(({ id }) => namespaceOf(id) === namespace)
    .map(({ value }) => value as unknown as Pod);
  const wanted: Wanted[] = services
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .flatMap((service) => {
      const members = membersOf(service, pods);
      return members ? objectsOf(store, service, members) : [];
    });
  const kept = new Set([
    ...wanted.map(({ collection, id }) => `${collection} ${id}`),
    // A Service that has lost its selector leaves what it had to whoever looks after it now.
    ...services.flatMap(({ metadata: { name = '' } }) => `${ENDPOINTS} ${namespace}/${name}`),
  ]);
  const unselected = new Set(
    services.filter((service) => !membersOf(service, [])).map(({ metadata }) => metadata.name),
  );
  const left = [ENDPOINTS, SLICES].flatMap((collection) =>
    [...store.list(collection)]
      .filter(({ id, value }) => {
        if (namespaceOf(id) !== namespace || !isOurs(value) || kept.has(`${collection} ${id}`)) return false;
        return !unselected.has((value as unknown as KubeObject).metadata.labels?.[SERVICE_NAME]);
      })
      .map(({ id, version }): Write => ({ collection, id, expect: version, durable: false })),
  );
  return [...wanted.flatMap((one) => putWanted(parts, one)), ...left];
}

interface Wanted {
  readonly collection: string;
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly more: Partial<KubeObject['metadata']>;
  readonly labels: { readonly [key: string]: string };
  readonly content: { readonly [field: string]: unknown };
}

function objectsOf(
  store: Store,
  { metadata, spec }: StoredService,
  members: NonNullable<ReturnType<typeof membersOf>>,
): Wanted[] {
  const { name = '', namespace = '', uid = '' } = metadata;
  const labels = {
    ...metadata.labels,
    ...(spec?.clusterIP === 'None' ? { [HEADLESS]: '' } : {}),
  };
  const subsets = endpointSubsets(members);
  const zoneOf = (node: string) =>
    (store.get('core/nodes', node)?.value as KubeObject | undefined)?.metadata.labels?.[ZONE];
  const slices = endpointSlices(members, zoneOf);
  const ownerReferences = [
    { apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true },
  ];
  return [
    {
      collection: ENDPOINTS,
      id: `${namespace}/${name}`,
      name,
      namespace,
      more: {},
      labels: { ...labels, ...ENDPOINTS_KEEPER },
      content: { apiVersion: 'v1', kind: 'Endpoints', ...(subsets.length > 0 ? { subsets } : {}) },
    },
    ...slices.map((slice, index): Wanted => {
      const own = `${name}-${lettersOf(`${uid}/${index}`)}`;
      return {
        collection: SLICES,
        id: `${namespace}/${own}`,
        name: own,
        namespace,
        more: { generateName: `${name}-`, ownerReferences },
        labels: { ...labels, ...SLICE_KEEPER, [SERVICE_NAME]: name },
        content: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', ...slice },
      };
    }),
  ];
}

/** The same for the same text, so that a slice keeps its name. */
const lettersOf = (text: string): string =>
  [...createHash('sha256').update(text).digest().subarray(0, 5)]
    .map((byte) => SAFE_LETTERS[byte % SAFE_LETTERS.length])
    .join('');

/** Nothing when it is there as it should be. */
function putWanted({ store, nowText }: EndpointsLoopParts, wanted: Wanted): Write[] {
  const { collection, id, name, namespace, more, labels, content } = wanted;
  const stored = store.get(collection, id);
  const before = stored?.value as unknown as KubeObject | undefined;
  const { metadata: was, ...contentWas } = before ?? { metadata: undefined };
  const isSame = was !== undefined && sameJson(contentWas, content);
  if (isSame && sameJson(was.labels ?? {}, labels)) return [];
  const { resourceVersion: _given, ...metadata } = was ?? {
    name,
    namespace,
    uid: randomUUID(),
    creationTimestamp: nowText(),
    ...more,
  };
  const counted = collection === SLICES ? { generation: (was?.generation ?? 0) + (isSame ? 0 : 1) } : {};
  const write: Write = {
    collection,
    id,
    value: { ...content, metadata: { ...metadata, ...counted, labels } },
    expect: stored?.version ?? 'absent',
    durable: false,
  };
  return [write];
}
