// Containers of a pod template: names, images, ports, environment, mounts, resources.
import { parseQuantity } from '../quantity.ts';
import type {
  Container,
  ContainerPort,
  EnvVar,
  ResourceRequirements,
  SecurityContext,
  VolumeMount,
} from '../schema/container.ts';
import { validateEnvFrom, validateValueFrom } from './config-sources.ts';
import {
  checked,
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  notFound,
  notSupported,
  required,
} from './field-error.ts';
import { validateLifecycle } from './lifecycle.ts';
import {
  dnsLabelProblem,
  envNameProblem,
  isIpAddress,
  portNameProblem,
  qualifiedNameProblem,
} from './names.ts';
import { validateCommon } from './pod-security.ts';
import { validatePortRef, validateProbe } from './probes.ts';
import { localPath } from './volumes.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const STANDARD_RESOURCES = new Set(['cpu', 'memory', 'ephemeral-storage']);

export function validateContainers(
  field: string,
  containers: readonly Container[],
  volumeNames: ReadonlySet<string>,
  hostNetwork: boolean,
  graceSeconds?: number,
): FieldError[] {
  if (containers.length === 0) return [required(field)];
  return [
    ...repeated(containers.map(({ name }) => name)).map((index) =>
      duplicate(`${field}[${index}].name`, containers[index]?.name),
    ),
    ...repeatedHostPorts(field, containers),
    ...containers.flatMap(({ restartPolicy }, index) =>
      restartPolicy
        ? [forbidden(`${field}[${index}].restartPolicy`, 'may not be set for non-init containers')]
        : [],
    ),
    ...containers.flatMap((container, index) =>
      validateContainer(`${field}[${index}]`, container, volumeNames, hostNetwork, graceSeconds),
    ),
  ];
}

/** Indexes of what was there before. */
const repeated = (values: readonly unknown[]): number[] =>
  values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));

/** Of the one container alone, whatever its place in the pod. */
export function validateContainer(
  at: string,
  container: Container,
  volumeNames: ReadonlySet<string>,
  hostNetwork: boolean,
  graceSeconds?: number,
): FieldError[] {
  const { name, image = '', imagePullPolicy, terminationMessagePolicy } = container;
  return [
    ...(name === '' || name === undefined
      ? [required(`${at}.name`)]
      : checked(`${at}.name`, name, dnsLabelProblem)),
    ...(image === '' ? [required(`${at}.image`)] : []),
    ...(image !== image.trim()
      ? [invalid(`${at}.image`, image, 'must not have leading or trailing whitespace')]
      : []),
    ...(imagePullPolicy && !PULL_POLICIES.includes(imagePullPolicy)
      ? [notSupported(`${at}.imagePullPolicy`, imagePullPolicy, PULL_POLICIES)]
      : []),
    ...(terminationMessagePolicy && !['File', 'FallbackToLogsOnError'].includes(terminationMessagePolicy)
      ? [
          notSupported(`${at}.terminationMessagePolicy`, terminationMessagePolicy, [
            'File',
            'FallbackToLogsOnError',
          ]),
        ]
      : []),
    ...validatePorts(`${at}.ports`, container.ports ?? [], hostNetwork),
    ...(container.env ?? []).flatMap((variable, index) => validateEnv(`${at}.env[${index}]`, variable)),
    ...validateEnvFrom(`${at}.envFrom`, container.envFrom ?? []),
    ...validateMounts(`${at}.volumeMounts`, container, volumeNames),
    ...validateResources(`${at}.resources`, container.resources ?? {}),
    ...validateProbe(`${at}.livenessProbe`, container.livenessProbe, 'liveness'),
    ...validateProbe(`${at}.readinessProbe`, container.readinessProbe, 'readiness'),
    ...validateProbe(`${at}.startupProbe`, container.startupProbe, 'startup'),
    ...validateLifecycle(`${at}.lifecycle`, container.lifecycle, graceSeconds),
    ...validateSecurityContext(`${at}.securityContext`, container.securityContext),
  ];
}

function validatePorts(field: string, ports: readonly ContainerPort[], hostNetwork: boolean): FieldError[] {
  const names = ports.map(({ name }) => name);
  return ports.flatMap((port, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = port.name ? checked(`${at}.name`, port.name, portNameProblem) : [];
    if (port.name && names.indexOf(port.name) < index) errors.push(duplicate(`${at}.name`, port.name));
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else errors.push(...validatePortRef(`${at}.containerPort`, port.containerPort));
    if (port.hostPort) errors.push(...validatePortRef(`${at}.hostPort`, port.hostPort));
    if (hostNetwork && port.hostPort && port.hostPort !== port.containerPort)
      errors.push(
        invalid(`${at}.hostPort`, port.hostPort, 'must match `containerPort` when `hostNetwork` is true'),
      );
    // Docker would publish on every address what is not one.
    if (port.hostIP && !isIpAddress(port.hostIP))
      errors.push(invalid(`${at}.hostIP`, port.hostIP, 'must be a valid IP address'));
    if (!['TCP', 'UDP', 'SCTP'].includes(port.protocol ?? 'TCP'))
      errors.push(notSupported(`${at}.protocol`, port.protocol, ['TCP', 'UDP', 'SCTP']));
    return errors;
  });
}

