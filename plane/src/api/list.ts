// GET of one object or of many, in pages.
import { collectionOf, idOfObject, type Kind, type KubeObject } from '../kinds/kind.ts';
import type { Change, Store } from '../store/store.ts';
import { ApiError, badRequest, expired } from './api-error.ts';
import type { ReplyForm } from './negotiate.ts';
import { integerParameter, versionParameter } from './request.ts';
import type { Selection } from './selection.ts';
import type { ListShape } from './send-list.ts';
import {
  includeObject,
  listHead,
  partialListHead,
  partialObject,
  table,
  tableHead,
  tableRow,
} from './table.ts';

export interface Page {
  readonly items: readonly KubeObject[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

interface Continuation {
  /** The version of the first page: a watch from there misses nothing that came between the pages. */
  readonly version: number;
  readonly after: string;
}

/** `turn` is waited for between two slices of the objects. */
export async function listPage(
  store: Store,
  objects: Iterable<KubeObject>,
  selection: Selection,
  query: URLSearchParams,
  turn: () => Promise<void>,
): Promise<Page> {
  /** 0 and less are none, as in Kubernetes. */
  const limit = integerParameter(query, 'limit') ?? 0;
  requireReached(store, query);
  const from = readContinuation(query.get('continue'));
  const version = exactVersion(query) ?? store.version();
  const selected = await select(objects, selection, turn);
  const matching = selected
    .map((object) => ({ id: idOfObject(object), object }))
    .filter(({ id }) => from === undefined || id > from.after)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const page = limit > 0 ? matching.slice(0, limit) : matching;
  const rest = matching.length - page.length;
  const last = page.at(-1);
  return {
    items: page.map(({ object }) => object),
    metadata: {
      resourceVersion: String(version),
      ...(rest > 0 && last ? { continue: writeContinuation({ version, after: last.id }) } : {}),
      ...(rest > 0 && selection.whole ? { remainingItemCount: rest } : {}),
    },
  };
}

/** How many are looked at, or made, at a time. */
const LOOKED_AT = 1000;

/** What is stored is all taken at the first look: it is as it was at one moment. */
async function select(
  objects: Iterable<KubeObject>,
  { matches }: Selection,
  turn: () => Promise<void>,
): Promise<KubeObject[]> {
  const selected: KubeObject[] = [];
  let count = 0;
  for (const object of objects) {
    if (matches(object)) selected.push(object);
    count += 1;
    if (count % LOOKED_AT === 0) await turn();
  }
  return selected;
}

const writeContinuation = (continuation: Continuation): string =>
  Buffer.from(JSON.stringify(continuation)).toString('base64url');

function readContinuation(token: string | null): Continuation | undefined {
  if (!token) return undefined;
  try {
    const { version, after } = JSON.parse(
      Buffer.from(token, 'base64url').toString(),
    ) as Partial<Continuation>;
    if (Number.isSafeInteger(version) && typeof after === 'string') return { version: version ?? 0, after };
  } catch {
    // Said below.
  }
  throw badRequest('continue key is not valid');
}

/** A client that has seen a version is never shown an older one. */
export function requireReached(store: Store, query: URLSearchParams): void {
  const asked = Math.max(versionParameter(query), readContinuation(query.get('continue'))?.version ?? 0);
  if (asked > store.version())
    throw new ApiError(504, 'Timeout', `Too large resource version: ${asked}, current: ${store.version()}`, {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' }],
    });
}

/** The version that the answer has to show: of the first page, or the one that was asked for exactly. */
function exactVersion(query: URLSearchParams): number | undefined {
  const from = readContinuation(query.get('continue'));
  if (from) return from.version;
  return query.get('resourceVersionMatch') === 'Exact' ? versionParameter(query) : undefined;
}

/** The objects of a kind as they were at the version that is asked for, or as they are. */
export function storedObjects(store: Store, kind: Kind, query: URLSearchParams): Iterable<KubeObject> {
  const version = exactVersion(query);
  const stored = [...store.list(collectionOf(kind))];
  if (version === undefined) return stored.map(({ value }) => value as unknown as KubeObject);
  const objects = new Map<string, unknown>(stored.map(({ id, value }) => [id, value]));
  undo(objects, changesSince(store, kind, version, query.has('continue')));
  return objects.values() as Iterable<KubeObject>;
}

function changesSince(store: Store, kind: Kind, version: number, isContinued: boolean): Change[] {
  const changes: Change[] = [];
  const watch = store.watch(collectionOf(kind), version, (change) => changes.push(change));
  if (watch === 'expired')
    throw expired(
      isContinued
        ? 'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.'
        : `The resourceVersion for the provided list is too old: ${version}`,
    );
  watch.close();
  return changes;
}

function undo(objects: Map<string, unknown>, changes: readonly Change[]): void {
  for (const { id, previous } of changes.toReversed())
    if (previous === undefined) objects.delete(id);
    else objects.set(id, previous);
}

/** How a page is shown, in the form that was asked for. */
export function shapeOf(
  kind: Kind,
  metadata: Page['metadata'],
  form: ReplyForm,
  query: URLSearchParams,
  now: number,
): ListShape<KubeObject> {
  if (form === 'partial') return { head: partialListHead(metadata), field: 'items', shown: partialObject };
  if (form !== 'table') return { head: listHead(kind, metadata), field: 'items', shown: (object) => object };
  const include = includeObject(query);
  return {
    head: tableHead(kind, metadata),
    field: 'rows',
    shown: (object) => tableRow(kind, object, include, now),
  };
}

export function formatOne(
  kind: Kind,
  object: KubeObject,
  form: ReplyForm,
  query: URLSearchParams,
  now: number,
): object {
  if (form === 'partial') return partialObject(object);
  if (form !== 'table') return object;
  const { resourceVersion = '' } = object.metadata;
  return table(kind, [tableRow(kind, object, includeObject(query), now)], { resourceVersion });
}
