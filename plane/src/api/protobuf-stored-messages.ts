// Services and priority classes in protobuf: `kubectl create service` and `create priorityclass`.
import {
  flag,
  integer,
  type Message,
  many,
  map,
  message,
  metadata,
  one,
  readMessage,
  text,
} from './protobuf-fields.ts';

/** A number (0) or a text (1). */
const intOrString = one('targetPort', (reader) => {
  const fields: Message = { 1: one('type', integer), 2: one('number', integer), 3: one('text', text) };
  const { type = 0, number = 0, text: word = '' } = readMessage(fields, reader, reader.uint32());
  return type === 1 ? word : number;
});

/** Go writes what was not set as zero; in JSON it leaves it out. */
const sparse =
  (fields: Message): ReturnType<typeof message> =>
  (reader) => {
    const entries = Object.entries(readMessage(fields, reader, reader.uint32()));
    return Object.fromEntries(entries.filter(([, value]) => value !== '' && value !== 0 && value !== false));
  };

const servicePort: Message = {
  1: one('name', text),
  2: one('protocol', text),
  3: one('port', integer),
  4: intOrString,
  5: one('nodePort', integer),
  6: one('appProtocol', text),
};

const serviceSpec: Message = {
  1: many('ports', sparse(servicePort)),
  2: map('selector', text),
  3: one('clusterIP', text),
  4: one('type', text),
  5: many('externalIPs', text),
  7: one('sessionAffinity', text),
  8: one('loadBalancerIP', text),
  9: many('loadBalancerSourceRanges', text),
  10: one('externalName', text),
  11: one('externalTrafficPolicy', text),
  12: one('healthCheckNodePort', integer),
  13: one('publishNotReadyAddresses', flag),
  17: one('ipFamilyPolicy', text),
  18: many('clusterIPs', text),
  19: many('ipFamilies', text),
  20: one('allocateLoadBalancerNodePorts', flag),
  21: one('loadBalancerClass', text),
  22: one('internalTrafficPolicy', text),
  23: one('trafficDistribution', text),
};

export const deleteOptions: Message = {
  1: one('gracePeriodSeconds', integer),
  2: one('preconditions', message({ 1: one('uid', text), 2: one('resourceVersion', text) })),
  3: one('orphanDependents', flag),
  4: one('propagationPolicy', text),
  5: many('dryRun', text),
};

/** By apiVersion and kind. */
export const STORED_MESSAGES: { readonly [kind: string]: Message } = {
  'policy/v1 Eviction': { 1: metadata, 2: one('deleteOptions', message(deleteOptions)) },
  'v1 Service': { 1: metadata, 2: one('spec', sparse(serviceSpec)) },
  'scheduling.k8s.io/v1 PriorityClass': {
    1: metadata,
    2: one('value', integer),
    3: one('globalDefault', flag),
    4: one('description', text),
    5: one('preemptionPolicy', text),
  },
};
