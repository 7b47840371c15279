// fleetset plane
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { AuditSettings } from '@fleetset/plane/audit/open-audit';
import { BadAuditSetting } from '@fleetset/plane/audit/read-policy';
import { BadTokenFile } from '@fleetset/plane/authentication/token-file';
import { startPlane } from '@fleetset/plane/plane';
import { createLogger } from '../logger.ts';
import { notifyReady } from '../notify-systemd.ts';
import {
  type Config,
  checkedNames,
  listKey,
  type Parsed,
  parseDurationWithin,
  parseFlags,
  parseHostMaybePort,
  parseHostPort,
  parseNames,
  readConfig,
  textFlag,
  textKey,
  wholeNumber,
} from '../options.ts';
import { runUntilSignal } from '../run-until-signal.ts';
import { CommandFailed, UsageError } from '../usage-error.ts';
import type { Command } from './command.ts';
import { reachedAt, reachedFromPods } from './reached-at.ts';

const KEYS = [
  'dataDir',
  'apiAddress',
  'agentAddress',
  'advertise',
  'advertiseApi',
  'kubeconfig',
  'nodeMonitorGracePeriod',
  'tokenAuthFile',
  'auditLogPath',
  'auditPolicyFile',
  'auditLogMaxSize',
  'auditLogMaxAge',
  'auditLogMaxBackup',
  'logLevel',
];

/** Less, and a node that is well would be called silent; more, and a timer would not hold it. */
const GRACE_RANGE = ['1s', '576h'] as const;

const FLAGS = {
  config: { type: 'string' },
  'data-dir': { type: 'string' },
  'api-address': { type: 'string' },
  'agent-address': { type: 'string' },
  advertise: { type: 'string' },
  'advertise-api': { type: 'string' },
  kubeconfig: { type: 'string' },
  'node-monitor-grace-period': { type: 'string' },
  'token-auth-file': { type: 'string' },
  'audit-log-path': { type: 'string' },
  'audit-policy-file': { type: 'string' },
  'audit-log-maxsize': { type: 'string' },
  'audit-log-maxage': { type: 'string' },
  'audit-log-maxbackup': { type: 'string' },
  'log-level': { type: 'string' },
} as const;

export const planeCommand: Command = {
  help: `Usage: fleetset plane [flags]

Runs the control plane: the Kubernetes-shaped API for people and tools, and the address that agents dial.

  --config FILE                    YAML with the keys dataDir, apiAddress, agentAddress, advertise (a list),
                                   advertiseApi, kubeconfig, nodeMonitorGracePeriod, tokenAuthFile, auditLogPath,
                                   auditPolicyFile, auditLogMaxSize, auditLogMaxAge, auditLogMaxBackup,
                                   logLevel; flags win over it
  --data-dir DIR                   where state lives (default /var/lib/fleetset/plane)
  --api-address HOST:PORT          the API (default 0.0.0.0:6443)
  --agent-address HOST:PORT        what agents dial (default 0.0.0.0:6444)
  --advertise NAME[,NAME...]       names and addresses people and agents reach it under; the first goes into the
                                   kubeconfig and the join command (default: the address each listens on; for
                                   0.0.0.0 this machine's host name)
  --advertise-api HOST[:PORT]      where pods on every machine reach the API (KUBERNETES_SERVICE_HOST); best an
                                   address (default: the first of --advertise that is an address, or else that is
                                   not loopback; without one, what the API listens on, for 0.0.0.0 this machine's
                                   address)
  --kubeconfig FILE                where to write the administrator's kubeconfig (default DIR/admin.kubeconfig)
  --node-monitor-grace-period 40s  how long a node may be silent before it is Unknown (1s to 576h)
  --token-auth-file FILE           tokens of people and programs, one a line: token,user,uid,"group,group"
  --audit-log-path FILE            who did what, one line of JSON each; "-" is standard output (default: not kept)
  --audit-policy-file FILE         which requests, and how much of them: a Policy of audit.k8s.io/v1 (default: all
                                   but health and discovery, at level Metadata)
  --audit-log-maxsize 100          megabytes of the file before it turns over
  --audit-log-maxage 0             days that old files are kept; 0 is for ever
  --audit-log-maxbackup 10         how many old files are kept; 0 is all
  --log-level LEVEL                trace, debug, info, warn or error (default info)`,
  run: async ({ args, environment, version, print }) => {
    const parsed = parseFlags(args, FLAGS);
    const config = readConfig(textFlag(parsed, 'config'), KEYS);
    const settings = planeSettings(parsed, config);
    const logger = createLogger(settings.logLevel, 'plane');
    const plane = await startPlane({ ...settings, version, logger }).catch((error: unknown) => {
      throw error instanceof BadTokenFile || error instanceof BadAuditSetting
        ? new CommandFailed(error.message)
        : error;
    });
    print(`fleetset plane ready: API on port ${plane.apiPort}, agents on port ${plane.agentPort}`);
    print(`  export KUBECONFIG=${settings.kubeconfig}`);
    notifyReady(environment);
    return runUntilSignal(logger, plane.stop);
  },
};

