// Tokens that this plane signed are read, and no other text is.
import { createPrivateKey, createVerify, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  newTokenKey,
  publicKeySet,
  readToken,
  readTokenKey,
  signToken,
} from '../../src/authentication/json-web-token.ts';
import { runs } from '../support/fixed-seed.ts';

const key = readTokenKey(newTokenKey());
const claims = { sub: 'me', aud: ['you'], exp: 1, text: 'ü"\\' };
const token = signToken(key, claims);
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a token', () => {
  it('is read with the key that signed it, and with no other', () => {
    expect(readToken([key], token)).toEqual(claims);
    expect(readToken([readTokenKey(newTokenKey())], token)).toBeUndefined();
  });

  it('is a standard one: what the key set publishes checks it', () => {
    const [header = '', body = '', signature = ''] = token.split('.');
    const { keys } = publicKeySet([key]) as { keys: [{ kid: string }] };
    const [jwk] = keys;
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'ES256', kid: jwk.kid });
    expect(Object.keys(jwk).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    const verifier = createVerify('sha256').update(`${header}.${body}`);
    const good = verifier.verify(
      { key: jwk as never, format: 'jwk', dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    expect(good).toBe(true);
  });

  /** The last letter of base64 may carry bits that stand for nothing. */
  const changedIsNone = (read: typeof readToken) =>
    fc.property(fc.nat(token.length - 2), fc.constantFrom(...'ABCxyz019-_.'), (at, letter) => {
      fc.pre(token[at] !== letter);
      expect(read([key], token.slice(0, at) + letter + token.slice(at + 1))).toBeUndefined();
    });

  it('that was changed in any letter is none', () => {
    fc.assert(changedIsNone(readToken), runs(500));
    const trusting: typeof readToken = (_, text) => {
      try {
        return JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString());
      } catch {
        return undefined;
      }
    };
    expect(fc.check(changedIsNone(trusting), runs()).failed).toBe(true);
  });

  it('is no text of any other kind', () => {
    fc.assert(
      fc.property(fc.string(), (text) => readToken([key], text) === undefined),
      runs(),
    );
    const [, body = ''] = token.split('.');
    for (const alg of ['none', 'HS256', 'RS256', undefined])
      for (const signature of ['', 'AAAA'])
        expect(readToken([key], `${encode({ alg, kid: key.id })}.${body}.${signature}`)).toBeUndefined();
    expect(readToken([key], `${token}${'A'.repeat(20_000)}`)).toBeUndefined();
  });

  it('signed over what is no object is none', () => {
    const text = `${encode({ alg: 'ES256', kid: key.id })}.${encode(['a'])}`;
    const signature = sign('sha256', Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
    expect(readToken([key], `${text}.${signature.toString('base64url')}`)).toBeUndefined();
  });
});

describe('a key', () => {
  it('of another kind is refused', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(createPrivateKey(pem).asymmetricKeyType).toBe('ec');
    expect(() => readTokenKey(pem)).toThrow(/P-256/);
    expect(() => readTokenKey('nonsense')).toThrow();
  });
});
