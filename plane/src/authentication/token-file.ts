// Tokens that an administrator wrote into a file, in the form of kube-apiserver's --token-auth-file: one a line, as
// token,user,uid,"group,group".
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { User } from './user.ts';

/** Cannot be used; the message names the file and the line. */
export class BadTokenFile extends Error {
  override readonly name = 'BadTokenFile';
}

/** By the hash of the token: a look-up then tells nothing of a token by the time it takes. */
export type FileTokens = ReadonlyMap<string, User>;

export const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

const LINE = /^([^,"]+),([^,"]+),([^,"]+)(?:,(?:"([^"]*)"|([^,"]*)))?$/;

export function readTokenFile(path: string): FileTokens {
  try {
    return parseTokens(path, readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof BadTokenFile) throw error;
    throw new BadTokenFile(`${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

/** `path` is for the messages. */
export function parseTokens(path: string, text: string): FileTokens {
  const tokens = new Map<string, User>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, token = '', name = '', uid = '', quoted, plain] = LINE.exec(line) ?? [];
    const at = `${path}, line ${index + 1}`;
    if (token === '') throw new BadTokenFile(`${at}: expected token,user,uid,"group,group"`);
    if (tokens.has(hashOf(token))) throw new BadTokenFile(`${at}: this token is in the file already`);
    const groups = (quoted ?? plain ?? '').split(',').flatMap((group) => group.trim() || []);
    tokens.set(hashOf(token), { name, uid, groups });
  }
  return tokens;
}