function planeSettings(parsed: Parsed, config: Config) {
  const text = (flag: string, key: string, otherwise: string): string =>
    textFlag(parsed, flag) ?? textKey(config, key) ?? otherwise;
  const dataDir = text('data-dir', 'dataDir', '/var/lib/fleetset/plane');
  const graceName =
    textFlag(parsed, 'node-monitor-grace-period') === undefined
      ? 'nodeMonitorGracePeriod'
      : '--node-monitor-grace-period';
  const grace = text('node-monitor-grace-period', 'nodeMonitorGracePeriod', '40s');
  const api = parseHostPort('--api-address', text('api-address', 'apiAddress', '0.0.0.0:6443'));
  const agents = parseHostPort('--agent-address', text('agent-address', 'agentAddress', '0.0.0.0:6444'));
  const advertise =
    parseNames('--advertise', textFlag(parsed, 'advertise')) ??
    checkedNames('advertise', listKey(config, 'advertise'));
  const agentHost = advertise?.[0] ?? reachedAt(agents, undefined, hostname());
  const advertiseApi = text('advertise-api', 'advertiseApi', reachedFromPods(api, advertise));
  const audit = auditSettings(parsed, config);
  const tokenAuthFile = textFlag(parsed, 'token-auth-file') ?? textKey(config, 'tokenAuthFile');
  return {
    dataDir,
    api,
    agents,
    advertise: advertise ?? [reachedAt(api, undefined, hostname()), agentHost, hostname()],
    agentHost,
    advertiseApi: parseHostMaybePort('--advertise-api', advertiseApi),
    kubeconfig: text('kubeconfig', 'kubeconfig', join(dataDir, 'admin.kubeconfig')),
    ...(tokenAuthFile === undefined ? {} : { tokenAuthFile }),
    ...(audit ? { audit } : {}),
    nodeMonitorGraceMs: parseDurationWithin(graceName, grace, GRACE_RANGE),
    logLevel: text('log-level', 'logLevel', 'info'),
  };
}

function auditSettings(parsed: Parsed, config: Config): AuditSettings | undefined {
  const path = textFlag(parsed, 'audit-log-path') ?? textKey(config, 'auditLogPath');
  const policyFile = textFlag(parsed, 'audit-policy-file') ?? textKey(config, 'auditPolicyFile');
  const settings = {
    maxSize: wholeNumber(parsed, 'audit-log-maxsize', config, 'auditLogMaxSize') ?? 100,
    maxAge: wholeNumber(parsed, 'audit-log-maxage', config, 'auditLogMaxAge') ?? 0,
    maxBackups: wholeNumber(parsed, 'audit-log-maxbackup', config, 'auditLogMaxBackup') ?? 10,
  };
  if (path !== undefined) return { path, ...settings, ...(policyFile === undefined ? {} : { policyFile }) };
  if (policyFile !== undefined)
    throw new UsageError('--audit-policy-file: needs --audit-log-path, which says where the log is');
  return undefined;
}
