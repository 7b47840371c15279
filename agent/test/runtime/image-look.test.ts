// How often an image is looked up: once for all who ask at one time, and anew for who asks after something has changed.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createImageLook, type ImageLook } from '../../src/runtime/engine-images.ts';
import { until } from '../wait-until.ts';

let folder: string;
let engine: Server;
let open: ServerResponse[];
let look: ImageLook;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetset-image-look-'));
  open = [];
  engine = createServer((_request, response) => open.push(response)).listen(join(folder, 'socket'));
  await once(engine, 'listening');
  look = createImageLook(new Docker({ socketPath: join(folder, 'socket'), host: '', protocol: 'http' }));
});
afterEach(async () => {
  engine.closeAllConnections();
  engine.close();
  await rm(folder, { recursive: true });
});

const asked = (count: number) => until(`${count} questions`, () => open.length === count);
const answer = (index: number, status: number, body: object) =>
  open[index]?.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));

it('who ask at one time share an answer, each image its own; later it is asked anew', async () => {
  const [first, second, other] = [look.inspect('a'), look.inspect('a'), look.inspect('b')];
  await asked(2);
  for (const index of [0, 1]) answer(index, 200, { Id: open[index]?.req.url });
  expect((await first)?.Id).toContain('/images/a/json');
  expect(await second).toEqual(await first);
  expect((await other)?.Id).toContain('/images/b/json');
  const later = look.inspect('a');
  await asked(3);
  answer(2, 404, { message: 'No such image: a' });
  expect(await later).toBeUndefined();
});

it('what was asked before a pull has ended is no answer after it', async () => {
  const before = look.inspect('a');
  await asked(1);
  look.changed();
  const after = look.inspect('a');
  await asked(2);
  answer(0, 404, { message: 'No such image: a' });
  expect(await before).toBeUndefined();
  // The first one's end must not open the way for a third question.
  const shared = look.inspect('a');
  answer(1, 200, { Id: 'new' });
  expect([(await after)?.Id, (await shared)?.Id, open.length]).toEqual(['new', 'new', 2]);
});

it('a failure is told to all who asked, and asked anew', async () => {
  const both = [look.inspect('a'), look.inspect('a')];
  await asked(1);
  answer(0, 500, { message: 'broken' });
  for (const one of both) await expect(one).rejects.toThrow(/broken/);
  const again = look.inspect('a');
  await asked(2);
  answer(1, 200, { Id: 'a' });
  expect((await again)?.Id).toBe('a');
});
