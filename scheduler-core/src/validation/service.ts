// What a Service, its Endpoints and its EndpointSlices must get right, as Kubernetes says it.
import type { EndpointSlice, Endpoints, Service, ServicePort } from '../schema/service.ts';
import { checked, duplicate, type FieldError, invalid, notSupported, required } from './field-error.ts';
import { validateLabels, validateMetadata } from './metadata.ts';
import { dnsLabelProblem, dnsSubdomainProblem, portNameProblem, serviceNameProblem } from './names.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

export const validateService = (service: Service, old: Service | undefined): FieldError[] => [
  ...validateMetadata(service.metadata ?? {}, true, serviceNameProblem),
  ...validateServiceSpec(service.spec ?? {}),
  ...validateClusterIp(service.spec ?? {}, old?.spec),
];

type Spec = NonNullable<Service['spec']>;

function validateServiceSpec(spec: Spec): FieldError[] {
  const { type = 'ClusterIP', ports = [], sessionAffinity = 'None', externalName } = spec;
  const needsPorts = type !== 'ExternalName' && spec.clusterIP !== 'None';
  return [
    ...(TYPES.includes(type) ? [] : [notSupported('spec.type', type, TYPES)]),
    ...(needsPorts && ports.length === 0 ? [required('spec.ports')] : []),
    ...ports.flatMap((port, index) => validateServicePort(`spec.ports[${index}]`, port, ports.length > 1)),
    ...validateTwins(ports),
    ...validateLabels('spec.selector', spec.selector),
    ...(['None', 'ClientIP'].includes(sessionAffinity)
      ? []
      : [notSupported('spec.sessionAffinity', sessionAffinity, ['ClientIP', 'None'])]),
    ...(type === 'ExternalName' && !externalName ? [required('spec.externalName')] : []),
    ...(type === 'ExternalName' && externalName
      ? checked('spec.externalName', externalName.replace(/\.$/, ''), dnsSubdomainProblem)
      : []),
    ...(type === 'LoadBalancer' && spec.clusterIP === 'None'
      ? [invalid('spec.clusterIP', 'None', "may not be set to 'None' for LoadBalancer services")]
      : []),
  ];
}

function validateServicePort(at: string, port: ServicePort, named: boolean): FieldError[] {
  const { name = '', protocol = 'TCP', targetPort } = port;
  return [
    ...(name === '' ? (named ? [required(`${at}.name`)] : []) : checked(`${at}.name`, name, dnsLabelProblem)),
    ...validatePortNumber(`${at}.port`, port.port),
    ...validateProtocol(`${at}.protocol`, protocol),
    ...(typeof targetPort === 'number' ? validatePortNumber(`${at}.targetPort`, targetPort) : []),
    ...(typeof targetPort === 'string' ? checked(`${at}.targetPort`, targetPort, portNameProblem) : []),
  ];
}

const validatePortNumber = (at: string, port: number): FieldError[] =>
  port >= 1 && port <= 65535 ? [] : [invalid(at, port, 'must be between 1 and 65535, inclusive')];
const validateProtocol = (at: string, protocol: string): FieldError[] =>
  PROTOCOLS.includes(protocol) ? [] : [notSupported(at, protocol, PROTOCOLS)];

function validateTwins(ports: readonly ServicePort[]): FieldError[] {
  return ports.flatMap((port, index) => {
    const before = ports.slice(0, index);
    const sameName = before.some(({ name }) => name && name === port.name);
    const samePort = before.some((other) => other.port === port.port && other.protocol === port.protocol);
    return [
      ...(sameName ? [duplicate(`spec.ports[${index}].name`, port.name)] : []),
      ...(samePort ? [duplicate(`spec.ports[${index}]`, { port: port.port, protocol: port.protocol })] : []),
    ];
  });
}

/** It may be given up only with the type that has one. */
function validateClusterIp(spec: Spec, old: Spec | undefined): FieldError[] {
  const before = old?.clusterIP;
  if (!before || spec.type === 'ExternalName' || old?.type === 'ExternalName') return [];
  return spec.clusterIP === before
    ? []
    : [invalid('spec.clusterIPs[0]', spec.clusterIP ?? '', 'field is immutable')];
}

export function validateEndpoints({ metadata = {}, subsets = [] }: Endpoints): FieldError[] {
  return [
    ...validateMetadata(metadata, true),
    ...subsets.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }, index) => {
      const at = `subsets[${index}]`;
      return [
        ...(addresses.length + notReadyAddresses.length === 0
          ? [required(at, 'must specify `addresses` or `notReadyAddresses`')]
          : []),
        ...addresses.flatMap(({ ip }, item) => validateIp(`${at}.addresses[${item}].ip`, ip)),
        ...notReadyAddresses.flatMap(({ ip }, item) => validateIp(`${at}.notReadyAddresses[${item}].ip`, ip)),
        ...ports.flatMap(({ name, port, protocol = 'TCP' }, item) => [
          ...(!name && ports.length > 1 ? [required(`${at}.ports[${item}].name`)] : []),
          ...validatePortNumber(`${at}.ports[${item}].port`, port),
          ...validateProtocol(`${at}.ports[${item}].protocol`, protocol),
        ]),
      ];
    }),
  ];
}

const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];

export function validateEndpointSlice(slice: EndpointSlice, old: EndpointSlice | undefined): FieldError[] {
  const { metadata = {}, addressType, endpoints, ports = [] } = slice;
  return [
    ...validateMetadata(metadata, true),
    ...(addressType === ''
      ? [required('addressType')]
      : ADDRESS_TYPES.includes(addressType)
        ? []
        : [notSupported('addressType', addressType, ADDRESS_TYPES)]),
    ...(old && old.addressType !== addressType
      ? [invalid('addressType', addressType, 'field is immutable')]
      : []),
    ...endpoints.flatMap(({ addresses }, index) => [
      ...(addresses.length === 0
        ? [required(`endpoints[${index}].addresses`, 'must contain at least 1 address')]
        : []),
      ...addresses.flatMap((address, item) =>
        addressType === 'FQDN'
          ? checked(`endpoints[${index}].addresses[${item}]`, address, dnsSubdomainProblem)
          : validateIp(`endpoints[${index}].addresses[${item}]`, address),
      ),
    ]),
    ...ports.flatMap(({ port, protocol = 'TCP' }, index) => [
      ...(port === undefined ? [] : validatePortNumber(`ports[${index}].port`, port)),
      ...validateProtocol(`ports[${index}].protocol`, protocol),
    ]),
  ];
}

const validateIp = (at: string, address: string): FieldError[] =>
  isIp(address)
    ? []
    : [invalid(at, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')];

const isIp = (address: string): boolean =>
  /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$/.test(address) ||
  (/^[0-9a-fA-F:.]+$/.test(address) && address.split(':').length >= 3 && address.length <= 45);
