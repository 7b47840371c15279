// The kinds that are only kept: Namespace, ConfigMap, Secret.
import { sameJson } from '@fleetset/scheduler-core/canonical-json';
import { validateSecurityLabels } from '@fleetset/scheduler-core/pod-security/policy';
import {
  type ConfigMap,
  configMap,
  type Namespace,
  namespace,
  type Secret,
  secret,
} from '@fleetset/scheduler-core/schema/plain';
import {
  checked,
  type FieldError,
  forbidden,
  invalid,
} from '@fleetset/scheduler-core/validation/field-error';
import { validateMetadata } from '@fleetset/scheduler-core/validation/metadata';
import { configKeyProblem, dnsLabelProblem } from '@fleetset/scheduler-core/validation/names';
import { AGE, column, NAME } from './columns.ts';
import { ALL_VERBS, type Kind, type KubeObject } from './kind.ts';
import { validateSecretType } from './secret-types.ts';

const as = <T>(object: KubeObject) => object as unknown as T & { metadata: KubeObject['metadata'] };
const DATA_LIMIT_BYTES = 1024 * 1024;

export const namespaceKind: Kind = {
  group: '',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  namespaced: false,
  schema: namespace,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  subresources: [
    { name: 'status', kind: 'Namespace', verbs: ['get', 'patch', 'update'] },
    { name: 'finalize', kind: 'Namespace', verbs: ['update'] },
  ],
  columns: [
    NAME,
    column('Status', 'Active or Terminating.', (object) => as<Namespace>(object).status?.phase ?? ''),
    AGE,
  ],
  fields: { 'status.phase': (object) => as<Namespace>(object).status?.phase ?? '' },
  rules: {
    prepare: (object, old) => ({
      ...object,
      metadata: {
        ...object.metadata,
        labels: { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' },
      },
      spec: old?.spec ?? { finalizers: ['kubernetes'] },
      status: old?.status ?? { phase: 'Active' },
    }),
    validate: ({ metadata }, old) => [
      ...validateMetadata(metadata, false, dnsLabelProblem),
      ...newlyWrong(metadata.labels, old?.metadata.labels),
    ],
  },
};

/** What was let in before may stay as it is. */
function newlyWrong(
  labels: KubeObject['metadata']['labels'],
  old: KubeObject['metadata']['labels'],
): FieldError[] {
  const errors = validateSecurityLabels(labels ?? {});
  return sameJson(errors, validateSecurityLabels(old ?? {})) ? [] : errors;
}

export const configMapKind: Kind = {
  group: '',
  kind: 'ConfigMap',
  plural: 'configmaps',
  singular: 'configmap',
  shortNames: ['cm'],
  namespaced: true,
  schema: configMap,
  verbs: ALL_VERBS,
  columns: [
    NAME,
    column('Data', 'Number of entries.', (object) => {
      const { data = {}, binaryData = {} } = as<ConfigMap>(object);
      return Object.keys(data).length + Object.keys(binaryData).length;
    }),
    AGE,
  ],
  rules: {
    validate: (object, old) => {
      const { data = {}, binaryData = {} } = as<ConfigMap>(object);
      return [
        ...validateMetadata(object.metadata, true),
        ...validateKeys('data', data),
        ...validateKeys('binaryData', binaryData),
        ...Object.keys(data)
          .filter((key) => Object.hasOwn(binaryData, key))
          .map((key) => invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
        ...validateSize('data', textBytes(data) + decodedBytes(binaryData)),
        ...validateBase64('binaryData', binaryData),
        ...validateImmutable(object, old, ['data', 'binaryData']),
      ];
    },
  },
};

export const secretKind: Kind = {
  group: '',
  kind: 'Secret',
  plural: 'secrets',
  singular: 'secret',
  namespaced: true,
  schema: secret,
  verbs: ALL_VERBS,
  columns: [
    NAME,
    column('Type', 'What it holds.', (object) => as<Secret>(object).type ?? ''),
    column('Data', 'Number of entries.', (object) => Object.keys(as<Secret>(object).data ?? {}).length),
    AGE,
  ],
  fields: { type: (object) => as<Secret>(object).type ?? '' },
  rules: {
    readApplied: (object) => encodedSecret(object),
    setDefaults: (object) => ({ ...object, type: as<Secret>(object).type || 'Opaque' }),
    prepare: (object) => encodedSecret(object),
    validate: (object, old) => {
      const { data = {}, type } = as<Secret>(object);
      const before = old && as<Secret>(old);
      return [
        ...validateMetadata(object.metadata, true),
        ...validateKeys('data', data),
        ...validateSize('data', decodedBytes(data)),
        ...validateBase64('data', data),
        ...validateSecretType(type, data, object.metadata.annotations),
        ...(before && before.type !== type ? [invalid('type', type ?? '', 'field is immutable')] : []),
        ...validateImmutable(object, old, ['data']),
      ];
    },
  },
};

/** What was given as text is kept as data. */
function encodedSecret(object: KubeObject): KubeObject {
  const { stringData, data, ...rest } = as<Secret>(object);
  const encoded = Object.entries(stringData ?? {}).map(([key, text]) => [
    key,
    Buffer.from(text, 'utf8').toString('base64'),
  ]);
  const all = { ...data, ...Object.fromEntries(encoded) };
  return { ...rest, ...(Object.keys(all).length > 0 || data ? { data: all } : {}) };
}

type Entries = { readonly [key: string]: string };

const textBytes = (data: Entries): number =>
  Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
/** Of what the base64 stands for. */
const decodedBytes = (data: Entries): number =>
  Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text.replace(/\s/g, ''), 'base64'), 0);

/** As Kubernetes: all entries of an object together. */
const validateSize = (field: string, bytes: number): FieldError[] =>
  bytes > DATA_LIMIT_BYTES
    ? [
        {
          reason: 'FieldValueTooLong',
          field,
          message: `Too long: may not be more than ${DATA_LIMIT_BYTES} bytes`,
        },
      ]
    : [];

const validateKeys = (field: string, data: Entries): FieldError[] =>
  Object.keys(data).flatMap((key) => checked(`${field}[${key}]`, key, configKeyProblem));

const validateBase64 = (field: string, data: { readonly [key: string]: string }): FieldError[] =>
  Object.entries(data)
    .filter(([, value]) => !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value))
    .map(([key]) => invalid(`${field}[${key}]`, '<redacted>', 'must be base64'));

function validateImmutable(
  object: KubeObject,
  old: KubeObject | undefined,
  fields: readonly string[],
): FieldError[] {
  if (!old?.immutable) return [];
  const changed = fields.filter((field) => !sameJson(object[field] ?? {}, old[field] ?? {}));
  const lifted = object.immutable
    ? []
    : [forbidden('immutable', 'field is immutable when `immutable` is set')];
  return [
    ...lifted,
    ...changed.map((field) => forbidden(field, 'field is immutable when `immutable` is set')),
  ];
}
