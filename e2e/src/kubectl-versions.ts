// The kubectl binaries that this machine has.
import { run } from './run.ts';

/** The oldest and the newest that there are, and those in between when FLEETSET_KUBECTL is `all`: each start of kubectl
 *  is a second of a processor, and what is new in one version the newest has too. */
const chosen = <T>(oldestFirst: readonly T[]): readonly T[] =>
  process.env.FLEETSET_KUBECTL === 'all' || oldestFirst.length < 3
    ? oldestFirst
    : [oldestFirst[0] as T, oldestFirst.at(-1) as T];

/** Where each to be tried is, by minor version, as "1.29", oldest first. */
async function installed(): Promise<ReadonlyMap<string, string>> {
  // Brings one where there is none.
  await run('hack/kubectl', ['version', '--client']);
  const lines = (await run('hack/kubectl', ['--list'])).trim().split('\n');
  const all = new Map(
    lines.map((line) => {
      const [version = '', path = ''] = line.split(/\s+/);
      return [version.split('.').slice(0, 2).join('.'), path];
    }),
  );
  return new Map(chosen([...all]));
}

export const triedVersions = async (): Promise<readonly string[]> => [...(await installed()).keys()];

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
