// core/v1 Service and Endpoints, discovery.k8s.io/v1 EndpointSlice: what programs in pods look up.

import { objectMeta } from './meta.ts';
import { objectReference } from './plain.ts';
import {
  atomic,
  boolean,
  flag,
  type Infer,
  int32,
  intOrString,
  list,
  listByKey,
  map,
  object,
  string,
  stringOrAbsent,
  time,
} from './schema.ts';

const core = (kind: string) => `io.k8s.api.core.v1.${kind}`;
const discovery = (kind: string) => `io.k8s.api.discovery.v1.${kind}`;
const typed = { apiVersion: string(), kind: string(), metadata: objectMeta };

const servicePort = object(
  core('ServicePort'),
  {
    name: string(),
    protocol: string({ default: 'TCP' }),
    appProtocol: stringOrAbsent,
    port: int32(),
    targetPort: intOrString(),
    nodePort: int32({ zeroIsUnset: true }),
  },
  ['port'],
);
export interface ServicePort extends Infer<typeof servicePort> {}

const serviceSpec = object(core('ServiceSpec'), {
  ports: listByKey(servicePort, 'port', 'protocol'),
  selector: atomic(map(string())),
  clusterIP: string(),
  clusterIPs: list(string()),
  type: string({ default: 'ClusterIP' }),
  externalIPs: list(string()),
  sessionAffinity: string({ default: 'None' }),
  loadBalancerIP: string(),
  loadBalancerSourceRanges: list(string()),
  externalName: string(),
  externalTrafficPolicy: string(),
  healthCheckNodePort: int32({ zeroIsUnset: true }),
  publishNotReadyAddresses: flag,
  sessionAffinityConfig: object(core('SessionAffinityConfig'), {
    clientIP: object(core('ClientIPConfig'), { timeoutSeconds: int32({ default: 10800 }) }),
  }),
  ipFamilies: list(string()),
  ipFamilyPolicy: stringOrAbsent,
  allocateLoadBalancerNodePorts: boolean(),
  loadBalancerClass: stringOrAbsent,
  internalTrafficPolicy: stringOrAbsent,
  trafficDistribution: stringOrAbsent,
});

const condition = object(
  'io.k8s.apimachinery.pkg.apis.meta.v1.Condition',
  {
    type: string(),
    status: string(),
    observedGeneration: int32(),
    lastTransitionTime: time,
    reason: string(),
    message: string(),
  },
  ['type', 'status', 'reason', 'message'],
);

const ingress = object(core('LoadBalancerIngress'), {
  ip: string(),
  hostname: string(),
  ipMode: string(),
  ports: list(
    object(core('PortStatus'), { port: int32(), protocol: string(), error: string() }, ['port', 'protocol']),
  ),
});

export const service = object(core('Service'), {
  ...typed,
  spec: { ...serviceSpec, default: {} },
  status: object(core('ServiceStatus'), {
    loadBalancer: object(core('LoadBalancerStatus'), { ingress: list(ingress) }),
    conditions: listByKey(condition, 'type'),
  }),
});
export interface Service extends Infer<typeof service> {}

const endpointAddress = atomic(
  object(
    core('EndpointAddress'),
    { ip: string(), hostname: string(), nodeName: string(), targetRef: objectReference },
    ['ip'],
  ),
);
const endpointPort = atomic(
  object(
    core('EndpointPort'),
    { name: string(), port: int32(), protocol: string({ default: 'TCP' }), appProtocol: stringOrAbsent },
    ['port'],
  ),
);

export const endpoints = object(core('Endpoints'), {
  ...typed,
  subsets: list(
    object(core('EndpointSubset'), {
      addresses: list(endpointAddress),
      notReadyAddresses: list(endpointAddress),
      ports: list(endpointPort),
    }),
  ),
});
export interface Endpoints extends Infer<typeof endpoints> {}

const named = (name: string) => object(name, { name: string() }, ['name']);

const endpoint = object(
  discovery('Endpoint'),
  {
    addresses: list(string()),
    conditions: object(discovery('EndpointConditions'), {
      ready: boolean(),
      serving: boolean(),
      terminating: boolean(),
    }),
    hostname: stringOrAbsent,
    targetRef: objectReference,
    deprecatedTopology: map(string()),
    nodeName: stringOrAbsent,
    zone: stringOrAbsent,
    hints: object(discovery('EndpointHints'), {
      forZones: list(named(discovery('ForZone'))),
      forNodes: list(named(discovery('ForNode'))),
    }),
  },
  ['addresses'],
);

export const endpointSlice = object(
  discovery('EndpointSlice'),
  {
    ...typed,
    addressType: string(),
    endpoints: list(endpoint),
    ports: list(
      atomic(
        object(discovery('EndpointPort'), {
          name: string({ default: '' }),
          protocol: string({ default: 'TCP' }),
          port: int32(),
          appProtocol: stringOrAbsent,
        }),
      ),
    ),
  },
  ['addressType', 'endpoints'],
);
export interface EndpointSlice extends Infer<typeof endpointSlice> {}
