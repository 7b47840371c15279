// Watches whose readers are slow, stand still, or are given up: the real store and a real HTTP server, without the
// rest of the plane, so that what waits for a reader can be seen.
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSelection } from '../../src/api/selection.ts';
import { linesOf, serveWatch } from '../../src/api/watch.ts';
import { collectionOf, type Kind } from '../../src/kinds/kind.ts';
import { configMapKind } from '../../src/kinds/plain-kinds.ts';
import type { Store, Write } from '../../src/store/store.ts';
import type { Json } from '../support/api-client.ts';
import { committed, storeFile } from '../support/store.ts';
import { turns, until } from '../support/until.ts';

const MAPS = collectionOf(configMapKind);
const LARGE = 900_000;

let store: Store;
let server: Server;
let stop: AbortController;
let served: { readonly response: ServerResponse; readonly result: Promise<unknown> }[];
let kind: Kind;
const uncaught: unknown[] = [];
const onUncaught = (error: unknown) => void uncaught.push(error);

beforeEach(async () => {
  process.on('uncaughtException', onUncaught);
  store = storeFile().open();
  stop = new AbortController();
  served = [];
  kind = configMapKind;
  server = createServer((incoming, response) => {
    const query = new URL(incoming.url ?? '/', 'http://plane').searchParams;
    const selection = readSelection(kind, undefined, query);
    const form = incoming.headers.accept === 'table' ? 'table' : 'object';
    const watch = {
      store,
      kind,
      selection,
      query,
      form,
      open: () => linesOf(response),
      signal: stop.signal,
    } as const;
    const result = Promise.resolve(serveWatch(watch)).catch((error: unknown) => {
      response.destroy();
      return error;
    });
    served.push({ response, result });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  vi.useRealTimers();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await store.close();
  process.off('uncaughtException', onUncaught);
  expect(uncaught.splice(0)).toEqual([]);
});

const map = (name: string, data: Json = {}, more: Partial<Write> = {}): Write => ({
  collection: MAPS,
  id: `default/${name}`,
  value: { metadata: { name, namespace: 'default' }, data },
  durable: false,
  ...more,
});

interface Reader {
  readonly reply: IncomingMessage;
  readonly response: ServerResponse;
  readonly result: Promise<unknown>;
  /** Reads to the end or the cut. */
  readonly readAll: () => Promise<Json[]>;
}

/** Reads nothing until told. */
async function watch(query = '', headers: Json = {}): Promise<Reader> {
  const { port } = server.address() as AddressInfo;
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path: `/?${query}`, headers, agent: false });
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
    outgoing.end();
  });
  const { response, result } = served.at(-1) as (typeof served)[number];
  return { reply, response, result, readAll: () => readLines(reply, () => false) };
}

/** The events so far, once `enough`, or all of them. */
async function readLines(reply: IncomingMessage, enough: (events: Json[]) => boolean): Promise<Json[]> {
  const events: Json[] = [];
  let rest = '';
  let over = false;
  reply.setEncoding('utf8');
  reply.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) events.push(JSON.parse(line));
  });
  for (const end of ['end', 'close', 'error']) reply.on(end, () => (over = true));
  await until('what is read', () => over || enough(events));
  return events;
}

/** Changes one object until the reader has left that much unread in the plane. */
async function leaveUnread({ response }: Reader, bytes: number): Promise<number> {
  let writes = 0;
  while (response.writableLength < bytes) {
    await committed(store, [map('large', { n: String(++writes), text: 'x'.repeat(LARGE) })]);
    await turns(3);
  }
  return writes;
}

describe('a watch that ends while its reader stands still', () => {
  // The bug this found: the next change was written after the end, and the error of that ended the plane.
  it.each([
    ['because the plane stops', '', () => stop.abort()],
    ['after its lifetime', '&timeoutSeconds=1', () => vi.advanceTimersByTime(1000)],
  ])('%s is told nothing more, and is whole once it is read', async (_, query, end) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const reader = await watch(`resourceVersion=${store.version()}${query}`);
    const writes = await leaveUnread(reader, 4 * LARGE);
    end();
    await until('the answer ends', () => reader.response.writableEnded);
    expect(reader.response.writableLength).toBeGreaterThan(0);
    await committed(store, [map('late')]);
    await turns();
    expect(uncaught).toEqual([]);
    const events = await reader.readAll();
    expect(events.map(({ object }) => object.metadata.name)).toEqual(Array(writes).fill('large'));
    expect(reader.reply.complete).toBe(true);
  });
});

