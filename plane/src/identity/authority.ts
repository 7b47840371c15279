// The plane's certificate authority: made on the first start, kept in the data directory; signs the plane's own
// certificate, the administrator's and one for each node.
import { createHash, createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { settleFolder, writeDurable } from './durable-file.ts';

/** Agents ask for the plane under this name, whatever address they dial: an address may change, this cannot. */
export const PLANE_SERVER_NAME = 'plane.fleetset.internal';
export const ADMIN_USER = 'fleetset-admin';

const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
/** A node is taken out of the fleet on the plane, not by a date: a certificate that runs out would strand it. */
const NODE_DAYS = 3650;
const LEAF_DAYS = 365;
const RENEW_BEFORE_DAYS = 120;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface KeyAndCertificate {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

export interface Authority {
  readonly caCertificate: string;
  readonly caHash: string;
  /** The plane's own certificate for these names and addresses; kept until it is old or the names change. */
  readonly serverIdentity: (names: readonly string[]) => Promise<KeyAndCertificate>;
  readonly adminIdentity: () => Promise<KeyAndCertificate>;
  /** PEM. `publicKey`: SubjectPublicKeyInfo in DER. */
  readonly signNode: (nodeName: string, publicKey: Uint8Array) => Promise<string>;
  /** Whether this CA signed it and it is valid now. */
  readonly hasSigned: (certificate: X509Certificate) => boolean;
}

/** What is in the directory cannot be used; the message says what to do. */
export class BadAuthority extends Error {
  override readonly name = 'BadAuthority';
}

export async function openAuthority(directory: string): Promise<Authority> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  settleFolder(directory);
  if (!existsSync(join(directory, 'ca.key'))) save(directory, 'ca', await makeCa());
  const ca = load(directory, 'ca');
  if (!ca)
    throw new BadAuthority(`${directory}: ca.key is there but ca.crt is not; restore it from a backup`);
  const caX509 = fittingCertificate(ca);
  if (!caX509)
    throw new BadAuthority(`${directory}: ca.key and ca.crt do not fit together; restore both from a backup`);
  return {
    caCertificate: ca.certificate,
    caHash: caHashOf(ca.certificate),
    hasSigned: (certificate) =>
      certificate.checkIssued(caX509) && certificate.verify(caX509.publicKey) && isValidNow(certificate),
    serverIdentity: (names) => keptOrMade(directory, 'server', caX509, names, () => makeServer(ca, names)),
    adminIdentity: () => keptOrMade(directory, 'admin', caX509, [], () => makeAdmin(ca)),
    signNode: (nodeName, publicKey) => signNode(ca, nodeName, publicKey),
  };
}

/** As kubeadm writes it: sha256 of the CA's public key. */
export const caHashOf = (caCertificate: string): string =>
  `sha256:${createHash('sha256')
    .update(new X509Certificate(caCertificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')}`;

const isValidNow = (certificate: X509Certificate): boolean => {
  const now = Date.now();
  return certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime();
};

function load(directory: string, name: string): KeyAndCertificate | undefined {
  const keyPath = join(directory, `${name}.key`);
  const certificatePath = join(directory, `${name}.crt`);
  if (!existsSync(keyPath) || !existsSync(certificatePath)) return undefined;
  return { key: readFileSync(keyPath, 'utf8'), certificate: readFileSync(certificatePath, 'utf8') };
}

/** The key last: a pair is there when its key is. */
function save(directory: string, name: string, { key, certificate }: KeyAndCertificate): void {
  writeDurable(join(directory, `${name}.crt`), certificate, 0o644);
  writeDurable(join(directory, `${name}.key`), key, 0o600);
}

/** The certificate, if the key is its own: a renewal that was cut short leaves a new one with the old key. */
function fittingCertificate({ key, certificate }: KeyAndCertificate): X509Certificate | undefined {
  try {
    const parsed = new X509Certificate(certificate);
    return parsed.checkPrivateKey(createPrivateKey(key)) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

async function keptOrMade(
  directory: string,
  name: string,
  ca: X509Certificate,
  names: readonly string[],
  make: () => Promise<KeyAndCertificate>,
): Promise<KeyAndCertificate> {
  const kept = load(directory, name);
  const certificate = kept && fittingCertificate(kept);
  if (kept && certificate && isStillGood(certificate, ca, names)) return kept;
  const made = await make();
  save(directory, name, made);
  return made;
}

function isStillGood(certificate: X509Certificate, ca: X509Certificate, names: readonly string[]): boolean {
  const fresh = certificate.validToDate.getTime() - Date.now() > RENEW_BEFORE_DAYS * DAY_MS;
  return (
    fresh &&
    certificate.verify(ca.publicKey) &&
    names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)))
  );
}

