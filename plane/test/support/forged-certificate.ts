// A certificate that says all that the genuine one says, signed by its own key instead of the CA's.
import { createPublicKey, randomUUID } from 'node:crypto';
import { x509 } from '../../src/identity/x509.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface Genuine {
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
}

export async function signedByItself({ key, certificate }: Genuine): Promise<string> {
  const pkcs8 = Buffer.from(key.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const genuine = new x509.X509Certificate(certificate);
  const forged = await x509.X509CertificateGenerator.create({
    serialNumber: `01${randomUUID().replaceAll('-', '')}`,
    subject: genuine.subject,
    issuer: genuine.issuer,
    notBefore: genuine.notBefore,
    notAfter: genuine.notAfter,
    signingAlgorithm: ALGORITHM,
    signingKey: await crypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']),
    publicKey: await crypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']),
    extensions: genuine.extensions,
  });
  return forged.toString('pem');
}
