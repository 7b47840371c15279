// The administrator's kubeconfig: one cluster, one user, one context, everything inside the file.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ADMIN_USER, type KeyAndCertificate } from './authority.ts';

/** JSON is YAML, and needs no writer. */
export function formatKubeconfig(server: string, caCertificate: string, admin: KeyAndCertificate): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'fleetset', cluster: { server, 'certificate-authority-data': base64(caCertificate) } },
    ],
    users: [
      {
        name: ADMIN_USER,
        user: {
          'client-certificate-data': base64(admin.certificate),
          'client-key-data': base64(admin.key),
        },
      },
    ],
    contexts: [{ name: 'fleetset', context: { cluster: 'fleetset', user: ADMIN_USER } }],
    'current-context': 'fleetset',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

export function writeKubeconfig(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