/** Loaded only when something is signed: most starts of a plane sign nothing. */
const loadX509 = async () => (await import('./x509.ts')).x509;

const serialNumber = (): string => `01${randomBytes(15).toString('hex')}`;
const validity = (days: number) => ({
  // A day back, for machines whose clock is behind.
  notBefore: new Date(Date.now() - DAY_MS),
  notAfter: new Date(Date.now() + days * DAY_MS),
});

const pemOfKey = async (key: webcrypto.CryptoKey): Promise<string> => {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
};

const makeKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);

async function makeCa(): Promise<KeyAndCertificate> {
  const lib = await loadX509();
  const keys = await makeKeys();
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ['fleetset-ca'] }],
    ...validity(CA_DAYS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new lib.BasicConstraintsExtension(true, 0, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign, true),
      await lib.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { key: await pemOfKey(keys.privateKey), certificate: `${certificate.toString('pem')}\n` };
}

async function makeServer(ca: KeyAndCertificate, names: readonly string[]): Promise<KeyAndCertificate> {
  const lib = await loadX509();
  const keys = await makeKeys();
  const alternatives = names.map((value) => ({
    type: isIP(value) ? ('ip' as const) : ('dns' as const),
    value,
  }));
  const certificate = await sign(ca, [{ CN: ['fleetset-plane'] }], keys.publicKey, LEAF_DAYS, [
    new lib.ExtendedKeyUsageExtension([lib.ExtendedKeyUsage.serverAuth]),
    new lib.SubjectAlternativeNameExtension(alternatives),
  ]);
  return { key: await pemOfKey(keys.privateKey), certificate };
}

async function makeAdmin(ca: KeyAndCertificate): Promise<KeyAndCertificate> {
  const lib = await loadX509();
  const keys = await makeKeys();
  const subject = [{ O: ['system:masters'] }, { CN: [ADMIN_USER] }];
  const certificate = await sign(ca, subject, keys.publicKey, LEAF_DAYS, [
    new lib.ExtendedKeyUsageExtension([lib.ExtendedKeyUsage.clientAuth]),
  ]);
  return { key: await pemOfKey(keys.privateKey), certificate };
}

async function signNode(ca: KeyAndCertificate, nodeName: string, publicKey: Uint8Array): Promise<string> {
  const lib = await loadX509();
  const key = await webcrypto.subtle.importKey('spki', Buffer.from(publicKey), ALGORITHM, true, ['verify']);
  const subject = [{ O: ['system:nodes'] }, { CN: [`system:node:${nodeName}`] }];
  return sign(ca, subject, key, NODE_DAYS, [
    new lib.ExtendedKeyUsageExtension([lib.ExtendedKeyUsage.clientAuth]),
  ]);
}

async function sign(
  ca: KeyAndCertificate,
  subject: { [attribute: string]: string[] }[],
  publicKey: webcrypto.CryptoKey,
  days: number,
  extensions: import('@peculiar/x509').Extension[],
): Promise<string> {
  const lib = await loadX509();
  const issuer = new lib.X509Certificate(ca.certificate);
  const body = ca.key.replace(/-----[A-Z ]+-----|\s/g, '');
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    Buffer.from(body, 'base64'),
    ALGORITHM,
    false,
    ['sign'],
  );
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: issuer.subject,
    ...validity(days),
    signingAlgorithm: ALGORITHM,
    signingKey,
    publicKey,
    extensions: [
      new lib.BasicConstraintsExtension(false, undefined, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.digitalSignature, true),
      await lib.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...extensions,
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
