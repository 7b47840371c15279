// Reads the file of --audit-policy-file, strictly: a rule that is not understood would keep too much or too little.
import { readFileSync } from 'node:fs';
import { validateAuditPolicy } from '@fleetset/scheduler-core/audit/audit-policy';
import { type AuditPolicy, auditPolicy } from '@fleetset/scheduler-core/schema/audit-policy';
import { decode } from '@fleetset/scheduler-core/schema/decode';
import { parse } from 'yaml';

/** Cannot be used; the message names the file and the field. */
export class BadAuditSetting extends Error {
  override readonly name = 'BadAuditSetting';
}

/** Without a file: who did what and how it ended, but for questions about health, versions and schemas. */
export const DEFAULT_POLICY: AuditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    {
      level: 'None',
      nonResourceURLs: ['/healthz*', '/livez*', '/readyz*', '/version*', '/openapi*', '/api*', '/metrics'],
    },
    { level: 'Metadata' },
  ],
};

export function readAuditPolicy(path: string): AuditPolicy {
  try {
    return parsePolicy(path, readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof BadAuditSetting) throw error;
    throw new BadAuditSetting(`${path} cannot be read: ${(error as Error).message.split('\n')[0]}`, {
      cause: error,
    });
  }
}

/** `path` is for the messages. */
export function parsePolicy(path: string, text: string): AuditPolicy {
  const { value, unknown, errors } = decode(auditPolicy, parse(text));
  const policy = value as AuditPolicy;
  const problems = [
    ...errors,
    ...unknown.map((field) => `${field}: unknown field`),
    ...(errors.length > 0
      ? []
      : validateAuditPolicy(policy).map(({ field, message }) => `${field}: ${message}`)),
  ];
  if (problems.length > 0) throw new BadAuditSetting(`${path}: ${problems.join('; ')}`);
  return policy;
}
