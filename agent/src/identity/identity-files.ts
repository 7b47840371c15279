// Who this node is: its key, its certificate, the plane's CA, and where the plane is. Made by joining.
import { createHash, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { readIfThere, writeDurable } from '../state/durable-file.ts';

export interface NodeIdentity {
  readonly nodeName: string;
  /** HOST:PORT. */
  readonly planeAddress: string;
  /** PEM. */
  readonly key: string;
  readonly certificate: string;
  readonly caCertificate: string;
}

export const identityDirectory = (dataDir: string): string => join(dataDir, 'identity');

/** Undefined when the node has not joined. Throws when what is there cannot be used. */
export async function readIdentity(dataDir: string): Promise<NodeIdentity | undefined> {
  const directory = identityDirectory(dataDir);
  const file = async (name: string) => (await readIfThere(join(directory, name)))?.toString('utf8');
  const [key, certificate, caCertificate, plane] = await Promise.all([
    file('node.key'),
    file('node.crt'),
    file('ca.crt'),
    file('plane'),
  ]);
  if (!certificate || !key || !caCertificate || !plane) return undefined;
  const nodeName = /^CN=system:node:(.+)$/m.exec(new X509Certificate(certificate).subject)?.[1];
  if (!nodeName) throw new Error(`${directory}/node.crt is not the certificate of a node`);
  return { nodeName, planeAddress: plane.trim(), key, certificate, caCertificate };
}

/** The certificate last: a node has joined when that is there. */
export async function writeIdentity(dataDir: string, identity: NodeIdentity): Promise<void> {
  const put = (name: string, text: string, mode?: number) =>
    writeDurable(join(identityDirectory(dataDir), name), text, mode);
  await put('node.key', identity.key);
  await put('ca.crt', identity.caCertificate, 0o644);
  await put('plane', `${identity.planeAddress}\n`, 0o644);
  await put('node.crt', identity.certificate, 0o644);
}

/** Tells containers of one cluster's node from those of another on the same engine. */
export const ownerOf = ({ caCertificate, nodeName }: NodeIdentity): string =>
  `${createHash('sha256')
    .update(new X509Certificate(caCertificate).publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 12)}/${nodeName}`;
