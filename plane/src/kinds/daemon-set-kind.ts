// apps/v1 DaemonSet and ControllerRevision in the API.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { formatSelector } from '@fleetset/scheduler-core/label-selector';
import {
  type ControllerRevision,
  controllerRevision as controllerRevisionSchema,
  type DaemonSet,
  daemonSet as daemonSetSchema,
} from '@fleetset/scheduler-core/schema/daemon-set';
import { defaultDaemonSet } from '@fleetset/scheduler-core/schema/daemon-set-defaults';
import { validateDaemonSet, validateDaemonSetUpdate } from '@fleetset/scheduler-core/validation/daemon-set';
import { findUnsupported } from '@fleetset/scheduler-core/validation/support';
import { AGE, column, formatLabels, NAME } from './columns.ts';
import type { Column, Kind, KubeObject } from './kind.ts';

const asDaemonSet = (object: KubeObject) =>
  object as unknown as DaemonSet & { metadata: KubeObject['metadata'] };
const asObject = (daemonSet: DaemonSet) => daemonSet as unknown as KubeObject;

const counter = (name: string, description: string, of: keyof NonNullable<DaemonSet['status']>): Column =>
  column(name, description, (object) => Number(asDaemonSet(object).status?.[of] ?? 0), { type: 'integer' });

const containersOf = (object: KubeObject) => asDaemonSet(object).spec?.template?.spec?.containers ?? [];

export const daemonSetKind: Kind = {
  group: 'apps',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  singular: 'daemonset',
  shortNames: ['ds'],
  categories: ['all'],
  namespaced: true,
  schema: daemonSetSchema,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [{ name: 'status', kind: 'DaemonSet', verbs: ['get', 'patch', 'update'] }],
  columns: [
    NAME,
    counter('Desired', 'Nodes that should run a pod of this DaemonSet.', 'desiredNumberScheduled'),
    counter('Current', 'Nodes that have a pod of this DaemonSet.', 'currentNumberScheduled'),
    counter('Ready', 'Nodes whose pod is ready.', 'numberReady'),
    counter('Up-to-date', 'Nodes whose pod has the newest template.', 'updatedNumberScheduled'),
    counter('Available', 'Nodes whose pod has been ready long enough.', 'numberAvailable'),
    column('Node Selector', 'Labels a node must have.', (object) =>
      formatLabels(asDaemonSet(object).spec?.template?.spec?.nodeSelector),
    ),
    AGE,
    column(
      'Containers',
      'Names of the containers.',
      (object) =>
        containersOf(object)
          .map(({ name }) => name)
          .join(','),
      {
        priority: 1,
      },
    ),
    column(
      'Images',
      'Images of the containers.',
      (object) =>
        containersOf(object)
          .map(({ image }) => image)
          .join(','),
      {
        priority: 1,
      },
    ),
    column(
      'Selector',
      'Labels of its pods.',
      (object) => formatSelector(asDaemonSet(object).spec?.selector),
      {
        priority: 1,
      },
    ),
  ],
  rules: {
    setDefaults: (object) => asObject(defaultDaemonSet(asDaemonSet(object))),
    prepare: (object, old) => prepareDaemonSet(object, old),
    validate: (object, old) => [
      ...(old
        ? validateDaemonSetUpdate(asDaemonSet(object), asDaemonSet(old))
        : validateDaemonSet(asDaemonSet(object))),
      ...newlyUnsupported(asDaemonSet(object), old && asDaemonSet(old)),
    ],
    warnings: (object) => findUnsupported(asDaemonSet(object)).warnings,
  },
};

/** What an older plane accepted may stay as it is. */
function newlyUnsupported(daemonSet: DaemonSet, old: DaemonSet | undefined) {
  return old && sameJson(old.spec, daemonSet.spec) ? [] : findUnsupported(daemonSet).refused;
}

/** Status belongs to the plane; the generation counts changes of the spec. */
function prepareDaemonSet(object: KubeObject, old: KubeObject | undefined): KubeObject {
  const { status: _ignored, ...given } = object;
  const generation = !old ? 1 : (old.metadata.generation ?? 1) + (sameJson(old.spec, given.spec) ? 0 : 1);
  return {
    ...given,
    metadata: { ...object.metadata, generation },
    status: old?.status ?? {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
    },
  };
}

const controllerOf = ({ metadata }: KubeObject): string => {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return '<none>';
  const [group = ''] = owner.apiVersion.includes('/') ? owner.apiVersion.split('/') : [''];
  return `${owner.kind.toLowerCase()}${group ? `.${group}` : ''}/${owner.name}`;
};

export const controllerRevisionKind: Kind = {
  group: 'apps',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  singular: 'controllerrevision',
  namespaced: true,
  schema: controllerRevisionSchema,
  verbs: ['delete', 'get', 'list', 'watch'],
  columns: [
    NAME,
    column('Controller', 'What it is a revision of.', controllerOf),
    column(
      'Revision',
      'Its number; higher is newer.',
      (object) => (object as unknown as ControllerRevision).revision,
      {
        type: 'integer',
      },
    ),
    AGE,
  ],
};
