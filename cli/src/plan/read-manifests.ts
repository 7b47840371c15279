// The objects of a manifest file: YAML as kubectl reads it (1.1: 0644 is octal, yes is true) or JSON, any number of
// documents and Lists.
import { readFileSync } from 'node:fs';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import { parseAllDocuments, type Tags } from 'yaml';
import { CommandFailed, UsageError } from '../usage-error.ts';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
  };
  readonly [field: string]: unknown;
}

/** `path`: - for standard input. */
export function readManifests(path: string): Manifest[] {
  let text: string;
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new UsageError(`-f ${path}: ${(error as Error).message}`);
  }
  return parseManifests(path === '-' ? 'standard input' : path, text);
}

/** `source`: for errors. */
export function parseManifests(source: string, text: string): Manifest[] {
  const documents = parseAllDocuments(text, { version: '1.1', customTags: asKubectl });
  const manifests = [...documents].flatMap((document, index) => {
    const where = `${source}, document ${index + 1}`;
    const [error] = document.errors;
    if (error) throw new CommandFailed(`${where}: ${(error.message.split('\n')[0] ?? '').replace(/:$/, '')}`);
    const value = contentOf(document, where);
    return value === null || value === undefined ? [] : objectsOf(value, where);
  });
  if (manifests.length === 0) throw new CommandFailed(`${source} holds no object`);
  return manifests;
}

function contentOf(document: { readonly toJS: () => unknown }, where: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new CommandFailed(`${where}: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** As kubectl's parser: 22:22 and 2026-01-01 are texts, 0o644 is a number as 0644 is. */
const asKubectl = (tags: Tags): Tags => [
  ...tags.filter(
    (tag) =>
      typeof tag === 'string' ||
      !(tag.tag === 'tag:yaml.org,2002:timestamp' || ('format' in tag && tag.format === 'TIME')),
  ),
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^0o[0-7]+$/,
    resolve: (text: string) => Number.parseInt(text.slice(2), 8),
  },
];

function objectsOf(value: unknown, where: string): Manifest[] {
  if (!isRecord(value)) throw new CommandFailed(`${where}: is no object`);
  for (const field of ['apiVersion', 'kind'] as const)
    if (typeof value[field] !== 'string' || value[field] === '')
      throw new CommandFailed(`${where}: ${field}: Required value: must be a text`);
  if (value.kind === 'List') {
    if (!Array.isArray(value.items)) throw new CommandFailed(`${where}: items: must be a list`);
    return value.items.flatMap((item, index) => objectsOf(item, `${where}, item ${index + 1}`));
  }
  if (value.metadata !== undefined && !isRecord(value.metadata))
    throw new CommandFailed(`${where}: metadata: must be an object`);
  for (const field of ['name', 'namespace'] as const) {
    const given = isRecord(value.metadata) ? value.metadata[field] : undefined;
    if (given !== undefined && typeof given !== 'string')
      throw new CommandFailed(`${where}: metadata.${field}: must be a text, is ${JSON.stringify(given)}`);
  }
  return [value as unknown as Manifest];
}
