// JSON web tokens with ES256, signed and read with Node's own crypto (ADR 20).
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';

const ALGORITHM = 'ES256';
/** Longer ones were not made here. */
const LONGEST_TOKEN = 16 * 1024;

/** What reads tokens; `id` is in the header of each that its private half signed. */
export interface PublicTokenKey {
  readonly id: string;
  readonly publicKey: KeyObject;
}

export interface TokenKey extends PublicTokenKey {
  readonly privateKey: KeyObject;
}

export interface TokenKeys {
  /** The first signs; the others have. The same list until they change. */
  readonly all: () => readonly [TokenKey, ...PublicTokenKey[]];
}

export type Claims = { readonly [claim: string]: unknown };

/** PKCS#8 in PEM. */
export const newTokenKey = (): string =>
  String(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  );

/** Throws for what is no EC P-256 key in PEM. */
export function readTokenKey(pem: string): TokenKey {
  const privateKey = createPrivateKey(pem);
  return { ...identified(createPublicKey(privateKey)), privateKey };
}

/** As readTokenKey, of the public half. */
export const readPublicKey = (pem: string): PublicTokenKey => identified(createPublicKey(pem));

export const publicPem = (key: KeyObject): string => String(key.export({ type: 'spki', format: 'pem' }));

function identified(publicKey: KeyObject): PublicTokenKey {
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('not an EC P-256 key');
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { id: createHash('sha256').update(der).digest('base64url'), publicKey };
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signToken(key: TokenKey, claims: Claims): string {
  const text = `${encode({ alg: ALGORITHM, kid: key.id })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** The claims of a token that one of these keys signed; undefined for any other text. Times and names are the caller's. */
export function readToken(keys: readonly PublicTokenKey[], token: string): Claims | undefined {
  const match = token.length > LONGEST_TOKEN ? null : /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token);
  const [, header = '', body = '', signature = ''] = match ?? [];
  const { alg, kid } = (match && decode(header)) || {};
  const key = keys.find(({ id }) => id === kid);
  if (!key || alg !== ALGORITHM) return undefined;
  const good = verify(
    'sha256',
    Buffer.from(`${header}.${body}`),
    { key: key.publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  return good ? decode(body) : undefined;
}

function decode(part: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** For relying parties: the public halves, as RFC 7517 writes them. */
export const publicKeySet = (keys: readonly PublicTokenKey[]): object => ({
  keys: keys.map(({ id, publicKey }) => ({
    use: 'sig',
    ...publicKey.export({ format: 'jwk' }),
    kid: id,
    alg: ALGORITHM,
  })),
});
