// The kubectl binaries that this machine has.
import { run } from './run.ts';

/** Versions that the API is held to; one that is absent is skipped, and the test's name says so. */
export const WANTED = ['1.27', '1.29', '1.32', '1.33'] as const;

/** Where each is, by minor version, as "1.29", oldest first. */
async function installed(): Promise<ReadonlyMap<string, string>> {
  const lines = (await run('hack/kubectl', ['--list'])).trim().split('\n');
  return new Map(
    lines.map((line) => {
      const [version = '', path = ''] = line.split(/\s+/);
      return [version.split('.').slice(0, 2).join('.'), path];
    }),
  );
}

export const installedVersions = async (): Promise<ReadonlySet<string>> =>
  new Set((await installed()).keys());

export interface Client {
  readonly path: string;
  readonly env: { readonly [name: string]: string };
}

/** From 1.30 on kubectl prefers WebSockets, and SPDY has to be asked for. */
const SPDY_ONLY = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' };

/** Every version in every way that it can speak with containers, by what to call it. */
export const streamingClients = async (): Promise<[name: string, client: Client][]> =>
  [...(await installed())].flatMap(([version, path]): [string, Client][] => {
    const newer = Number(version.split('.')[1]) >= 30;
    const plain: [string, Client] = [`kubectl ${version}`, { path, env: {} }];
    return newer ? [plain, [`kubectl ${version} over SPDY`, { path, env: SPDY_ONLY }]] : [plain];
  });
