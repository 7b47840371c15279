// Every stored kind the API serves. Adding a kind is adding it here.
import { leaseKind, priorityClassKind } from './cluster-kinds.ts';
import { controllerRevisionKind, daemonSetKind } from './daemon-set-kind.ts';
import { eventKind, eventV1Kind } from './event-kinds.ts';
import type { Kind } from './kind.ts';
import { nodeKind } from './node-kind.ts';
import { configMapKind, namespaceKind, secretKind } from './plain-kinds.ts';
import { podKind } from './pod-kind.ts';
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from './rbac-kinds.ts';
import { rolloutPolicyKind } from './rollout-policy-kind.ts';
import { serviceAccountKind } from './service-account-kind.ts';
import { endpointSliceKind, endpointsKind, serviceKind } from './service-kinds.ts';

export const SERVED_KINDS: readonly Kind[] = [
  namespaceKind,
  nodeKind,
  podKind,
  configMapKind,
  secretKind,
  serviceAccountKind,
  eventKind,
  eventV1Kind,
  serviceKind,
  endpointsKind,
  endpointSliceKind,
  leaseKind,
  priorityClassKind,
  daemonSetKind,
  controllerRevisionKind,
  rolloutPolicyKind,
  roleKind,
  clusterRoleKind,
  roleBindingKind,
  clusterRoleBindingKind,
];

/** Undefined when nothing of that name is served. */
export const findKind = (group: string, plural: string): Kind | undefined =>
  SERVED_KINDS.find((kind) => kind.group === group && kind.plural === plural);