/** Rule 78: compared as text, over all containers of the pod. */
export function repeatedHostPorts(field: string, containers: readonly Container[]): FieldError[] {
  const seen = new Set<string>();
  return containers.flatMap((container, index) =>
    (container.ports ?? []).flatMap((port, position) => {
      if (!port.hostPort) return [];
      const identity = `${port.protocol ?? 'TCP'}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (seen.has(identity)) return [duplicate(`${field}[${index}].ports[${position}].hostPort`, identity)];
      seen.add(identity);
      return [];
    }),
  );
}

function validateEnv(at: string, { name, value, valueFrom }: EnvVar): FieldError[] {
  const errors: FieldError[] = [];
  if (name === '') errors.push(required(`${at}.name`));
  else errors.push(...checked(`${at}.name`, name, envNameProblem));
  if (!valueFrom) return errors;
  errors.push(...validateValueFrom(`${at}.valueFrom`, valueFrom));
  const sources = Object.keys(valueFrom).length;
  if (sources === 0)
    errors.push(
      invalid(
        `${at}.valueFrom`,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      ),
    );
  else if (value)
    errors.push(invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1)
    errors.push(invalid(`${at}.valueFrom`, '', 'may not have more than one field specified at a time'));
  return errors;
}

function validateMounts(field: string, container: Container, volumeNames: ReadonlySet<string>): FieldError[] {
  const mounts = container.volumeMounts ?? [];
  const paths = mounts.map(({ mountPath }) => mountPath);
  return mounts.flatMap((mount, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (!mount.name) errors.push(required(`${at}.name`));
    else if (!volumeNames.has(mount.name)) errors.push(notFound(`${at}.name`, mount.name));
    if (!mount.mountPath) errors.push(required(`${at}.mountPath`));
    else if (paths.indexOf(mount.mountPath) < index)
      errors.push(invalid(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    if (mount.subPath && mount.subPathExpr)
      errors.push(
        invalid(`${field}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
      );
    errors.push(
      ...localPath(`${field}.subPath`, mount.subPath),
      ...localPath(`${field}.subPathExpr`, mount.subPathExpr),
    );
    if (
      mount.mountPropagation &&
      !['None', 'HostToContainer', 'Bidirectional'].includes(mount.mountPropagation)
    )
      errors.push(
        notSupported(`${field}.mountPropagation`, mount.mountPropagation, [
          'None',
          'HostToContainer',
          'Bidirectional',
        ]),
      );
    if (mount.mountPropagation === 'Bidirectional' && !container.securityContext?.privileged)
      errors.push(
        forbidden(
          `${field}.mountPropagation`,
          'Bidirectional mount propagation is available only to privileged containers',
        ),
      );
    return [...errors, ...validateRecursiveReadOnly(`${field}.recursiveReadOnly`, mount)];
  });
}

const RECURSIVE_READ_ONLY = ['Disabled', 'Enabled', 'IfPossible'];

function validateRecursiveReadOnly(at: string, mount: VolumeMount): FieldError[] {
  const { recursiveReadOnly, readOnly, mountPropagation = 'None' } = mount;
  if (recursiveReadOnly === undefined || recursiveReadOnly === 'Disabled') return [];
  if (!RECURSIVE_READ_ONLY.includes(recursiveReadOnly))
    return [notSupported(at, recursiveReadOnly, RECURSIVE_READ_ONLY)];
  return [
    ...(readOnly ? [] : [forbidden(at, 'may only be specified when readOnly is true')]),
    ...(mountPropagation === 'None'
      ? []
      : [forbidden(at, 'may only be specified when mountPropagation is None or not specified')]),
  ];
}

function validateResources(at: string, { limits = {}, requests = {} }: ResourceRequirements): FieldError[] {
  const errors: FieldError[] = [];
  for (const [side, amounts] of [
    ['limits', limits],
    ['requests', requests],
  ] as const)
    for (const [name, amount] of Object.entries(amounts))
      errors.push(...validateResource(`${at}.${side}[${name}]`, name, amount));
  for (const [name, request] of Object.entries(requests))
    errors.push(...validateRequest(at, name, request, limits[name]));
  return errors;
}

/** Rule 83: an extended resource is requested as a whole, or not at all. */
function validateRequest(at: string, name: string, request: string, limit: string | undefined): FieldError[] {
  const shared = STANDARD_RESOURCES.has(name);
  if (limit === undefined)
    return shared ? [] : [required(`${at}.limits`, 'Limit must be set for non overcommitable resources')];
  if (!shared && nano(request) !== nano(limit))
    return [invalid(`${at}.requests`, request, `must be equal to ${name} limit of ${limit}`)];
  return nano(request) > nano(limit)
    ? [invalid(`${at}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`)]
    : [];
}

function validateResource(field: string, name: string, amount: string): FieldError[] {
  const known = STANDARD_RESOURCES.has(name) || name.startsWith('hugepages-') || name.includes('/');
  return [
    ...(known
      ? checked(field, name, qualifiedNameProblem)
      : [invalid(field, name, 'must be a standard resource type or fully qualified')]),
    ...(nano(amount) < 0n ? [invalid(field, amount, 'must be greater than or equal to 0')] : []),
    ...(name.includes('/') && nano(amount) % NANO !== 0n
      ? [invalid(field, amount, 'must be an integer')]
      : []),
  ];
}

const NANO = 1_000_000_000n;
const nano = (amount: string): bigint => parseQuantity(amount)?.nano ?? 0n;

function validateSecurityContext(at: string, context: SecurityContext | undefined): FieldError[] {
  if (!context) return [];
  const privilegedNoEscalation = context.allowPrivilegeEscalation === false && context.privileged === true;
  const adminNoEscalation =
    context.allowPrivilegeEscalation === false &&
    (context.capabilities?.add ?? []).some((name) => name === 'SYS_ADMIN' || name === 'CAP_SYS_ADMIN');
  return [
    ...validateCommon(at, context),
    ...(privilegedNoEscalation
      ? [invalid(at, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true')]
      : []),
    ...(adminNoEscalation
      ? [
          invalid(
            at,
            context,
            'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
          ),
        ]
      : []),
  ];
}
