// v1 Service and Endpoints, discovery.k8s.io/v1 EndpointSlice: for those who read them; nothing routes by them. Those of a
// Service with a selector are kept by lifecycle/endpoints-loop.ts.
import { applyDefaults } from '@fleetset/scheduler-core/schema/apply-defaults';
import {
  type EndpointSlice,
  type Endpoints,
  endpointSlice,
  endpoints,
  type Service,
  service,
} from '@fleetset/scheduler-core/schema/service';
import {
  validateEndpointSlice,
  validateEndpoints,
  validateService,
} from '@fleetset/scheduler-core/validation/service';
import { AGE, column, formatLabels, NAME } from './columns.ts';
import { ALL_VERBS, countedChange, type Kind, type KubeObject, notActedOn } from './kind.ts';

const asService = (object: KubeObject) => object as unknown as Service & Pick<KubeObject, 'metadata'>;
const asEndpoints = (object: KubeObject) => object as unknown as Endpoints;
const asSlice = (object: KubeObject) => object as unknown as EndpointSlice;

const specOf = (object: KubeObject) => asService(object).spec ?? {};

export const serviceKind: Kind = {
  group: '',
  kind: 'Service',
  plural: 'services',
  singular: 'service',
  shortNames: ['svc'],
  categories: ['all'],
  namespaced: true,
  schema: service,
  verbs: ALL_VERBS,
  putMakes: true,
  subresources: [{ name: 'status', kind: 'Service', verbs: ['get', 'patch', 'update'] }],
  columns: [
    NAME,
    column('Type', 'How it is exposed.', (object) => specOf(object).type ?? ''),
    column(
      'Cluster-IP',
      'Its address, if it was given one.',
      (object) => specOf(object).clusterIP || '<none>',
    ),
    column('External-IP', 'Addresses from outside.', (object) => externalCell(asService(object))),
    column('Port(s)', 'Its ports.', (object) => portsCell(asService(object))),
    AGE,
    column('Selector', 'Labels of its pods.', (object) => formatLabels(specOf(object).selector), {
      priority: 1,
    }),
  ],
  fields: {
    'spec.clusterIP': (object) => specOf(object).clusterIP ?? '',
    'spec.type': (object) => specOf(object).type ?? '',
  },
  rules: {
    setDefaults: (object) => defaultService(object),
    prepare: (object, old) => prepareService(object, old),
    validate: (object, old) => validateService(asService(object), old && asService(old)),
    warnings: (object) =>
      specOf(object).selector
        ? ['Service gets no address, and no traffic is routed by it: fleetset keeps its Endpoints alone']
        : notActedOn('Service', 'it gets no address, and no traffic is routed by it'),
  },
};

function defaultService(object: KubeObject): KubeObject {
  const filled = applyDefaults(service, object) as Service & Pick<KubeObject, 'metadata'>;
  const { spec = {} } = filled;
  const ports = spec.ports?.map((port) => ({ ...port, targetPort: port.targetPort || port.port }));
  const external = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
  const affine = spec.sessionAffinity === 'ClientIP' && !spec.sessionAffinityConfig;
  return {
    ...filled,
    spec: {
      ...spec,
      ...(ports ? { ports } : {}),
      ...(external ? { externalTrafficPolicy: spec.externalTrafficPolicy ?? 'Cluster' } : {}),
      ...(spec.type === 'ExternalName'
        ? {}
        : { internalTrafficPolicy: spec.internalTrafficPolicy ?? 'Cluster' }),
      ...(affine ? { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } } : {}),
    },
  };
}

/** Who replaces it and does not say its address means the one that it has. */
function prepareService(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const { status: _ignored, ...given } = object;
  const spec = specOf(object);
  const before = old && specOf(old);
  const keeps = !spec.clusterIP && before?.clusterIP && spec.type !== 'ExternalName';
  return {
    ...given,
    spec: keeps ? { ...spec, clusterIP: before.clusterIP } : spec,
    status: old?.status ?? { loadBalancer: {} },
  };
}

function externalCell({ spec = {}, status }: Service): string {
  const { type, externalIPs = [], externalName } = spec;
  if (type === 'ExternalName') return externalName || '<none>';
  const balanced = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  if (type !== 'LoadBalancer') return externalIPs.join(',') || '<none>';
  return [...balanced, ...externalIPs].filter((address) => address !== '').join(',') || '<pending>';
}

function portsCell({ spec = {} }: Service): string {
  const texts = (spec.ports ?? []).map(({ port, nodePort, protocol = 'TCP' }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return texts.join(',') || '<none>';
}

const MOST_SHOWN = 3;
const few = (texts: readonly string[], none: string): string => {
  if (texts.length === 0) return none;
  const more = texts.length > MOST_SHOWN ? ` + ${texts.length - MOST_SHOWN} more...` : '';
  return texts.slice(0, MOST_SHOWN).join(',') + more;
};

export const endpointsKind: Kind = {
  group: '',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  schema: endpoints,
  verbs: ALL_VERBS,
  putMakes: true,
  columns: [
    NAME,
    column('Endpoints', 'Addresses and ports that are ready.', (object) =>
      endpointsCell(asEndpoints(object)),
    ),
    AGE,
  ],
  rules: {
    setDefaults: (object) => applyDefaults(endpoints, object) as KubeObject,
    validate: (object) => validateEndpoints(asEndpoints(object)),
    warnings: () => notActedOn('Endpoints', 'nobody keeps them, and no traffic is routed by them'),
  },
};

function endpointsCell({ subsets = [] }: Endpoints): string {
  const addresses = subsets.flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${bracketed(ip)}:${port}`)),
  );
  return few(addresses, '<none>');
}

const bracketed = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);

export const endpointSliceKind: Kind = {
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  singular: 'endpointslice',
  namespaced: true,
  schema: endpointSlice,
  verbs: ALL_VERBS,
  putMakes: true,
  columns: [
    NAME,
    column('AddressType', 'Of which kind its addresses are.', (object) => asSlice(object).addressType),
    column('Ports', 'Its ports.', (object) =>
      few(
        (asSlice(object).ports ?? []).map(({ port, name }) =>
          port === undefined ? name || '*' : String(port),
        ),
        '<unset>',
      ),
    ),
    column('Endpoints', 'Its addresses.', (object) =>
      few(
        asSlice(object).endpoints.flatMap(({ addresses }) => addresses),
        '<unset>',
      ),
    ),
    AGE,
  ],
  rules: {
    setDefaults: (object) => applyDefaults(endpointSlice, object) as KubeObject,
    prepare: countedChange,
    validate: (object, old) => validateEndpointSlice(asSlice(object), old && asSlice(old)),
    warnings: () => notActedOn('EndpointSlice', 'nobody keeps it, and no traffic is routed by it'),
  },
};
