// Sends many objects: selected, shaped and written in slices, no faster than they are read, so that neither a long list
// nor a slow reader holds up others.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { acceptsGzip } from './respond.ts';
import { yamlText } from './yaml-text.ts';

/** Of objects of a few kilobytes: some milliseconds. */
export const SLICE = 200;

/** The list without its items, and what of it holds them. */
export interface ListShape<T> {
  readonly head: { readonly [field: string]: unknown };
  readonly field: 'items' | 'rows';
  readonly shown: (item: T) => object;
}

/** YAML takes a hundred times as long to write. */
export const YAML_SLICE = 5;

export async function* listYamlChunks<T>(
  items: readonly T[],
  { head, field, shown }: ListShape<T>,
  turn: () => Promise<void>,
): AsyncGenerator<string> {
  yield `${yamlText(head)}${field}:\n`;
  for (let from = 0; from < items.length; from += YAML_SLICE) {
    await turn();
    yield yamlText(items.slice(from, from + YAML_SLICE).map(shown));
  }
}

/** `turn` is waited for before each slice but the first. */
export async function* listChunks<T>(
  items: readonly T[],
  { head, field, shown }: ListShape<T>,
  turn: () => Promise<void>,
): AsyncGenerator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},${JSON.stringify(field)}:[`;
  for (let from = 0; from < items.length; from += SLICE) {
    await turn();
    const texts = items.slice(from, from + SLICE).map((item) => JSON.stringify(shown(item)));
    yield `${from > 0 ? ',' : ''}${texts.join(',')}`;
  }
  yield ']}';
}

/** Rejects when the reader is gone before the end. */
export async function sendChunks(
  response: ServerResponse,
  type: string,
  chunks: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  const zip = acceptsGzip(response.req);
  response.writeHead(200, {
    'Content-Type': type,
    ...(zip ? { 'Content-Encoding': 'gzip' } : {}),
  });
  if (zip) return pipeline(chunks, createGzip({ level: constants.Z_BEST_SPEED }), response, { signal });
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    if (!response.write(chunk)) await once(response, 'drain', { signal });
  }
  response.end();
}
