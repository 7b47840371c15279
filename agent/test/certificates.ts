// Certificates for tests, written in DER by hand: an authority of P-256, and what it signs. Good for ten years from
// a fixed day, so that a test needs no clock.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface TestAuthority {
  /** PEM. */
  readonly certificate: string;
  /** As `--ca-hash` takes it. */
  readonly hash: string;
  readonly issue: (subject: Subject) => { readonly key: string; readonly certificate: string };
  /** For a key that another holds: SubjectPublicKeyInfo in DER. */
  readonly certify: (publicKey: Uint8Array, subject: Subject) => string;
}

export interface Subject {
  readonly commonName: string;
  readonly organization?: string;
  readonly dnsNames?: readonly string[];
}

const EC_P256 = { namedCurve: 'P-256' } as const;
const VALID_FROM = '240101000000Z';
const VALID_UNTIL = '340101000000Z';

export function createAuthority(commonName = 'fleetset test CA'): TestAuthority {
  const { privateKey, publicKey } = generateKeyPairSync('ec', EC_P256);
  const issuer = name({ commonName });
  const certificate = signed(
    tbs({ issuer, subject: issuer, publicKey: spki(publicKey), extensions: [basicConstraints(true)] }),
    privateKey,
  );
  const certify = (key: Uint8Array, subject: Subject) =>
    signed(
      tbs({
        issuer,
        subject: name(subject),
        publicKey: Buffer.from(key),
        extensions: [basicConstraints(false), ...alternativeNames(subject.dnsNames ?? [])],
      }),
      privateKey,
    );
  return {
    certificate,
    hash: `sha256:${sha256(spki(publicKey))}`,
    certify,
    issue: (subject) => {
      const pair = generateKeyPairSync('ec', EC_P256);
      return {
        key: String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })),
        certificate: certify(spki(pair.publicKey), subject),
      };
    },
  };
}

export const nodeSubject = (nodeName: string): Subject => ({
  commonName: `system:node:${nodeName}`,
  organization: 'system:nodes',
});

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_ID = 0x06;
const BOOLEAN = 0x01;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const VERSION_FIELD = 0xa0;
const EXTENSIONS_FIELD = 0xa3;
const DNS_NAME = 0x82;

function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), body]);
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const objectId = (body: string): Buffer => der(OBJECT_ID, hex(body));
const COMMON_NAME = objectId('550403');
const ORGANIZATION = objectId('55040a');
const BASIC_CONSTRAINTS = objectId('551d13');
const ALTERNATIVE_NAMES = objectId('551d11');
const ECDSA_WITH_SHA256 = der(SEQUENCE, objectId('2a8648ce3d040302'));

function name({ commonName, organization }: Subject): Buffer {
  const part = (type: Buffer, value: string) =>
    der(SET, der(SEQUENCE, type, der(UTF8_STRING, Buffer.from(value))));
  return der(
    SEQUENCE,
    ...(organization ? [part(ORGANIZATION, organization)] : []),
    part(COMMON_NAME, commonName),
  );
}

const TRUE = der(BOOLEAN, hex('ff'));

const basicConstraints = (authority: boolean): Buffer =>
  der(SEQUENCE, BASIC_CONSTRAINTS, TRUE, der(OCTET_STRING, der(SEQUENCE, ...(authority ? [TRUE] : []))));

const alternativeNames = (names: readonly string[]): Buffer[] =>
  names.length === 0
    ? []
    : [
        der(
          SEQUENCE,
          ALTERNATIVE_NAMES,
          der(OCTET_STRING, der(SEQUENCE, ...names.map((dns) => der(DNS_NAME, Buffer.from(dns))))),
        ),
      ];

interface ToBeSigned {
  readonly issuer: Buffer;
  readonly subject: Buffer;
  readonly publicKey: Buffer;
  readonly extensions: readonly Buffer[];
}

function tbs({ issuer, subject, publicKey, extensions }: ToBeSigned): Buffer {
  const serial = randomBytes(8);
  // Positive, and without needless zeros.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return der(
    SEQUENCE,
    der(VERSION_FIELD, der(INTEGER, hex('02'))),
    der(INTEGER, serial),
    ECDSA_WITH_SHA256,
    issuer,
    der(SEQUENCE, der(UTC_TIME, Buffer.from(VALID_FROM)), der(UTC_TIME, Buffer.from(VALID_UNTIL))),
    subject,
    publicKey,
    der(EXTENSIONS_FIELD, der(SEQUENCE, ...extensions)),
  );
}

function signed(content: Buffer, key: KeyObject): string {
  const signature = sign('sha256', content, key);
  const whole = der(SEQUENCE, content, ECDSA_WITH_SHA256, der(BIT_STRING, hex('00'), signature));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
