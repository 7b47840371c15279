// The whole plane in this process, on free ports of the loopback address and a directory of its own.
import { join } from 'node:path';
import { pino } from 'pino';
import { keepPort } from '../../../hack/lib/kept-port.ts';
import type { LimitSettings } from '../../src/api/request-limits.ts';
import type { AuditSettings } from '../../src/audit/open-audit.ts';
import { openAuthority } from '../../src/identity/authority.ts';
import { type Plane, startPlane } from '../../src/plane.ts';
import type { TunnelLimits } from '../../src/sync/tunnels.ts';
import { type ApiClient, type Credentials, createApiClient, type Json } from './api-client.ts';
import { tempDir } from './temp-dir.ts';

export interface TestPlane {
  readonly dataDir: string;
  readonly caHash: string;
  readonly apiPort: number;
  readonly agentAddress: string;
  /** As the administrator. */
  readonly api: ApiClient;
  readonly admin: Credentials;
  /** Lines of the log, warnings and worse. */
  readonly complaints: readonly Json[];
  readonly hasHeard: (node: string) => boolean;
  /** Breaks the connections of all clients of the API, as if they were killed. */
  readonly dropClients: () => void;
  /** Stops and starts it on the same ports and data. */
  readonly restart: (options?: TestPlaneOptions) => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface TestPlaneOptions {
  readonly dataDir?: string;
  readonly graceMs?: number;
  readonly advertiseApi?: { readonly host: string; readonly port: number };
  readonly tokenAuthFile?: string;
  readonly audit?: AuditSettings;
  readonly limits?: Partial<LimitSettings>;
  readonly tunnelLimits?: Partial<TunnelLimits>;
  /** How far the plane's wall clock is from this machine's; asked each time. */
  readonly clockOffMs?: () => number;
  /** Absent: this machine's. */
  readonly monotonicNow?: () => number;
}

export const VERSION = '0.0.0-test';
const NEVER_MS = 600_000;

export async function startTestPlane(options: TestPlaneOptions = {}): Promise<TestPlane> {
  const dataDir = options.dataDir ?? tempDir();
  const complaints: Json[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => complaints.push(JSON.parse(line)) });
  const ports = { api: await keepPort(), agents: await keepPort() };
  let graceMs = options.graceMs ?? NEVER_MS;
  let { advertiseApi } = options;
  let running: Plane | undefined;
  const start = async () => {
    running = await startPlane({
      dataDir,
      api: { host: '127.0.0.1', port: ports.api },
      agents: { host: '127.0.0.1', port: ports.agents },
      advertise: ['127.0.0.1'],
      ...(advertiseApi ? { advertiseApi } : {}),
      nodeMonitorGraceMs: graceMs,
      ...(options.tokenAuthFile ? { tokenAuthFile: options.tokenAuthFile } : {}),
      ...(options.limits ? { limits: options.limits } : {}),
      ...(options.tunnelLimits ? { tunnelLimits: options.tunnelLimits } : {}),
      ...(options.audit ? { audit: options.audit } : {}),
      ...(options.monotonicNow ? { monotonicNow: options.monotonicNow } : {}),
      wallNow: () => Date.now() + (options.clockOffMs?.() ?? 0),
      version: VERSION,
      logger,
    });
  };
  const stop = async () => {
    const stopping = running;
    running = undefined;
    await stopping?.stop();
  };
  await start();
  const admin = await adminCredentials(dataDir);
  const api = createApiClient(() => ports.api, admin);
  return {
    dataDir,
    caHash: running?.caHash ?? '',
    get apiPort() {
      return ports.api;
    },
    get agentAddress() {
      return `127.0.0.1:${ports.agents}`;
    },
    api,
    admin,
    complaints,
    hasHeard: (node) => running?.hasHeard(node) ?? false,
    dropClients: () => api.drop(),
    restart: async (changed = {}) => {
      await stop();
      api.leaveIdle();
      graceMs = changed.graceMs ?? graceMs;
      advertiseApi = changed.advertiseApi ?? advertiseApi;
      await start();
    },
    stop: async () => {
      api.close();
      await stop();
    },
  };
}

export async function adminCredentials(dataDir: string): Promise<Credentials> {
  const authority = await openAuthority(join(dataDir, 'pki'));
  const { key, certificate } = await authority.adminIdentity();
  return { ca: authority.caCertificate, key, cert: certificate };
}
