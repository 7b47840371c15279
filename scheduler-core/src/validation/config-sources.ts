// Where a pod may take values from: ConfigMaps, Secrets, and what is known of the pod itself.
import { splitSubscript } from '../node/field-ref.ts';
import type { Container, EnvVar } from '../schema/container.ts';
import { checked, type FieldError, invalid, notSupported, required } from './field-error.ts';
import { configKeyProblem, dnsSubdomainProblem, envNameProblem, qualifiedNameProblem } from './names.ts';

type ValueFrom = NonNullable<EnvVar['valueFrom']>;
type FieldRef = NonNullable<ValueFrom['fieldRef']>;
type ResourceRef = NonNullable<ValueFrom['resourceFieldRef']>;

const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
export const VOLUME_FIELDS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
/** Known to the API, wherever they may be used. */
const KNOWN_FIELDS = new Set([
  ...ENV_FIELDS,
  ...VOLUME_FIELDS,
  'spec.restartPolicy',
  'spec.schedulerName',
  'status.phase',
]);

/** Without what says that it has to have exactly one source. */
export function validateValueFrom(at: string, from: ValueFrom): FieldError[] {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = from;
  return [
    ...(fieldRef ? validateFieldRef(`${at}.fieldRef`, fieldRef, ENV_FIELDS) : []),
    ...(resourceFieldRef ? validateResourceRef(`${at}.resourceFieldRef`, resourceFieldRef, false) : []),
    ...(configMapKeyRef ? validateKeyRef(`${at}.configMapKeyRef`, configMapKeyRef) : []),
    ...(secretKeyRef ? validateKeyRef(`${at}.secretKeyRef`, secretKeyRef) : []),
  ];
}

const validateKeyRef = (
  at: string,
  { name = '', key }: { readonly name?: string; readonly key: string },
): FieldError[] => [
  ...checked(`${at}.name`, name, dnsSubdomainProblem),
  ...(key ? checked(`${at}.key`, key, configKeyProblem) : [required(`${at}.key`)]),
];

/** Rule 73: that a source is missing is said without its index. */
export const validateEnvFrom = (field: string, sources: NonNullable<Container['envFrom']>): FieldError[] =>
  sources.flatMap(({ prefix, configMapRef, secretRef }, index) => {
    const at = `${field}[${index}]`;
    return [
      ...(prefix ? checked(`${at}.prefix`, prefix, envNameProblem) : []),
      ...(configMapRef ? validateSourceName(`${at}.configMapRef.name`, configMapRef.name) : []),
      ...(secretRef ? validateSourceName(`${at}.secretRef.name`, secretRef.name) : []),
      ...(configMapRef || secretRef
        ? []
        : [invalid(field, '', 'must specify one of: `configMapRef` or `secretRef`')]),
      ...(configMapRef && secretRef
        ? [invalid(field, '', 'may not have more than one field specified at a time')]
        : []),
    ];
  });

const validateSourceName = (field: string, name: string | undefined): FieldError[] =>
  name ? checked(field, name, dnsSubdomainProblem) : [required(field)];

export function validateFieldRef(
  at: string,
  { apiVersion, fieldPath }: FieldRef,
  allowed: readonly string[],
): FieldError[] {
  if (!apiVersion) return [required(`${at}.apiVersion`)];
  if (!fieldPath) return [required(`${at}.fieldPath`)];
  const part = splitSubscript(fieldPath);
  if (part) {
    // Keys of annotations may have capitals in their prefix.
    const key = part.path === 'metadata.annotations' ? part.key.toLowerCase() : part.key;
    const problem = qualifiedNameProblem(key);
    return problem ? [invalid(at, part.key, problem)] : [];
  }
  if (apiVersion !== 'v1' || !KNOWN_FIELDS.has(fieldPath))
    return [
      invalid(
        `${at}.fieldPath`,
        fieldPath,
        `error converting fieldPath: ${apiVersion === 'v1' ? `field label not supported: ${fieldPath}` : `unsupported pod version: ${apiVersion}`}`,
      ),
    ];
  return allowed.includes(fieldPath) ? [] : [notSupported(`${at}.fieldPath`, fieldPath, allowed)];
}

const RESOURCES = ['cpu', 'memory', 'ephemeral-storage'].flatMap((name) => [
  `limits.${name}`,
  `requests.${name}`,
]);
const CPU_DIVISORS = ['1m', '1'];
const BYTE_DIVISORS = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei'];

/** `named`: it must say of which container. */
export function validateResourceRef(
  at: string,
  { containerName, resource, divisor = '0' }: ResourceRef,
  named: boolean,
): FieldError[] {
  if (named && !containerName) return [required(`${at}.containerName`)];
  if (!resource) return [required(`${at}.resource`)];
  if (!RESOURCES.includes(resource)) return [notSupported(`${at}.resource`, resource, RESOURCES)];
  const name = resource.slice(resource.indexOf('.') + 1);
  const divisors = name === 'cpu' ? CPU_DIVISORS : BYTE_DIVISORS;
  if (divisor === '0' || divisors.includes(divisor)) return [];
  const detail = `only divisor's values ${divisors.join(', ')} are supported with the ${name} resource`;
  return [invalid(`${at}.divisor`, resource, detail)];
}
