// The key that signs service account tokens: made on the first start, kept beside the CA. Without it all tokens are void.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newTokenKey, readTokenKey, type TokenKey } from '../authentication/json-web-token.ts';
import { BadAuthority } from './authority.ts';
import { writeDurable } from './durable-file.ts';

export function openTokenKey(directory: string): TokenKey {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'sa.key');
  if (!existsSync(path)) writeDurable(path, newTokenKey(), 0o600);
  try {
    return readTokenKey(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new BadAuthority(
      `${path} is no EC P-256 key in PEM: restore it from a backup, or remove it, which voids every service account token`,
      { cause: error },
    );
  }
}
