// v1 Node in the API. Nodes join by themselves; operators label, taint, cordon and remove them.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { type Node, node as nodeSchema } from '@fleetset/scheduler-core/schema/node';
import { UNSCHEDULABLE } from '@fleetset/scheduler-core/taint-toleration';
import { TIME_ZONE_LABEL, timeZoneLabelProblem } from '@fleetset/scheduler-core/time-zone';
import { checked } from '@fleetset/scheduler-core/validation/field-error';
import { validateMetadata } from '@fleetset/scheduler-core/validation/metadata';
import { validateTaints } from '@fleetset/scheduler-core/validation/scheduling';
import { AGE, column, NAME } from './columns.ts';
import type { Kind, KubeObject } from './kind.ts';

const asNode = (object: KubeObject) => object as unknown as Node & { metadata: KubeObject['metadata'] };
const ROLE_PREFIX = 'node-role.kubernetes.io/';

const info = (
  name: string,
  field: 'osImage' | 'kernelVersion' | 'containerRuntimeVersion',
  description: string,
) =>
  column(name, description, (object) => asNode(object).status?.nodeInfo?.[field] || '<unknown>', {
    priority: 1,
  });

const address = (name: string, type: string) =>
  column(
    name,
    `${type} address of the node.`,
    (object) =>
      asNode(object).status?.addresses?.find((candidate) => candidate.type === type)?.address ?? '<none>',
    { priority: 1 },
  );

export const nodeKind: Kind = {
  group: '',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  namespaced: false,
  schema: nodeSchema,
  verbs: ['delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'status', kind: 'Node', verbs: ['get', 'patch', 'update'] }],
  columns: [
    NAME,
    column('Status', 'Whether the node answers and is able.', (object) => statusCell(asNode(object))),
    column('Roles', 'Roles told by labels.', (object) => rolesCell(asNode(object))),
    AGE,
    column(
      'Version',
      'Version of the agent.',
      (object) => asNode(object).status?.nodeInfo?.kubeletVersion ?? '',
    ),
    address('Internal-IP', 'InternalIP'),
    address('External-IP', 'ExternalIP'),
    info('OS-Image', 'osImage', 'Operating system of the node.'),
    info('Kernel-Version', 'kernelVersion', 'Kernel of the node.'),
    info('Container-Runtime', 'containerRuntimeVersion', 'Engine of the node.'),
  ],
  fields: { 'spec.unschedulable': (object) => String(asNode(object).spec?.unschedulable ?? false) },
  rules: {
    prepare: (object, old) => prepareNode(object, old),
    validate: (object, old) => [
      ...validateMetadata(object.metadata, false),
      ...validateTimeZone(object.metadata.labels?.[TIME_ZONE_LABEL], old?.metadata.labels?.[TIME_ZONE_LABEL]),
      ...validateTaints('spec.taints', asNode(object).spec?.taints ?? []),
    ],
  },
};

/** What a node says of itself may be newer than this machine's table of zones: only what is new is looked at. */
const validateTimeZone = (value: string | undefined, before: string | undefined) =>
  value === undefined || value === before
    ? []
    : checked(`metadata.labels[${TIME_ZONE_LABEL}]`, value, timeZoneLabelProblem);

/** Status is the agent's; the cordon flag carries its taint along, as Kubernetes' node controller does. */
function prepareNode(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const { spec = {} } = asNode(object);
  const wanted = spec.unschedulable === true;
  const others = (spec.taints ?? []).filter(({ key }) => key !== UNSCHEDULABLE);
  const before = (spec.taints ?? []).find(({ key }) => key === UNSCHEDULABLE);
  const cordon = before ?? { key: UNSCHEDULABLE, effect: 'NoSchedule' };
  const taints = wanted ? [...others, cordon] : others;
  const { taints: _taints, ...rest } = spec;
  const next = taints.length > 0 ? { ...rest, taints } : rest;
  return {
    ...object,
    spec: sameJson(next, spec) ? spec : next,
    ...(old?.status === undefined ? {} : { status: old.status }),
  };
}

function statusCell({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  const text = ready === 'True' ? 'Ready' : ready === undefined ? 'Unknown' : 'NotReady';
  return spec?.unschedulable ? `${text},SchedulingDisabled` : text;
}

function rolesCell({ metadata }: Node): string {
  const roles = Object.entries(metadata?.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === 'kubernetes.io/role' && value ? [value] : [];
  });
  return roles.length === 0 ? '<none>' : [...new Set(roles)].sort().join(',');
}
