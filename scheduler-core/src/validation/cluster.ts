// What a PriorityClass, a Lease and an Event of events.k8s.io must get right, as Kubernetes says it.
import type { EventV1, Lease, PriorityClass } from '../schema/cluster.ts';
import { atLeastZero, type FieldError, forbidden, invalid, notSupported, required } from './field-error.ts';
import { validateMetadata } from './metadata.ts';

const SYSTEM_PREFIX = 'system-';
const HIGHEST_USER_PRIORITY = 1_000_000_000;

export function validatePriorityClass(given: PriorityClass, old: PriorityClass | undefined): FieldError[] {
  const { metadata = {}, value, preemptionPolicy = '' } = given;
  const { name = '' } = metadata;
  const policies = ['Never', 'PreemptLowerPriority'];
  return [
    ...validateMetadata(metadata, false),
    ...(name.startsWith(SYSTEM_PREFIX) && !old
      ? [
          forbidden(
            'metadata.name',
            "priority class names with 'system-' prefix are reserved for system use only",
          ),
        ]
      : []),
    ...(value > HIGHEST_USER_PRIORITY && !old
      ? [forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`)]
      : []),
    ...(policies.includes(preemptionPolicy)
      ? []
      : [notSupported('preemptionPolicy', preemptionPolicy, policies)]),
    ...(old && old.value !== value ? [forbidden('value', 'may not be changed in an update.')] : []),
    ...(old && old.preemptionPolicy !== preemptionPolicy
      ? [invalid('preemptionPolicy', preemptionPolicy, 'field is immutable')]
      : []),
  ];
}

export function validateLease({ metadata = {}, spec = {} }: Lease): FieldError[] {
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = spec;
  return [
    ...validateMetadata(metadata, true),
    ...(duration !== undefined && duration <= 0
      ? [invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0')]
      : []),
    ...atLeastZero('spec.leaseTransitions', transitions),
  ];
}

const EVENT_TYPES = ['Normal', 'Warning'];

/** Stricter than the older core/v1 Event. */
export function validateEventV1(event: EventV1): FieldError[] {
  const { metadata = {}, type = '' } = event;
  const wanted = ['eventTime', 'reportingController', 'reportingInstance', 'action', 'reason'] as const;
  return [
    ...validateMetadata(metadata, true),
    ...wanted.filter((field) => !event[field]).map((field) => required(field)),
    ...(EVENT_TYPES.includes(type) ? [] : [notSupported('type', type, EVENT_TYPES)]),
  ];
}
