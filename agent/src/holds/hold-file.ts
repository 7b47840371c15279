// One file for each hold, in a directory of the agent's: written by `fleetset hold`, or by whatever has the directory
// mounted. Only `reason` and `for` have to be there.
import { constants, type Stats } from 'node:fs';
import { link, lstat, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { durationMs } from '@fleetset/scheduler-core/duration';
import { type Hold, holdProblem } from '@fleetset/scheduler-core/node/hold';
import { utcTextWithMs } from '@fleetset/scheduler-core/utc-text';
import { writeDurable } from '../state/durable-file.ts';

export const holdDirectory = (dataDir: string): string => join(dataDir, 'holds');

export interface HoldFile {
  readonly name: string;
  /** Changes when it is written anew. */
  readonly version: string;
  readonly hold?: Hold;
  /** Why it is none. */
  readonly problem?: string;
}

const SUFFIX = '.json';
const LARGEST = 16_384;
const MOST_FILES = 100;

/** As many characters of a file's name as any owner needs. */
const fileOf = (owner: string): string => `${encodeURIComponent(owner).replaceAll('.', '%2E')}${SUFFIX}`;

/** In place of an earlier one of the same owner; on disk when it resolves. */
export async function writeHold(directory: string, hold: Hold): Promise<void> {
  const { owner, reason, forMs, setAt, machine } = hold;
  const content = {
    owner,
    reason,
    for: `${forMs / 1000}s`,
    setAt: utcTextWithMs(setAt),
    ...(machine?.bootId ? machine : {}),
  };
  await writeDurable(join(directory, fileOf(owner)), `${JSON.stringify(content)}\n`);
}

export const removeHold = (directory: string, { name }: Pick<HoldFile, 'name'>): Promise<void> =>
  rm(join(directory, name), { force: true });

/** Only as it was read: one that was set anew meanwhile stays. */
export async function removeAsRead(
  directory: string,
  { name, version }: Pick<HoldFile, 'name' | 'version'>,
): Promise<void> {
  const path = join(directory, name);
  const aside = join(directory, `.${name}`);
  try {
    await rename(path, aside);
    if (versionOf(await lstat(aside)) !== version) await link(aside, path);
  } catch (error) {
    // Gone, or another one is there by now: that counts.
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  }
  await rm(aside, { force: true });
}

const versionOf = ({ ino, mtimeMs, size }: Stats): string => `${ino} ${mtimeMs} ${size}`;

/** Of all holds, over or not; no directory: none. */
export async function readHolds(directory: string): Promise<readonly HoldFile[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  // Hidden ones and those that are being written are not there yet.
  const there = names.filter((name) => !name.startsWith('.') && !name.endsWith('.new')).sort();
  const files = await Promise.all(there.slice(0, MOST_FILES).map((name) => readHold(directory, name)));
  const tooMany = there.slice(MOST_FILES).map(
    (name): HoldFile => ({
      name,
      version: '',
      problem: `there are more than ${MOST_FILES} files`,
    }),
  );
  return [...files.filter((file) => file !== undefined), ...tooMany];
}

/** Undefined when it is gone meanwhile. */
async function readHold(directory: string, name: string): Promise<HoldFile | undefined> {
  const bad = (problem: string, version = ''): HoldFile => ({ name, version, problem });
  if (!name.endsWith(SUFFIX)) return bad(`its name does not end in ${SUFFIX}`);
  try {
    // Whoever may write here may put anything here: what waits (a pipe), or leads elsewhere (a link), is not opened.
    const file = await open(
      join(directory, name),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      const stat = await file.stat();
      const { size, mtimeMs } = stat;
      const version = versionOf(stat);
      if (!stat.isFile()) return bad('it is not a file', version);
      if (size > LARGEST) return bad(`it is larger than ${LARGEST} bytes`, version);
      return { name, version, ...parseHold(name, mtimeMs, await file.readFile('utf8')) };
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    return bad(code === 'ELOOP' ? 'it is a link' : message);
  }
}

function parseHold(name: string, mtimeMs: number, text: string): Pick<HoldFile, 'hold' | 'problem'> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'it is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { problem: 'it is not a JSON object' };
  const { owner = ownerOf(name), reason = '', for: lasts, setAt, bootId, upMs } = value as Fields;
  if (typeof owner !== 'string' || typeof reason !== 'string')
    return { problem: 'owner and reason must be texts' };
  const forMs = typeof lasts === 'string' ? durationMs(lasts) : undefined;
  if (forMs === undefined) return { problem: 'for must be a duration such as 30m' };
  const setAtMs = setAt === undefined ? mtimeMs : Date.parse(String(setAt));
  if (Number.isNaN(setAtMs)) return { problem: 'setAt must be a time such as 2030-01-02T03:04:05Z' };
  const isStamped = typeof bootId === 'string' && bootId !== '' && typeof upMs === 'number' && upMs >= 0;
  if (!isStamped && (bootId !== undefined || upMs !== undefined))
    return { problem: 'bootId and upMs must be there both, a text and a number' };
  const hold: Hold = {
    owner,
    reason,
    forMs,
    setAt: setAtMs,
    ...(isStamped ? { machine: { bootId, upMs } } : {}),
  };
  const problem = holdProblem(hold);
  return problem === undefined ? { hold } : { problem };
}

interface Fields {
  readonly owner?: unknown;
  readonly reason?: unknown;
  readonly for?: unknown;
  readonly setAt?: unknown;
  readonly bootId?: unknown;
  readonly upMs?: unknown;
}

function ownerOf(name: string): string {
  const bare = name.slice(0, -SUFFIX.length);
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}
