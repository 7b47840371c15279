// The audit log as the plane's settings ask for it.
import type { Logger } from 'pino';
import { openAuditFile } from './audit-file.ts';
import { type AuditLog, createAuditLog } from './audit-log.ts';
import { BadAuditSetting, DEFAULT_POLICY, readAuditPolicy } from './read-policy.ts';

export interface AuditSettings {
  /** "-" is standard output. */
  readonly path: string;
  readonly policyFile?: string;
  /** Megabytes, days and files, as kube-apiserver counts them; 0 is no limit. */
  readonly maxSize: number;
  readonly maxAge: number;
  readonly maxBackups: number;
}

const MEGABYTE = 1024 * 1024;
const DAY_MS = 86_400_000;

/** Throws BadAuditSetting. */
export function openAudit(settings: AuditSettings, logger: Logger, wallNow: () => number): AuditLog {
  const { path, policyFile, maxSize, maxAge, maxBackups } = settings;
  const policy = policyFile ? readAuditPolicy(policyFile) : DEFAULT_POLICY;
  try {
    const file = openAuditFile({
      path,
      maxSizeBytes: maxSize * MEGABYTE,
      maxAgeMs: maxAge * DAY_MS,
      maxBackups,
      wallNow,
      onTrouble: (lost, error) =>
        logger.error(
          { err: error, lost },
          'lines of the audit log are lost; requests are served all the same',
        ),
      onRecovery: (lost) =>
        logger.warn({ lost }, 'the audit log is written again; this many lines are missing'),
    });
    return createAuditLog(policy, file, wallNow);
  } catch (error) {
    throw new BadAuditSetting(`the audit log ${path} cannot be opened: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
