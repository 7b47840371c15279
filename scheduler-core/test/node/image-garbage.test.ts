// Proves when images are removed, which, and in which order.
import {
  bytesToFree,
  DEFAULT_IMAGE_LIMITS,
  imagesToRemove,
  type StoredImage,
} from '@fleetset/scheduler-core/node/image-garbage';
import { describe, expect, test } from 'vitest';

const MINUTE = 60_000;
const NOW = 1000 * MINUTE;

test.each([
  ['below the high watermark nothing is removed', 16, {}, 0],
  ['at it images are removed until the low one is reached', 15, {}, 5],
  ['on a full disk too', 0, {}, 20],
  ['with a high watermark of 100 never', 0, { highPercent: 100 }, 0],
  ['by watermarks of its own', 40, { highPercent: 60, lowPercent: 30 }, 30],
  ['a low watermark that is reached already asks for nothing', 30, { highPercent: 60, lowPercent: 80 }, 0],
])('%s', (_sentence, availablePercent, limits, freePercent) => {
  const disk = { availableBytes: availablePercent * 10, capacityBytes: 1000 };
  expect(bytesToFree(disk, { ...DEFAULT_IMAGE_LIMITS, ...limits })).toBe(freePercent * 10);
});

test('a filesystem that tells no size is left alone', () => {
  expect(bytesToFree({ availableBytes: 0, capacityBytes: 0 }, DEFAULT_IMAGE_LIMITS)).toBe(0);
});

/** `name:size`, then `kept`, `came N` and `used N`: minutes ago. */
function image(text: string): StoredImage {
  const [, id = '', size] = /^(\w+):(\d+)/.exec(text) ?? [];
  const minutes = (word: string) => Number(new RegExp(`${word} (\\d+)`).exec(text)?.[1] ?? 500);
  return {
    id,
    sizeBytes: Number(size),
    kept: / kept/.test(text),
    cameAt: NOW - minutes('came') * MINUTE,
    usedAt: NOW - minutes('used') * MINUTE,
  };
}
const ROWS: readonly (readonly [string, readonly string[], number, string])[] = [
  ['the one unused for the longest goes first', ['a:5 used 10', 'b:5 used 30', 'c:5 used 20'], 5, 'b'],
  ['as many as it takes, and no more', ['a:5 used 10', 'b:5 used 30', 'c:5 used 20'], 6, 'b c'],
  ['what is kept stays, however old', ['a:5 kept used 400', 'b:5 used 3'], 5, 'b'],
  ['what came just now stays', ['a:5 came 1 used 400', 'b:5 used 3'], 5, 'b'],
  ['and may go at the minimum age', ['a:5 came 2 used 400', 'b:5 used 3'], 5, 'a'],
  ['of two unused alike the one that came first', ['a:5 came 8 used 8', 'b:5 came 9 used 8'], 5, 'b'],
  ['too little is better than nothing', ['a:5 used 10', 'b:5 kept'], 50, 'a'],
  ['nothing when nothing is wanted', ['a:5 used 10'], 0, ''],
];
const removed = (texts: readonly string[], wanted: number, choose = imagesToRemove) =>
  choose(texts.map(image), wanted, DEFAULT_IMAGE_LIMITS.minAgeMs, NOW)
    .map(({ id }) => id)
    .join(' ');

describe('of the images', () => {
  test.each(ROWS)('%s', (_sentence, texts, wanted, ids) => {
    expect(removed(texts, wanted)).toBe(ids);
  });

  test.each<readonly [string, typeof imagesToRemove]>([
    [
      'takes what is in use',
      (images, ...rest) =>
        imagesToRemove(
          images.map((one) => ({ ...one, kept: false })),
          ...rest,
        ),
    ],
    ['takes what came just now', (images, wanted, _age, now) => imagesToRemove(images, wanted, 0, now)],
    ['takes all it may', (images, _wanted, age, now) => imagesToRemove(images, Number.MAX_VALUE, age, now)],
    [
      'takes the youngest',
      (images, ...rest) =>
        imagesToRemove(
          images.map((one) => ({ ...one, usedAt: -one.usedAt })),
          ...rest,
        ),
    ],
  ])('a chooser that %s is noticed', (_what, mutant) => {
    expect(ROWS.some(([, texts, wanted, ids]) => removed(texts, wanted, mutant) !== ids)).toBe(true);
  });
});
