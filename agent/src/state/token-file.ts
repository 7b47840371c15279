// The tokens of this node's pods, encrypted: after a boot without the plane they are what pods have.
import { join } from 'node:path';
import { MACHINE_FILES, readIfThere, writeDurable } from './durable-file.ts';
import { openSecretBox } from './secret-box.ts';

export interface KeptToken {
  readonly podUid: string;
  readonly audience: string;
  readonly expirationSeconds: number;
  readonly token: string;
  /** By the machine's clock; milliseconds since 1970. */
  readonly issuedAt: number;
  readonly lifetimeMs: number;
}

export interface TokenFile {
  /** As it was when the agent started. */
  readonly found: readonly KeptToken[];
  readonly write: (tokens: readonly KeptToken[]) => Promise<void>;
}

const NAME = 'tokens';

export async function openTokenFile(
  directory: string,
  onUnreadable: (error: unknown) => void,
  files = MACHINE_FILES,
): Promise<TokenFile> {
  const path = join(directory, NAME);
  const box = await openSecretBox(`${path}.key`, files);
  const read = async (): Promise<readonly KeptToken[]> => {
    try {
      const sealed = await readIfThere(path, files);
      if (!sealed) return [];
      const content = box.open(NAME, sealed);
      const tokens: unknown = content && JSON.parse(content.toString('utf8'));
      if (!Array.isArray(tokens) || !tokens.every(isToken)) throw new Error('tokens does not hold tokens');
      return tokens;
    } catch (error) {
      // They are asked for again.
      onUnreadable(error);
      return [];
    }
  };
  return {
    found: await read(),
    write: async (tokens) =>
      writeDurable(path, await box.seal(NAME, Buffer.from(JSON.stringify(tokens))), 0o600, files),
  };
}

const isToken = (token: Partial<KeptToken> | null): token is KeptToken =>
  typeof token?.podUid === 'string' &&
  typeof token.audience === 'string' &&
  typeof token.expirationSeconds === 'number' &&
  typeof token.token === 'string' &&
  typeof token.issuedAt === 'number' &&
  typeof token.lifetimeMs === 'number';
