// v1 Event, and the same events as events.k8s.io/v1 has them: one object in the store, two forms of it.
import { type EventV1, eventV1 } from '@fleetset/scheduler-core/schema/cluster';
import { type Event, event } from '@fleetset/scheduler-core/schema/plain';
import { validateEventV1 } from '@fleetset/scheduler-core/validation/cluster';
import { type FieldError, invalid, required } from '@fleetset/scheduler-core/validation/field-error';
import { validateMetadata } from '@fleetset/scheduler-core/validation/metadata';
import { ageOf } from './age.ts';
import { column, NAME } from './columns.ts';
import { ALL_VERBS, type Kind, type KubeObject } from './kind.ts';

const as = <T>(object: KubeObject) => object as unknown as T & { metadata: KubeObject['metadata'] };

const involved = (field: keyof NonNullable<Event['involvedObject']>) => (object: KubeObject) =>
  as<Event>(object).involvedObject?.[field] ?? '';

export const eventKind: Kind = {
  group: '',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  namespaced: true,
  schema: event,
  verbs: ALL_VERBS,
  columns: [
    column('Last Seen', 'When it happened last.', (object, now) => {
      const { lastTimestamp, eventTime, firstTimestamp } = as<Event>(object);
      return ageOf(lastTimestamp ?? eventTime ?? firstTimestamp, now);
    }),
    column('Type', 'Normal or Warning.', (object) => as<Event>(object).type ?? ''),
    column('Reason', 'What happened, in a word.', (object) => as<Event>(object).reason ?? ''),
    column('Object', 'What it happened to.', (object) => {
      const { kind = '', name = '' } = as<Event>(object).involvedObject;
      return `${kind.toLowerCase()}/${name}`;
    }),
    column(
      'Subobject',
      'The part it happened to.',
      (object) => as<Event>(object).involvedObject.fieldPath ?? '',
      {
        priority: 1,
      },
    ),
    column('Source', 'Who says so.', (object) => sourceCell(as<Event>(object)), { priority: 1 }),
    column('Message', 'What happened.', (object) => (as<Event>(object).message ?? '').trim()),
    column(
      'First Seen',
      'When it happened first.',
      (object, now) => ageOf(as<Event>(object).firstTimestamp, now),
      {
        priority: 1,
      },
    ),
    column('Count', 'How often it happened.', (object) => as<Event>(object).count ?? 1, {
      type: 'integer',
      priority: 1,
    }),
    { ...NAME, priority: 1 },
  ],
  fields: {
    'involvedObject.kind': involved('kind'),
    'involvedObject.namespace': involved('namespace'),
    'involvedObject.name': involved('name'),
    'involvedObject.uid': involved('uid'),
    'involvedObject.apiVersion': involved('apiVersion'),
    'involvedObject.resourceVersion': involved('resourceVersion'),
    'involvedObject.fieldPath': involved('fieldPath'),
    reason: (object) => as<Event>(object).reason ?? '',
    reportingComponent: (object) => as<Event>(object).reportingComponent ?? '',
    source: (object) => as<Event>(object).source?.component ?? '',
    type: (object) => as<Event>(object).type ?? '',
  },
  rules: {
    validate: (object) => [
      ...validateMetadata(object.metadata, true),
      ...(object.involvedObject ? namespaceErrors(object) : [required('involvedObject')]),
    ],
  },
};

/** Nobody tells events of what is in another namespace; those of nodes and the like are in default or, new ones, kube-system. */
function namespaceErrors(object: KubeObject): FieldError[] {
  const { involvedObject, eventTime, metadata } = as<Event>(object);
  const { namespace = '' } = involvedObject;
  const fits =
    namespace === ''
      ? metadata.namespace === 'default' || (eventTime && metadata.namespace === 'kube-system')
      : eventTime || namespace === metadata.namespace;
  return fits ? [] : [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
}

const sourceCell = ({ source }: Event): string =>
  [source?.component, source?.host].filter((part) => part).join(', ');

/** Fields that have another name there. */
const RENAMED = {
  involvedObject: 'regarding',
  message: 'note',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
  reportingComponent: 'reportingController',
} as const;

const renamed = (
  object: KubeObject,
  names: { readonly [from: string]: string },
  apiVersion: string,
): KubeObject =>
  ({
    ...Object.fromEntries(Object.entries(object).map(([field, value]) => [names[field] ?? field, value])),
    apiVersion,
  }) as unknown as KubeObject;

const ORIGINAL = Object.fromEntries(Object.entries(RENAMED).map(([core, other]) => [other, core]));

export const toEventV1 = (object: KubeObject): KubeObject => renamed(object, RENAMED, 'events.k8s.io/v1');
export const fromEventV1 = (object: KubeObject): KubeObject => {
  const core = renamed(object, ORIGINAL, 'v1');
  return { ...core, involvedObject: core.involvedObject ?? {} };
};

const FIELDS_V1 = Object.entries(eventKind.fields ?? {}).map(
  ([field, read]) =>
    [
      field.replace('involvedObject.', 'regarding.').replace('reportingComponent', 'reportingController'),
      (object: KubeObject) => read(fromEventV1(object)),
    ] as const,
);

export const eventV1Kind: Kind = {
  ...eventKind,
  group: 'events.k8s.io',
  schema: eventV1,
  columns: eventKind.columns.map((one) => ({
    ...one,
    cell: (object, now) => one.cell(fromEventV1(object), now),
  })),
  fields: Object.fromEntries(FIELDS_V1),
  rules: {
    validate: (object, old) =>
      old ? [] : [...validateEventV1(as<EventV1>(object)), ...namespaceErrors(fromEventV1(object))],
  },
};
