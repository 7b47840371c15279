// The kubectl binaries that this machine has.
import { run } from './run.ts';

/** Versions that the API is held to; one that is absent is skipped, and the test's name says so. */
export const WANTED = ['1.27', '1.29', '1.32', '1.33'] as const;

/** By minor version, as "1.29". */
export async function installedVersions(): Promise<ReadonlySet<string>> {
  const lines = (await run('hack/kubectl', ['--list'])).trim().split('\n');
  return new Set(lines.map((line) => line.split(/\s+/)[0]?.split('.').slice(0, 2).join('.') ?? ''));
}

export interface Client {
  readonly version: string;
  readonly env: { readonly [name: string]: string };
}

/** From 1.30 on kubectl prefers WebSockets, and SPDY has to be asked for. */
const SPDY_ONLY = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' };

/** Every version in every way that it can speak with containers, by what to call it. */
export function streamingClients(versions: Iterable<string>): [name: string, client: Client][] {
  return [...versions].sort().flatMap((version): [string, Client][] => {
    const newer = Number(version.split('.')[1]) >= 30;
    const plain: [string, Client] = [`kubectl ${version}`, { version, env: {} }];
    return newer ? [plain, [`kubectl ${version} over SPDY`, { version, env: SPDY_ONLY }]] : [plain];
  });
}
