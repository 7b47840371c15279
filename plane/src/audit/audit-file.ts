// Lines on their way to a file that turns over by size. The plane never waits for the disk: what it cannot take in time
// is lost, and counted.
import { close, fstat, ftruncate, open, openSync, write } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { promisify } from 'node:util';

export interface AuditFileOptions {
  /** "-" is standard output, which never turns over. */
  readonly path: string;
  /** 0: it never turns over. */
  readonly maxSizeBytes: number;
  /** 0: of any age. */
  readonly maxAgeMs: number;
  /** 0: any number. */
  readonly maxBackups: number;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** Told once when lines begin to be lost, and once when they are written again. */
  readonly onTrouble: (lost: number, error: unknown) => void;
  readonly onRecovery: (lost: number) => void;
}

export interface AuditFile {
  readonly write: (line: string) => void;
  readonly counts: () => { readonly written: number; readonly lost: number };
  /** Writes what waits, for a while at most. */
  readonly close: () => Promise<void>;
}

/** What may wait for a slow disk. */
const WAITING_LIMIT_BYTES = 16 * 1024 * 1024;
const BATCH_BYTES = 256 * 1024;
const CLOSE_WITHIN_MS = 2000;
const STANDARD_OUTPUT = 1;

interface Open {
  readonly fd: number;
  /** What is whole in it. */
  size: number;
}

interface Batch {
  readonly bytes: Buffer;
  readonly lines: number;
}

const openFile = promisify(open);
const writeSome = promisify(write);
const truncate = promisify(ftruncate);
const statOf = promisify(fstat);
const closeFile = promisify(close);

/** Throws when the file cannot be opened. */
export function openAuditFile(options: AuditFileOptions): AuditFile {
  const { path, maxSizeBytes } = options;
  const turnsOver = path !== '-' && maxSizeBytes > 0;
  const reopen = async () => (path === '-' ? STANDARD_OUTPUT : openFile(path, 'a', 0o600));
  let file: Open | undefined = { fd: path === '-' ? STANDARD_OUTPUT : openSync(path, 'a', 0o600), size: -1 };
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let written = 0;
  let lost = 0;
  let told = 0;
  let pumping: Promise<void> | undefined;

  const lose = (lines: number, error: unknown) => {
    if (lost === told) options.onTrouble(lost + lines, error);
    lost += lines;
  };

  const takeBatch = (): Batch => {
    let [count, size] = [0, 0];
    while (count < waiting.length && (count === 0 || size < BATCH_BYTES))
      size += waiting[count++]?.length ?? 0;
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return { bytes: Buffer.concat(batch), lines: count };
  };

  const turnOver = async (current: Open): Promise<Open> => {
    await closeFile(current.fd);
    file = undefined;
    await rename(path, backupName(path, options.wallNow()));
    await removeOld(options);
    return { fd: await reopen(), size: 0 };
  };

  const append = async (bytes: Buffer): Promise<void> => {
    file ??= { fd: await reopen(), size: -1 };
    if (file.size < 0) file.size = path === '-' ? 0 : (await statOf(file.fd)).size;
    if (turnsOver && file.size > 0 && file.size + bytes.length > maxSizeBytes) file = await turnOver(file);
    await writeWhole(file, bytes, path !== '-');
  };

  const pump = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = takeBatch();
      try {
        await append(batch.bytes);
        written += batch.lines;
        if (lost > told && waitingBytes < WAITING_LIMIT_BYTES / 2) {
          options.onRecovery(lost - told);
          told = lost;
        }
      } catch (error) {
        lose(batch.lines, error);
      }
      waitingBytes -= batch.bytes.length;
    }
  };

  return {
    write: (line) => {
      const bytes = Buffer.from(`${line}\n`);
      if (waitingBytes > 0 && waitingBytes + bytes.length > WAITING_LIMIT_BYTES)
        return lose(1, new Error('the disk is too slow'));
      waiting.push(bytes);
      waitingBytes += bytes.length;
      pumping ??= pump().finally(() => {
        pumping = undefined;
      });
    },
    counts: () => ({ written, lost }),
    close: async () => {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, CLOSE_WITHIN_MS);
      await Promise.race([pumping, late]);
      clearTimeout(timer);
      const { fd } = pumping ? {} : (file ?? {});
      file = undefined;
      if (fd !== undefined && path !== '-') await closeFile(fd);
    },
  };
}

/** All of it, or nothing: half a line would spoil the next. */
async function writeWhole(file: Open, bytes: Buffer, canUndo: boolean): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) done += (await writeSome(file.fd, bytes, done)).bytesWritten;
    file.size += bytes.length;
  } catch (error) {
    if (canUndo) await truncate(file.fd, file.size).catch(() => {});
    throw error;
  }
}

/** As kube-apiserver names them: audit-2026-11-22T10-00-00.000.log. */
function backupName(path: string, now: number): string {
  const at = new Date(now).toISOString().replaceAll(':', '-').replace('Z', '');
  const extension = extname(path);
  return join(dirname(path), `${basename(path, extension)}-${at}${extension}`);
}

async function removeOld({ path, maxAgeMs, maxBackups, wallNow }: AuditFileOptions): Promise<void> {
  const backups = await backupsOf(path);
  const oldest = maxAgeMs > 0 ? wallNow() - maxAgeMs : 0;
  const surplus = backups.filter(({ at }, index) => at < oldest || (maxBackups > 0 && index >= maxBackups));
  for (const { name } of surplus) await rm(join(dirname(path), name), { force: true });
}

/** The newest first. */
async function backupsOf(path: string): Promise<{ readonly name: string; readonly at: number }[]> {
  const extension = extname(path);
  const prefix = `${basename(path, extension)}-`;
  const names = await readdir(dirname(path));
  return names
    .filter((name) => name.startsWith(prefix) && name.endsWith(extension))
    .map((name) => ({ name, at: instantOf(name.slice(prefix.length, name.length - extension.length)) }))
    .filter(({ at }) => !Number.isNaN(at))
    .sort((a, b) => b.at - a.at);
}

function instantOf(text: string): number {
  const [, date, hours, minutes, seconds] =
    /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(text) ?? [];
  return Date.parse(`${date}T${hours}:${minutes}:${seconds}Z`);
}
