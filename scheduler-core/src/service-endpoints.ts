// Which pods a Service stands for, and at which ports: the subsets of its Endpoints, and its EndpointSlices.
import { matchesSelector } from './label-selector.ts';
import { allContainers } from './node/pod-record.ts';
import type { Pod } from './schema/pod.ts';
import type { EndpointSlice, Endpoints, Service, ServicePort } from './schema/service.ts';

type Subset = NonNullable<Endpoints['subsets']>[number];
type Endpoint = EndpointSlice['endpoints'][number];
export interface SliceContent {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: NonNullable<EndpointSlice['ports']>;
  readonly endpoints: readonly Endpoint[];
}

interface FoundPort {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
}

/** A pod of the Service that has an address. */
interface Member {
  readonly pod: Pod;
  readonly ip: string;
  readonly ports: readonly FoundPort[];
  readonly ready: boolean;
  readonly terminating: boolean;
}

/** As Kubernetes': what is more is left out of Endpoints, and begins another slice. */
const MOST_IN_ENDPOINTS = 1000;
const MOST_IN_SLICE = 100;

/** `pods`: of its namespace. Undefined: it has no selector, and somebody else looks after its endpoints. */
export function membersOf({ spec }: Service, pods: readonly Pod[]): readonly Member[] | undefined {
  const { selector = {}, ports = [], publishNotReadyAddresses = false, type } = spec ?? {};
  if (Object.keys(selector).length === 0 || type === 'ExternalName') return undefined;
  return pods
    .filter(({ metadata }) => matchesSelector({ matchLabels: selector }, metadata?.labels ?? {}))
    .flatMap((pod): Member[] => {
      const { podIP, phase, conditions = [] } = pod.status ?? {};
      if (!podIP || phase === 'Failed' || phase === 'Succeeded') return [];
      const isReady = conditions.some(({ type: what, status }) => what === 'Ready' && status === 'True');
      return [
        {
          pod,
          ip: podIP,
          ports: ports.flatMap((port) => portIn(pod, port) ?? []),
          ready: isReady || publishNotReadyAddresses,
          terminating: pod.metadata?.deletionTimestamp !== undefined,
        },
      ];
    })
    .filter((member) => ports.length === 0 || member.ports.length > 0)
    .sort((a, b) => compare(a.ip, b.ip) || compare(uidOf(a.pod), uidOf(b.pod)));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const uidOf = ({ metadata }: Pod): string => metadata?.uid ?? '';

/** A port by name is looked for among the pod's own. */
function portIn({ spec }: Pod, port: ServicePort): FoundPort | undefined {
  const { name = '', protocol = 'TCP', appProtocol, targetPort = port.port } = port;
  const number =
    typeof targetPort === 'number'
      ? targetPort
      : (spec ? allContainers(spec) : [])
          .flatMap(({ ports = [] }) => ports)
          .find((own) => own.name === targetPort && (own.protocol ?? 'TCP') === protocol)?.containerPort;
  return number === undefined
    ? undefined
    : { name, port: number, protocol, ...(appProtocol ? { appProtocol } : {}) };
}

/** Members with the same ports together, in an order that depends on nothing else. */
function byPorts(members: readonly Member[]): readonly (readonly Member[])[] {
  const groups = new Map<string, Member[]>();
  for (const member of members) {
    const key = JSON.stringify(member.ports);
    groups.set(key, [...(groups.get(key) ?? []), member]);
  }
  return [...groups].sort(([a], [b]) => compare(a, b)).map(([, group]) => group);
}

const targetRef = ({ metadata = {} }: Pod) => ({
  kind: 'Pod',
  namespace: metadata.namespace ?? '',
  name: metadata.name ?? '',
  uid: metadata.uid ?? '',
});
const nodeOf = ({ spec }: Pod) => (spec?.nodeName ? { nodeName: spec.nodeName } : {});

/** What ends is in no subset. */
export function endpointSubsets(members: readonly Member[]): readonly Subset[] {
  const live = members.filter(({ terminating }) => !terminating).slice(0, MOST_IN_ENDPOINTS);
  return byPorts(live).map((group) => {
    const addresses = (ready: boolean) =>
      group
        .filter((member) => member.ready === ready)
        .map(({ ip, pod }) => ({ ip, ...nodeOf(pod), targetRef: targetRef(pod) }));
    const [ready, others, [first]] = [addresses(true), addresses(false), group];
    return {
      ...(ready.length > 0 ? { addresses: ready } : {}),
      ...(others.length > 0 ? { notReadyAddresses: others } : {}),
      ...(first && first.ports.length > 0
        ? { ports: first.ports.map(({ name, ...port }) => ({ ...(name ? { name } : {}), ...port })) }
        : {}),
    };
  });
}

/** `zoneOf`: of a node. */
export function endpointSlices(
  members: readonly Member[],
  zoneOf: (nodeName: string) => string | undefined,
): readonly SliceContent[] {
  return (['IPv4', 'IPv6'] as const).flatMap((addressType) =>
    byPorts(members.filter(({ ip }) => ip.includes(':') === (addressType === 'IPv6'))).flatMap((group) =>
      chunks(group, MOST_IN_SLICE).map((some) => ({
        addressType,
        ports: (some[0]?.ports ?? []).map((port) => ({ ...port })),
        endpoints: some.map((member) => endpointOf(member, zoneOf)),
      })),
    ),
  );
}

function endpointOf(
  { pod, ip, ready, terminating }: Member,
  zoneOf: (nodeName: string) => string | undefined,
): Endpoint {
  const zone = zoneOf(pod.spec?.nodeName ?? '');
  return {
    addresses: [ip],
    conditions: { ready: ready && !terminating, serving: ready, terminating },
    targetRef: targetRef(pod),
    ...nodeOf(pod),
    ...(zone ? { zone } : {}),
  };
}

function chunks<T>(list: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}
