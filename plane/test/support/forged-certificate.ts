// Certificates that say all that the genuine one says: signed by its own key instead of the CA's, or out of date.
import { createPublicKey, randomUUID } from 'node:crypto';
import { x509 } from '../../src/identity/x509.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface Genuine {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

export const signedByItself = (genuine: Genuine): Promise<string> => signedAgain(genuine, genuine.key);

const DAY_MS = 86_400_000;

/** By the key of its own CA; it was good for a day, until yesterday. */
export const expired = (genuine: Genuine, caKey: string): Promise<string> =>
  signedAgain(genuine, caKey, {
    notBefore: new Date(Date.now() - 2 * DAY_MS),
    notAfter: new Date(Date.now() - DAY_MS),
  });

async function signedAgain(
  { key, certificate }: Genuine,
  signer: string,
  dates: { readonly notBefore?: Date; readonly notAfter?: Date } = {},
): Promise<string> {
  const pkcs8 = Buffer.from(signer.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const genuine = new x509.X509Certificate(certificate);
  const forged = await x509.X509CertificateGenerator.create({
    serialNumber: `01${randomUUID().replaceAll('-', '')}`,
    subject: genuine.subject,
    issuer: genuine.issuer,
    notBefore: genuine.notBefore,
    notAfter: genuine.notAfter,
    ...dates,
    signingAlgorithm: ALGORITHM,
    signingKey: await crypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']),
    publicKey: await crypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']),
    extensions: genuine.extensions,
  });
  return forged.toString('pem');
}
