// fleetset kubeconfig
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { adminKubeconfig } from '@fleetset/plane/identity/admin-kubeconfig';
import { parseFlags, requireServer, textFlag } from '../options.ts';
import { CommandFailed } from '../usage-error.ts';
import type { Command } from './command.ts';

export const kubeconfigCommand: Command = {
  help: `Usage: fleetset kubeconfig [flags]

Prints a kubeconfig with full rights, from the plane's data directory; its certificate is renewed when it is old.

  --data-dir DIR     the plane's directory (default /var/lib/fleetset/plane)
  --server URL       the API's address in it (default: the one the plane wrote last)`,
  run: async ({ args, print }) => {
    const parsed = parseFlags(args, { 'data-dir': { type: 'string' }, server: { type: 'string' } });
    const dataDir = textFlag(parsed, 'data-dir') ?? '/var/lib/fleetset/plane';
    const server = textFlag(parsed, 'server');
    if (server !== undefined) requireServer('--server', server);
    if (!existsSync(join(dataDir, 'pki', 'ca.key')))
      throw new CommandFailed(
        `${dataDir} is not the directory of a plane: it has no pki/ca.key. Give --data-dir`,
      );
    print((await adminKubeconfig(dataDir, server)).trimEnd());
    return 0;
  },
};
