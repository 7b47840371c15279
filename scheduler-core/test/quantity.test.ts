// Proves that amounts are read exactly, written in one way, and rounded as Kubernetes rounds (rule 84).
import {
  canonicalQuantity,
  formatQuantity,
  milliUnits,
  parseQuantity,
  wholeUnits,
} from '@fleetset/scheduler-core/quantity';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holds } from './property.ts';

describe('rule 84: what is written becomes', () => {
  test.each([
    // No suffix, decimal suffixes.
    ['0', '0'],
    ['0Ki', '0'],
    ['-0', '0'],
    ['1', '1'],
    ['+1', '1'],
    ['1000', '1k'],
    ['1000m', '1'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['1.', '1'],
    ['1.08', '1080m'],
    ['100.035k', '100035'],
    ['-9.01', '-9010m'],
    ['1E', '1E'],
    ['1000P', '1E'],
    ['1234567M', '1234567M'],
    ['1500u', '1500u'],
    ['1000000n', '1m'],
    // Binary suffixes.
    ['1Ki', '1Ki'],
    ['1024Mi', '1Gi'],
    ['1536Ki', '1536Ki'],
    ['0.5Mi', '512Ki'],
    ['1.5Gi', '1536Mi'],
    ['1025024Mi', '1001Gi'],
    ['3Ei', '3Ei'],
    ['1000Ki', '1000Ki'],
    // Binary below 1024 is written as a plain number.
    ['0.5Ki', '512'],
    ['-0.5Ki', '-512'],
    // Binary with a fraction of a byte rounds up.
    ['1.1Ki', '1127'],
    ['-1.1Ki', '-1127'],
    // What no binary suffix fits is decimal from then on, so that reading it again changes nothing.
    ['1.5Ki', '1536'],
    ['1.953125Ki', '2k'],
    // Exponents keep their form, in steps of three.
    ['1e3', '1e3'],
    ['1E3', '1e3'],
    ['1E+3', '1e3'],
    ['1.3E+6', '1300e3'],
    ['0.001e12', '1e9'],
    ['1000e-12', '1e-9'],
    ['80e-3', '80e-3'],
    ['0.5e0', '500e-3'],
    ['100e0', '100'],
    // Below a nano it rounds away from zero.
    ['3.001n', '4n'],
    ['-3.001n', '-4n'],
    ['0.0000000001', '1n'],
    ['1e-100', '1e-9'],
    ['0.000000000001Ki', '2n'],
  ])('%s -> %s', (written, canonical) => {
    expect(canonicalQuantity(written)).toBe(canonical);
  });
});

describe('rule 84: is no quantity', () => {
  test.each([
    ...['', ' ', ' 1', '1 ', '1 Ki', 'aoeu', '.', '-', '+', 'Ki', '1e', '1e+', '-3.01e-', '1K', '1KI', '1ki'],
    ...[
      '1i',
      '.5i',
      '0.1mi',
      '0.1am',
      '1.1.M',
      '1+1.0M',
      '--1',
      '1e3Ki',
      '0x10',
      '1_000',
      '१',
      'NaN',
      'Infinity',
    ],
    // Names that every object has.
    ...['1constructor', '1toString', '1valueOf', '1hasOwnProperty'],
  ])('%j', (written) => {
    expect(parseQuantity(written)).toBeUndefined();
    expect(canonicalQuantity(written)).toBeUndefined();
  });
});

describe('rule 84: amounts for the engine round up, away from zero', () => {
  test.each([
    ['1', 1, 1000],
    ['1m', 1, 1],
    ['1n', 1, 1],
    ['1001u', 1, 2],
    ['1.5', 2, 1500],
    ['2Ki', 2048, 2_048_000],
    ['-1.5', -2, -1500],
    ['0', 0, 0],
  ])('%s is %d whole, %d milli', (written, whole, milli) => {
    const quantity = parseQuantity(written);
    expect(quantity && wholeUnits(quantity)).toBe(whole);
    expect(quantity && milliUnits(quantity)).toBe(milli);
  });
});

describe('for any amount', () => {
  const written = fc
    .tuple(
      fc.constantFrom('', '-', '+'),
      fc.nat(2_000_000),
      fc.option(fc.nat(999_999), { nil: undefined }),
      fc.constantFrom('n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'Ki', 'Mi', 'Gi', 'e3', 'E-3', 'e0'),
    )
    .map(
      ([sign, whole, fraction, suffix]) =>
        `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${suffix}`,
    );
  test('the canonical text is its own canonical text', () => {
    holds(
      fc.property(written, (text) => {
        const canonical = canonicalQuantity(text);
        expect(canonical).toBeDefined();
        expect(canonicalQuantity(canonical ?? '')).toBe(canonical);
      }),
      500,
    );
  });
  test('writing it loses nothing, but for fractions of a byte', () => {
    holds(
      fc.property(written, (text) => {
        const quantity = parseQuantity(text);
        const again = quantity && parseQuantity(formatQuantity(quantity));
        if (quantity?.format === 'binary') expect(again && wholeUnits(again)).toBe(wholeUnits(quantity));
        else expect(again?.nano).toBe(quantity?.nano);
      }),
      500,
    );
  });
});