describe('a watch of more than may wait for a reader', () => {
  const COUNT = 5000;
  const many = () =>
    Array.from({ length: COUNT }, (_, n) => map(`m${n}`, { n: String(n), text: 'x'.repeat(2500) }));
  const versionOf = ({ object }: Json) => Number(object.metadata.resourceVersion);

  // The bug this found: all was written at once, and the reader cut off for not having read it.
  it('begins with all of it, then tells in order what came meanwhile and what happens', async () => {
    await committed(store, many());
    const reader = await watch(
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
    );
    // Most of it still waits; these come after all of it.
    await committed(store, [map('m7', { n: 'again' }), map('m8', undefined, {})]);
    await committed(store, [{ collection: MAPS, id: 'default/m9', durable: false }]);
    const waiting = readLines(reader.reply, (events) => events.length >= COUNT + 5);
    await until('caught up', () => reader.response.writableLength === 0);
    await committed(store, [map('live')]);
    const events = await waiting;
    expect(events.slice(0, COUNT).every(({ type }) => type === 'ADDED')).toBe(true);
    expect(new Set(events.slice(0, COUNT).map(({ object }) => object.metadata.name)).size).toBe(COUNT);
    const [bookmark, ...later] = events.slice(COUNT);
    expect(bookmark.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    // The mark promises no more than what was told before it.
    expect(versionOf(bookmark)).toBe(Math.max(...events.slice(0, COUNT).map(versionOf)));
    expect(later.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual([
      'MODIFIED m7',
      'MODIFIED m8',
      'DELETED m9',
      'ADDED live',
    ]);
  });

  it('from the past tells all of it, and keeps little of it for a reader that stands still', async () => {
    const from = store.version();
    await committed(store, many());
    const reader = await watch(`resourceVersion=${from}`);
    let before = -1;
    await until('it stands still', async () => {
      await turns(50);
      const { writableLength } = reader.response;
      expect(writableLength).toBeLessThan(1024 * 1024);
      const still = writableLength > 0 && writableLength === before;
      before = writableLength;
      return still;
    });
    const events = await readLines(reader.reply, (all) => all.length >= COUNT);
    expect(events.map(versionOf)).toEqual(Array.from({ length: COUNT }, (_, n) => from + n + 1));
  });

  it('is over, with words, when what comes next is no longer known', async () => {
    await committed(store, many());
    const reader = await watch();
    for (let round = 0; round < 3; round++) await committed(store, many());
    const events = await reader.readAll();
    expect(events).toHaveLength(COUNT + 1);
    expect(events.at(-1)).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    expect(reader.reply.complete).toBe(true);
  });

  it('that ends before all of it was read ends there', async () => {
    await committed(store, many());
    const reader = await watch();
    await turns();
    stop.abort();
    const events = await reader.readAll();
    expect(events.length).toBeLessThan(COUNT);
    expect(reader.reply.complete).toBe(true);
    expect(await reader.result).toBeUndefined();
  });
});

describe('a reader that stands still', () => {
  it('is cut off before much is kept of what happens', async () => {
    const most = 8 * 1024 * 1024;
    const { response, result } = await watch(`resourceVersion=${store.version()}`);
    let waiting = 0;
    // The system between the two takes some of it, more when the machine is loaded, and only then does it pile up here.
    while (!response.destroyed) {
      waiting = response.writableLength;
      expect(waiting).toBeLessThan(most + 2 * LARGE);
      await committed(store, [map('large', { text: 'x'.repeat(LARGE) })]);
      await turns(3);
    }
    expect(waiting).toBeGreaterThan(most);
    expect(await result).toBeUndefined();
  });
});

describe('an object that cannot be shown', () => {
  // The bug this found: the error of one watch came out of the store's write, whose batch was then never answered.
  it('ends that watch with its error, and neither the write nor other watches', async () => {
    kind = {
      ...configMapKind,
      columns: [
        {
          name: 'Broken',
          type: 'string',
          description: '',
          cell: ({ data }) => (data as Json).name.length,
        },
      ],
    };
    const from = `resourceVersion=${store.version()}`;
    const broken = await watch(from, { accept: 'table' });
    const other = await watch(from);
    await committed(store, [map('nameless')]);
    expect(await broken.result).toBeInstanceOf(TypeError);
    await committed(store, [map('next', { name: 'x' })]);
    expect(await readLines(other.reply, (events) => events.length === 2)).toHaveLength(2);
    // As the first of what is there it is no different.
    expect(await (await watch('', { accept: 'table' })).result).toBeInstanceOf(TypeError);
  });
});
