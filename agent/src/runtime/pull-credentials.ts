// Which of a pod's pull secrets open the registry that an image comes from, as kubelet finds them.
import type { ConfigData } from '@fleetset/scheduler-core/node/config-data';

export interface PullCredential {
  readonly username: string;
  readonly password: string;
  /** Instead of a password, for registries that give one out. */
  readonly identityToken?: string;
}

/** As `docker login` writes it for one registry. */
interface AuthEntry {
  readonly username?: unknown;
  readonly password?: unknown;
  readonly auth?: unknown;
  readonly identitytoken?: unknown;
}

export interface DockerConfig {
  readonly [registry: string]: AuthEntry;
}

const DEFAULT_REGISTRY = 'index.docker.io';

/** Of a Secret of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg; undefined when it is neither. */
export function dockerConfig({ data = {} }: ConfigData): DockerConfig | undefined {
  const [whole, old] = [parsed(data['.dockerconfigjson']), parsed(data['.dockercfg'])];
  const auths = whole ? whole.auths : old;
  return isObject(auths) ? (auths as DockerConfig) : undefined;
}

/** The most specific first; none: the image is pulled without. */
export function pullCredentials(image: string, configs: readonly DockerConfig[]): readonly PullCredential[] {
  const entries = configs.flatMap((config) =>
    Object.entries(config).flatMap(([registry, entry]) => {
      const credential = credentialOf(entry);
      return credential ? [{ key: registryKey(registry), credential }] : [];
    }),
  );
  const name = repositoryOf(image);
  const specificFirst = entries.toSorted((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
  const matching = specificFirst.filter(({ key }) => matches(key, name));
  const byDefault = specificFirst.filter(({ key }) => key === DEFAULT_REGISTRY && isOfDefaultRegistry(name));
  return (matching.length > 0 ? matching : byDefault).map(({ credential }) => credential);
}

function credentialOf(entry: unknown): PullCredential | undefined {
  if (!isObject(entry)) return undefined;
  const { username, password, auth, identitytoken } = entry as AuthEntry;
  const [user, secret] = typeof auth === 'string' && auth !== '' ? splitAuth(auth) : [username, password];
  if (typeof user !== 'string' || typeof secret !== 'string') return undefined;
  const token = typeof identitytoken === 'string' && identitytoken !== '' ? identitytoken : undefined;
  return { username: user, password: secret, ...(token ? { identityToken: token } : {}) };
}

/** name:password in base64. */
function splitAuth(auth: string): readonly (string | undefined)[] {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? [] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** Without scheme, and without the version of the API that old clients wrote behind it. */
function registryKey(registry: string): string {
  const bare = registry.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  return bare.replace(/\/v[12](?=\/|$)/, '');
}

/** Registry and path, without tag and digest. */
function repositoryOf(image: string): string {
  const [name = ''] = image.split('@');
  return name.replace(/:[^/:]+$/, '');
}

/** Parts of the host may hold *, which stands for no dot; a port has to be the same; the path begins the image's. */
function matches(key: string, name: string): boolean {
  const [keyHost = '', ...keyPath] = key.split('/');
  const [host = '', ...path] = name.split('/');
  const [wanted = [], given = []] = [splitHost(keyHost), splitHost(host)];
  if (wanted.length !== given.length) return false;
  const sameHost = wanted.every((part, index) => globMatches(part, given[index] ?? ''));
  return sameHost && path.join('/').startsWith(keyPath.join('/'));
}

/** The port is a part of its own. */
const splitHost = (host: string): string[] => {
  const [name = '', port = ''] = host.split(':');
  return [port, ...name.split('.')];
};

function globMatches(pattern: string, text: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  return new RegExp(`^${source}$`).test(text);
}

function isOfDefaultRegistry(name: string): boolean {
  const [first = '', ...rest] = name.split('/');
  if (rest.length === 0 || first === 'docker.io' || first === DEFAULT_REGISTRY) return true;
  return !first.includes('.') && !first.includes(':') && first !== 'localhost';
}

function parsed(base64: string | undefined): { readonly [key: string]: unknown } | undefined {
  if (base64 === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
