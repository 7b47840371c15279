// A watch: every change of the selected objects from a version on, one JSON document a line.
import type { ServerResponse } from 'node:http';
import { apiVersionOf, collectionOf, type Kind, type KubeObject } from '../kinds/kind.ts';
import type { Change, Store } from '../store/store.ts';
import { badRequest, expired } from './api-error.ts';
import { countParameter, flagParameter, type ReplyForm } from './request.ts';
import type { Selection } from './selection.ts';
import { includeObject, partialObject, table, tableRow } from './table.ts';

/** A reader that leaves more than this unread is cut off; it lists and watches anew. */
const UNREAD_LIMIT_BYTES = 8 * 1024 * 1024;
const BOOKMARK_EVERY_MS = 60_000;
const DEFAULT_LIFETIME_S = 3600;
/** More a timer cannot count. */
const LONGEST_LIFETIME_S = 2_000_000;

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface WatchRequest {
  readonly store: Store;
  readonly kind: Kind;
  readonly selection: Selection;
  readonly query: URLSearchParams;
  readonly form: ReplyForm;
  readonly response: ServerResponse;
  /** Ends the watch, when the plane stops. */
  readonly signal: AbortSignal;
}

export function serveWatch(request: WatchRequest): void {
  const { store, kind, query, response, signal } = request;
  const collection = collectionOf(kind);
  const asked = query.get('resourceVersion') ?? '';
  if (asked !== '' && !/^\d+$/.test(asked))
    throw badRequest(`invalid resource version: ${JSON.stringify(asked)}`);
  const fromNow = asked === '' || asked === '0' || flagParameter(query, 'sendInitialEvents');
  const writer = createEventWriter(request);
  const past: Change[] = [];
  let live = false;
  const watch = store.watch(collection, fromNow ? store.version() : Number(asked), (change) => {
    if (live) writer.change(change);
    else past.push(change);
  });
  if (watch === 'expired') throw expired(`too old resource version: ${asked} (${store.version()})`);

  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  if (fromNow) {
    for (const stored of store.list(collection)) writer.existing(stored.value as unknown as KubeObject);
    if (query.has('sendInitialEvents')) writer.bookmark({ 'k8s.io/initial-events-end': 'true' });
  }
  live = true;
  for (const change of past) writer.change(change);

  const end = () => response.end();
  const lifetimeS = countParameter(query, 'timeoutSeconds') || DEFAULT_LIFETIME_S;
  const lifetime = setTimeout(end, Math.min(lifetimeS, LONGEST_LIFETIME_S) * 1000);
  const bookmarks = flagParameter(query, 'allowWatchBookmarks')
    ? setInterval(() => writer.bookmark(), BOOKMARK_EVERY_MS)
    : undefined;
  signal.addEventListener('abort', end, { once: true });
  response.on('close', () => {
    watch.close();
    clearTimeout(lifetime);
    clearInterval(bookmarks);
    signal.removeEventListener('abort', end);
  });
}

function createEventWriter({ store, kind, selection, query, form, response }: WatchRequest) {
  const include = includeObject(query);
  let first = true;

  const send = (type: string, object: object) => {
    if (response.writableLength > UNREAD_LIMIT_BYTES) {
      response.destroy();
      return;
    }
    response.write(`${JSON.stringify({ type, object })}\n`);
  };

  const shaped = (object: KubeObject): object => {
    if (form === 'partial') return partialObject(object);
    if (form !== 'table') return object;
    const { resourceVersion = '' } = object.metadata;
    const shown = table(kind, [tableRow(kind, object, include, Date.now())], { resourceVersion }, first);
    first = false;
    return shown;
  };

  return {
    existing: (object: KubeObject) => {
      if (selection.matches(object)) send('ADDED', shaped(object));
    },
    change: (change: Change) => {
      const event = selectedEvent(change, selection);
      if (event) send(event.type, shaped(event.object));
    },
    bookmark: (annotations?: { readonly [key: string]: string }) => {
      const metadata = { resourceVersion: String(store.version()), ...(annotations ? { annotations } : {}) };
      if (form === 'table') send('BOOKMARK', table(kind, [], metadata, false));
      else send('BOOKMARK', { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata });
    },
  };
}

/** An object that starts to match is added, one that stops matching is deleted. */
export function selectedEvent(
  { value, previous, version }: Change,
  selection: Selection,
): { readonly type: EventType; readonly object: KubeObject } | undefined {
  const now = value as unknown as KubeObject | undefined;
  const before = previous as unknown as KubeObject | undefined;
  const matches = now !== undefined && selection.matches(now);
  const matched = before !== undefined && selection.matches(before);
  if (matches) return { type: matched ? 'MODIFIED' : 'ADDED', object: now };
  if (!matched) return undefined;
  // The version of the deletion, so that a client can go on from it.
  const last = now ?? before;
  return {
    type: 'DELETED',
    object: { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } },
  };
}
