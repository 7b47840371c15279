// A watch: every change of the selected objects from a version on. What is there and what happened since is written
// as fast as it is read; changes that come meanwhile wait in the store's history, which is bounded.
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { collectionOf, type KubeObject } from '../kinds/kind.ts';
import type { Change, Store, Watch } from '../store/store.ts';
import { expired } from './api-error.ts';
import { createEventWriter, type EventForm, type EventWriter } from './event-writer.ts';
import { flagParameter, integerParameter, versionParameter } from './request.ts';

const BOOKMARK_EVERY_MS = 60_000;
const DEFAULT_LIFETIME_S = 3600;
/** More a timer cannot count. */
const LONGEST_LIFETIME_S = 2_000_000;

export interface WatchRequest extends Omit<EventForm, 'output'> {
  readonly store: Store;
  /** Ends the watch, when the plane stops. */
  readonly signal: AbortSignal;
  /** Called when the watch can begin: until then what is wrong is answered as to any other request. */
  readonly open: () => Writable;
}

/** Events as the lines of an answer. */
export function linesOf(response: ServerResponse): Writable {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  return response;
}

/** Resolves when the watch is over; rejects when it failed, with the answer still to be cut. */
export async function serveWatch(request: WatchRequest): Promise<void> {
  const { store, query } = request;
  const start = startOf(request);
  const askedS = integerParameter(query, 'timeoutSeconds') ?? 0;
  const lifetimeS = askedS > 0 ? askedS : DEFAULT_LIFETIME_S;
  // Known now, so that it can still be told as the answer's code.
  const known = store.watch(collectionOf(request.kind), start.version, () => {});
  if (known === 'expired') throw expired(`too old resource version: ${start.version} (${store.version()})`);
  known.close();
  const output = request.open();

  const writer = createEventWriter({ ...request, output });
  const over = new AbortController();
  const done = Promise.withResolvers<void>();
  const fail = (error: unknown) => {
    over.abort();
    done.reject(error);
  };
  output.on('error', fail);
  output.on('close', () => {
    over.abort();
    done.resolve();
  });
  endInTime(request, lifetimeS, over, writer);
  follow(request, start, writer, over.signal, fail)
    .then((live) => {
      if (!live) over.abort();
      else if (flagParameter(query, 'allowWatchBookmarks')) bookmarkEvery(store, writer, over.signal);
    })
    .catch(fail);
  return done.promise;
}

interface Start {
  readonly version: number;
  /** What is there at that version is told first. */
  readonly withExisting: boolean;
}

function startOf({ store, query }: WatchRequest): Start {
  const asked = versionParameter(query);
  const withExisting = query.has('sendInitialEvents')
    ? flagParameter(query, 'sendInitialEvents')
    : asked === 0;
  return { version: withExisting || asked === 0 ? store.version() : asked, withExisting };
}

/** After its lifetime, or when the plane stops. Nothing is written once the answer has ended. */
function endInTime(
  { signal }: WatchRequest,
  lifetimeS: number,
  over: AbortController,
  writer: EventWriter,
): void {
  const end = () => {
    over.abort();
    writer.end();
  };
  const lifetime = setTimeout(end, Math.min(lifetimeS, LONGEST_LIFETIME_S) * 1000);
  signal.addEventListener('abort', end, { once: true });
  over.signal.addEventListener('abort', () => {
    clearTimeout(lifetime);
    signal.removeEventListener('abort', end);
  });
}

function bookmarkEvery(store: Store, writer: EventWriter, over: AbortSignal): void {
  if (over.aborted) return;
  const timer = setInterval(() => writer.bookmark(store.version()), BOOKMARK_EVERY_MS);
  over.addEventListener('abort', () => clearInterval(timer));
}

/** Writes what is there and what has happened, then follows. False when it came to an end before that. */
async function follow(
  { store, kind, query }: WatchRequest,
  start: Start,
  writer: EventWriter,
  over: AbortSignal,
  fail: (error: unknown) => void,
): Promise<boolean> {
  const collection = collectionOf(kind);
  if (start.withExisting) {
    for (const { value } of [...store.list(collection)]) {
      if (over.aborted) return false;
      await writer.existing(value as unknown as KubeObject);
    }
    if (flagParameter(query, 'sendInitialEvents'))
      writer.bookmark(start.version, { 'k8s.io/initial-events-end': 'true' });
  }
  for (let reached = start.version; !over.aborted; ) {
    const past: Change[] = [];
    const watch = followLive(store, collection, reached, past, writer, fail);
    if (watch === 'expired') {
      writer.lost();
      writer.end();
      return false;
    }
    const last = past.at(-1);
    if (!last) {
      over.addEventListener('abort', () => watch.close());
      return true;
    }
    watch.close();
    for (const change of past) {
      if (over.aborted) return false;
      await writer.past(change);
    }
    reached = last.version;
  }
  return false;
}

/** Puts what is past already into `past`; what comes later is written at once. */
function followLive(
  store: Store,
  collection: string,
  from: number,
  past: Change[],
  writer: EventWriter,
  fail: (error: unknown) => void,
): Watch | 'expired' {
  let live = false;
  const watch = store.watch(collection, from, (change) => {
    if (!live) return void past.push(change);
    try {
      writer.live(change);
    } catch (error) {
      fail(error);
    }
  });
  live = true;
  return watch;
}
