// The administrator's kubeconfig: one cluster, one user, one context, everything inside the file.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ADMIN_USER, type KeyAndCertificate, openAuthority } from './authority.ts';
import { writeDurable } from './durable-file.ts';

/** Made from the plane's data directory; `server` defaults to the address the plane served under last. */
export async function adminKubeconfig(dataDir: string, server: string | undefined): Promise<string> {
  const authority = await openAuthority(join(dataDir, 'pki'));
  const path = join(dataDir, 'server');
  const address = server ?? (existsSync(path) ? readFileSync(path, 'utf8').trim() : 'https://127.0.0.1:6443');
  return formatKubeconfig(address, authority.caCertificate, await authority.adminIdentity());
}

export const rememberServer = (dataDir: string, server: string): void =>
  writeDurable(join(dataDir, 'server'), `${server}\n`, 0o644);

/** As kubectl writes it. Every value is base64, a URL or a name of ours: nothing needs quoting. */
function formatKubeconfig(server: string, caCertificate: string, admin: KeyAndCertificate): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return `apiVersion: v1
kind: Config
clusters:
- name: fleetset
  cluster:
    certificate-authority-data: ${base64(caCertificate)}
    server: ${server}
users:
- name: ${ADMIN_USER}
  user:
    client-certificate-data: ${base64(admin.certificate)}
    client-key-data: ${base64(admin.key)}
contexts:
- name: fleetset
  context:
    cluster: fleetset
    user: ${ADMIN_USER}
current-context: fleetset
`;
}

export function writeKubeconfig(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeDurable(path, text, 0o600);
}
