// Joins a fleet: checks that the plane's CA is the one whose hash was given, then has this machine's key signed.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  type X509Certificate,
} from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { JoinResponse } from '@fleetset/proto/gen/fleetset/v1/node';
import { readIfThere, settleFolder, writeDurable } from '../state/durable-file.ts';
import { callJoin } from '../sync/plane-client.ts';
import { identityDirectory, type NodeIdentity, readIdentity, writeIdentity } from './identity-files.ts';

export interface JoinOptions {
  /** HOST:PORT of the plane's agent address. */
  readonly planeAddress: string;
  readonly token: string;
  /** sha256:HEX of the CA's public key. */
  readonly caHash: string;
  readonly nodeName: string;
  readonly dataDir: string;
}

/** What the operator can do something about. */
export class JoinFailed extends Error {}

const CONNECT_TIMEOUT_MS = 10_000;

export async function joinPlane(options: JoinOptions): Promise<NodeIdentity> {
  const { planeAddress, token, nodeName, dataDir } = options;
  const tokenId = /^([a-z0-9]{6})\.[a-z0-9]{16}$/.exec(token)?.[1];
  if (!tokenId) throw new JoinFailed('--token must be of the form abcdef.0123456789abcdef');
  if (!/^sha256:[0-9a-f]{64}$/.test(options.caHash))
    throw new JoinFailed('--ca-hash must be of the form sha256:HEX');
  const existing = await readIdentity(dataDir);
  if (existing)
    throw new JoinFailed(
      `this machine has joined already, as node ${existing.nodeName} of ${existing.planeAddress}. To join anew, stop the agent and remove ${identityDirectory(dataDir)}`,
    );
  const caCertificate = await fetchCa(planeAddress, options.caHash);
  const key = await keptOrNewKey(dataDir);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const proof = sign('sha256', Buffer.from(`fleetset-join:${nodeName}:${tokenId}`), createPrivateKey(key));
  const answer: JoinResponse = await callJoin(planeAddress, caCertificate, {
    token,
    nodeName,
    publicKey,
    proof,
  });
  const identity: NodeIdentity = {
    nodeName,
    planeAddress,
    key,
    certificate: answer.certificate,
    caCertificate,
  };
  // What another membership was told means nothing in this one.
  await rm(join(dataDir, 'desired.pb'), { force: true });
  await settleFolder(dataDir);
  await writeIdentity(dataDir, identity);
  return identity;
}

/** On disk before it is used: joining again after a lost answer is then the same machine. */
async function keptOrNewKey(dataDir: string): Promise<string> {
  const directory = identityDirectory(dataDir);
  await settleFolder(directory);
  const path = join(directory, 'node.key');
  const kept = await readIfThere(path);
  if (kept) return kept.toString('utf8');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeDurable(path, pem);
  return pem;
}

/** The CA is in the chain that the plane shows; nothing else of this connection is believed. */
async function fetchCa(planeAddress: string, caHash: string): Promise<string> {
  const chain = await peerChain(planeAddress);
  const ca = chain.find((certificate) => hashOf(certificate) === caHash);
  if (ca) return ca.toString();
  const shown = chain.at(-1);
  throw new JoinFailed(
    `the plane at ${planeAddress} does not have the CA that --ca-hash names (it shows ${shown ? hashOf(shown) : 'none'}). Is the address right? Take the join command from 'fleetset token create --print-join-command' on the plane`,
  );
}

const hashOf = (certificate: X509Certificate): string =>
  `sha256:${createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')}`;

function peerChain(planeAddress: string): Promise<X509Certificate[]> {
  const { host, port } = splitAddress(planeAddress);
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(
        new JoinFailed(
          `no plane answers at ${planeAddress}: ${why}. Give the plane's agent address, HOST:PORT`,
        ),
      );
    const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      socket.destroy();
      fail(`no answer in ${CONNECT_TIMEOUT_MS / 1000} s`);
    });
    socket.once('error', (error) => fail(error.message));
    socket.once('secureConnect', () => {
      const chain: X509Certificate[] = [];
      let certificate = socket.getPeerX509Certificate();
      while (
        certificate &&
        !chain.some(({ fingerprint256 }) => fingerprint256 === certificate?.fingerprint256)
      ) {
        chain.push(certificate);
        certificate = certificate.issuerCertificate;
      }
      socket.destroy();
      resolve(chain);
    });
  });
}

export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65535) throw new JoinFailed(`${JSON.stringify(address)} is not HOST:PORT`);
  return { host: match[1] ?? match[2] ?? '', port };
}
