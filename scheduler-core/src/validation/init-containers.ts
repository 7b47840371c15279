// Init containers: what is said only of them (rule 82), and all that is said of any container.
import { isSidecar } from '../node/pod-record.ts';
import type { Container } from '../schema/container.ts';
import type { PodSpec } from '../schema/pod.ts';
import { repeatedHostPorts, validateContainer } from './containers.ts';
import { duplicate, type FieldError, forbidden, invalid, notSupported } from './field-error.ts';

const NOT_IN_PLAIN = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;

export function validateInitContainers(
  field: string,
  { initContainers = [], containers, hostNetwork, terminationGracePeriodSeconds }: PodSpec,
  volumeNames: ReadonlySet<string>,
): FieldError[] {
  const taken = new Set(containers.map(({ name }) => name));
  return initContainers.flatMap((container, index) => {
    const at = `${field}[${index}]`;
    const isTaken = taken.has(container.name);
    taken.add(container.name);
    return [
      ...validateContainer(
        at,
        withoutForbidden(container),
        volumeNames,
        hostNetwork ?? false,
        terminationGracePeriodSeconds,
      ),
      ...(isTaken && container.name ? [duplicate(`${at}.name`, container.name)] : []),
      ...repeatedHostPorts(field, [container]).map((error) => ({
        ...error,
        field: error.field.replace(`${field}[0]`, at),
      })),
      ...validateKind(at, container),
    ];
  });
}

/** What may not be there is not looked into. */
function withoutForbidden(container: Container): Container {
  if (isSidecar(container)) return container;
  const { lifecycle: _a, livenessProbe: _b, readinessProbe: _c, startupProbe: _d, ...rest } = container;
  return rest;
}

function validateKind(at: string, container: Container): FieldError[] {
  const { restartPolicy, resizePolicy } = container;
  if (restartPolicy === 'Always') return [];
  return [
    ...(restartPolicy ? [notSupported(`${at}.restartPolicy`, restartPolicy, ['Always'])] : []),
    ...NOT_IN_PLAIN.filter((name) => container[name] !== undefined).map((name) =>
      forbidden(`${at}.${name}`, 'may not be set for init containers without restartPolicy=Always'),
    ),
    ...(resizePolicy?.length
      ? [invalid(`${at}.resizePolicy`, resizePolicy, 'must not be set for init containers')]
      : []),
  ];
}
