// Only so many at once, and a place is free again whatever became of who had it.
import { expect, it } from 'vitest';
import { createLimit } from '../../src/streams/limit.ts';

it('one too many is sent away with 429, until another has ended, well or not', async () => {
  const limited = createLimit(2, 'requests');
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const serving = [limited(() => first.promise), limited(() => second.promise)];
  const refused = { code: 429, reason: 'TooManyRequests', message: '2 requests are open: try again later' };
  await expect(limited(async () => {})).rejects.toMatchObject(refused);
  first.resolve();
  await serving[0];
  second.reject(new Error('broken'));
  await expect(serving[1]).rejects.toThrow('broken');
  const both = Promise.withResolvers<void>();
  const again = [limited(() => both.promise), limited(() => both.promise)];
  await expect(limited(async () => {})).rejects.toMatchObject(refused);
  both.resolve();
  await Promise.all(again);
});
