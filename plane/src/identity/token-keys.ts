// The keys of service account tokens, kept beside the CA: one that signs (sa.key, made on the first start), and the
// public halves of those that signed before it (sa-ID.pub), whose tokens are good until they expire. Another process
// (fleetset signing-key) may change the files at any moment, and be killed at any.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  newTokenKey,
  publicPem,
  readPublicKey,
  readTokenKey,
  type TokenKey,
  type TokenKeys,
} from '../authentication/json-web-token.ts';
import { BadAuthority } from './authority.ts';
import { writeDurable } from './durable-file.ts';

const SIGNING = 'sa.key';
const RETIRED = /^sa-[\w-]{43}\.pub$/;
const RETIRED_AT = /^Retired: (\S+)$/m;

export interface RetiredKey {
  readonly id: string;
  /** As Kubernetes writes a time. */
  readonly retiredAt: string;
}

/** Throws BadAuthority. `readAgain` keeps what it had when it throws. */
export function openTokenKeys(directory: string): TokenKeys & { readonly readAgain: () => void } {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (!existsSync(join(directory, SIGNING))) writeDurable(join(directory, SIGNING), newTokenKey(), 0o600);
  let all = readAll(directory);
  return {
    all: () => all,
    readAgain: () => {
      const now = readAll(directory);
      if (idsOf(now) !== idsOf(all)) all = now;
    },
  };
}

const idsOf = (keys: ReturnType<TokenKeys['all']>): string => keys.map(({ id }) => id).join();

const LOOK_EVERY_MS = 2000;

/** Takes up what changed within seconds; the answer ends it. Looking costs less than trusting a directory's time. */
export function followTokenKeys(
  keys: ReturnType<typeof openTokenKeys>,
  onFailure: (error: unknown) => void,
): () => void {
  let failed = false;
  const timer = setInterval(() => {
    try {
      keys.readAgain();
      failed = false;
    } catch (error) {
      if (!failed) onFailure(error);
      failed = true;
    }
  }, LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}

/** From now on another key signs. Answers with its id. */
export function addTokenKey(directory: string, nowText: string): string {
  const path = join(directory, SIGNING);
  if (existsSync(path)) {
    const { id, publicKey } = readSigning(directory);
    // Before the new one is there: whoever is cut off between the two leaves a key that both signs and has signed.
    const text = `Retired: ${nowText}\n${publicPem(publicKey)}`;
    writeDurable(join(directory, `sa-${id}.pub`), text, 0o644);
  }
  const pem = newTokenKey();
  writeDurable(path, pem, 0o600);
  return readTokenKey(pem).id;
}

/** The oldest first. */
export function retiredKeys(directory: string): RetiredKey[] {
  const [signing] = readAll(directory);
  return retiredFiles(directory)
    .map(({ path }) => ({
      id: idOf(path),
      retiredAt: RETIRED_AT.exec(readFileSync(path, 'utf8'))?.[1] ?? '',
    }))
    .filter(({ id }) => id !== signing.id)
    .sort((a, b) => (a.retiredAt < b.retiredAt ? -1 : 1));
}

/** Tokens that it signed are void from now on. */
export const removeRetiredKey = (directory: string, id: string): void =>
  rmSync(join(directory, `sa-${id}.pub`), { force: true });

function readAll(directory: string): ReturnType<TokenKeys['all']> {
  const signing = readSigning(directory);
  const retired = retiredFiles(directory).flatMap(({ path }) => {
    try {
      return [readPublicKey(readFileSync(path, 'utf8'))];
    } catch (error) {
      // Removed since the directory was listed.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new BadAuthority(
        `${path} is no EC P-256 public key in PEM: restore it from a backup, or remove it, which voids the tokens of that key`,
        { cause: error },
      );
    }
  });
  return [signing, ...retired.filter(({ id }) => id !== signing.id)];
}

function readSigning(directory: string): TokenKey {
  const path = join(directory, SIGNING);
  try {
    return readTokenKey(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new BadAuthority(
      `${path} is no EC P-256 key in PEM: restore it from a backup, or remove it, which voids every token that it signed`,
      { cause: error },
    );
  }
}

const retiredFiles = (directory: string): { readonly path: string }[] =>
  readdirSync(directory)
    .filter((name) => RETIRED.test(name))
    .map((name) => ({ path: join(directory, name) }));

const idOf = (path: string): string => path.slice(-'.pub'.length - 43, -'.pub'.length);
