// Templates, placement rules, ConfigMaps and Secrets by the hash of their content, one file each, so that a node that
// boots alone has all it needs. Encrypted: there are secrets among them.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Files, MACHINE_FILES, putInPlace, readIfThere, settleFolder } from './durable-file.ts';
import { isSealed, openSecretBox, type SecretBox } from './secret-box.ts';

export interface BodyFiles {
  /** The parsed body, or undefined when it is not here or not what its name says. */
  readonly get: (hash: string) => object | undefined;
  /** Throws when one is not what its hash says, or cannot be written; the others may be here then. */
  readonly put: (bodies: readonly NamedBody[]) => Promise<void>;
  readonly keepOnly: (hashes: ReadonlySet<string>) => Promise<void>;
}

export interface NamedBody {
  readonly hash: string;
  readonly content: Uint8Array;
}

/** Files that are written at once: the disk takes them together, and few of them are open. */
const AT_ONCE = 16;

export class BadBody extends Error {}

const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** The key lies beside the directory. */
export async function openBodyFiles(directory: string, files = MACHINE_FILES): Promise<BodyFiles> {
  await files.mkdir(directory, { recursive: true, mode: 0o700 });
  const box = await openSecretBox(`${directory}.key`, files);
  const bodies = new Map<string, object>();
  for (const name of await files.readdir(directory)) {
    const path = join(directory, name);
    const body = /^[0-9a-f]{64}$/.test(name) ? await readBody(files, box, path, name) : 'damaged';
    // Half written, or not what its name says: asked for again when it is wanted.
    if (body === 'damaged') await files.rm(path, { force: true }).catch(() => {});
    else if (body) bodies.set(name, body);
  }
  const write = async ({ hash, content }: NamedBody): Promise<[hash: string, body: object]> => {
    const body = parseBody(hash, content);
    if (!body) throw new BadBody(`body ${hash.slice(0, 12)} is not what its hash says, or not JSON`);
    await putInPlace(join(directory, hash), await box.seal(hash, content), 0o600, files);
    return [hash, body];
  };
  const putSome = async (some: readonly NamedBody[]): Promise<void> => {
    const ended = await Promise.allSettled(some.map(write));
    const written = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (written.length > 0) await settleFolder(directory, files);
    for (const [hash, body] of written) bodies.set(hash, body);
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  };
  return {
    get: (hash) => bodies.get(hash),
    put: async (all) => {
      const news = [...new Map(all.map((one) => [one.hash, one])).values()].filter(
        ({ hash }) => !bodies.has(hash),
      );
      for (let from = 0; from < news.length; from += AT_ONCE) await putSome(news.slice(from, from + AT_ONCE));
    },
    keepOnly: async (wanted) => {
      for (const hash of [...bodies.keys()]) {
        if (wanted.has(hash)) continue;
        bodies.delete(hash);
        await files.rm(join(directory, hash), { force: true });
      }
    },
  };
}

/** Undefined when it cannot be read now: no reason to remove it. */
async function readBody(
  files: Files,
  box: SecretBox,
  path: string,
  hash: string,
): Promise<object | 'damaged' | undefined> {
  try {
    const stored = await readIfThere(path, files);
    if (!stored) return undefined;
    // Agents before this one wrote bodies as they came.
    const content = isSealed(stored) ? box.open(hash, stored) : stored;
    return (content && parseBody(hash, content)) ?? 'damaged';
  } catch {
    return undefined;
  }
}

function parseBody(hash: string, content: Uint8Array): object | undefined {
  if (hashOf(content) !== hash) return undefined;
  try {
    const body: unknown = JSON.parse(Buffer.from(content).toString('utf8'));
    return typeof body === 'object' && body !== null ? body : undefined;
  } catch {
    return undefined;
  }
}
