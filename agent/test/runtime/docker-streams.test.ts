// The stream of an engine's events, from an engine that breaks it off: soon asked for again, and not again and again.
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { followEvents } from '../../src/runtime/docker-streams.ts';
import { tempDirectory } from '../temp-directory.ts';
import { until } from '../wait-until.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** `onAsked`: what the engine does with each request for a stream. */
async function followed(onAsked: (response: ServerResponse) => void) {
  const asked: number[] = [];
  const heard: string[] = [];
  const socketPath = join(await tempDirectory(), 'engine.sock');
  const server = createServer((_request, response) => {
    asked.push(performance.now());
    onAsked(response);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const leaving = new AbortController();
  onTestFinished(() => {
    leaving.abort();
    server.closeAllConnections();
    server.close();
  });
  void followEvents(new Docker({ socketPath }), 'fleet', leaving.signal, {
    onOpen: () => heard.push('open'),
    onChange: () => {},
    onLost: () => heard.push('lost'),
  });
  await until('it has asked', () => asked.length > 0);
  const nextTry = async () => {
    const before = asked.length;
    await until('it waits to ask again', () => vi.getTimerCount() === 1);
    vi.advanceTimersToNextTimer();
    await until('it asks again', () => asked.length > before);
    return (asked.at(-1) ?? 0) - (asked.at(-2) ?? 0);
  };
  return { heard, nextTry };
}

it('that ends as soon as it has begun is asked for less and less often', async () => {
  const { heard, nextTry } = await followed((response) => response.writeHead(200).end());
  const waits: number[] = [];
  for (let tries = 0; tries < 7; tries++) waits.push(await nextTry());
  expect(waits).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
  expect(heard.slice(0, 4)).toEqual(['open', 'lost', 'open', 'lost']);
});

it('that had lasted is asked for again soon', async () => {
  let held: ServerResponse | undefined;
  let asked = 0;
  const { heard, nextTry } = await followed((response) => {
    asked += 1;
    response.writeHead(200).flushHeaders();
    if (asked < 4) response.end();
    else held = response;
  });
  for (let tries = 0; tries < 3; tries++) await nextTry();
  await until('it has opened', () => heard.filter((what) => what === 'open').length === 4);
  vi.advanceTimersByTime(200);
  held?.end();
  expect(await nextTry()).toBe(250);
});

it('that cannot be reached has gone, as far as it was heard before', async () => {
  let asked = 0;
  const { heard, nextTry } = await followed((response) => {
    asked += 1;
    if (asked === 3) response.writeHead(200).end();
    else response.socket?.destroy();
  });
  for (let tries = 0; tries < 4; tries++) await nextTry();
  await until('it is over', () => vi.getTimerCount() === 1);
  expect(heard).toEqual(['open', 'lost', 'lost', 'lost']);
});
