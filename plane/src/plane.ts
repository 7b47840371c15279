// The plane, put together by hand: store, authority, the core, and the two servers.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS_CONTENT_TYPE, metricsText } from '@fleetset/scheduler-core/prometheus-text';
import { revisionHash } from '@fleetset/scheduler-core/revision-history';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { createApiServer } from './api/api-server.ts';
import { issuerDocuments } from './api/issuer-documents.ts';
import { apiMetrics, createRequestCounts } from './api/metrics.ts';
import { podSubresources } from './api/pod-subresources.ts';
import { createLimits, type LimitSettings } from './api/request-limits.ts';
import { createReviews } from './api/reviews.ts';
import { serveTokenRequest } from './api/token-request.ts';
import { versionInfo } from './api/version-info.ts';
import { type AuditSettings, openAudit } from './audit/open-audit.ts';
import { authenticate } from './authentication/authenticate.ts';
import { impersonated } from './authentication/impersonate.ts';
import { readTokenFile } from './authentication/token-file.ts';
import { startAccess } from './authorization/start-access.ts';
import { isConnected } from './fleet/fleet.ts';
import { nodeMetrics, podMetrics } from './fleet/metrics.ts';
import { hostPort } from './host-port.ts';
import { adminKubeconfig, rememberServer, writeKubeconfig } from './identity/admin-kubeconfig.ts';
import { openAuthority, PLANE_SERVER_NAME } from './identity/authority.ts';
import { followTokenKeys, openTokenKeys } from './identity/token-keys.ts';
import type { KubeObject } from './kinds/kind.ts';
import { nodeMetricsKind, podMetricsKind } from './kinds/metrics-kinds.ts';
import { placementKind } from './kinds/placement-kind.ts';
import { REVIEW_KINDS } from './kinds/review-kinds.ts';
import { rolloutKind } from './kinds/rollout-kind.ts';
import { findKind, SERVED_KINDS } from './kinds/served-kinds.ts';
import { startPlaneCore } from './plane-core.ts';
import { placements } from './rollout/placements.ts';
import { rollouts } from './rollout/rollouts.ts';
import { withEventView } from './store/event-view.ts';
import { openSqliteStore } from './store/sqlite-store.ts';
import type { Store } from './store/store.ts';
import { createGrpcServer } from './sync/grpc-server.ts';
import { publishInfo } from './sync/join-info.ts';
import { createTunnels, TUNNEL_LIMITS, type TunnelLimits } from './sync/tunnels.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface PlaneOptions {
  readonly dataDir: string;
  readonly api: Address;
  readonly agents: Address;
  /** Names and addresses the plane is reached under, for its certificate; the first goes into the kubeconfig. */
  readonly advertise: readonly string[];
  /** Where pods find the API; absent: under the first name, at the port it listens on. */
  readonly advertiseApi?: { readonly host: string; readonly port?: number };
  /** Under which of them agents reach it, for the join command; absent: the first. */
  readonly agentHost?: string;
  /** Where to write the administrator's kubeconfig; absent: only on request. */
  readonly kubeconfig?: string;
  readonly nodeMonitorGraceMs: number;
  /** Tokens of people and programs, in the form of kube-apiserver's --token-auth-file. */
  readonly tokenAuthFile?: string;
  /** Absent: nothing is kept of who did what. */
  readonly audit?: AuditSettings;
  /** How much clients may ask for at once; absent ones are the default. */
  readonly limits?: Partial<LimitSettings>;
  /** How long execs, logs and forwarded connections wait for an agent; absent ones are the default. */
  readonly tunnelLimits?: Partial<TunnelLimits>;
  readonly version: string;
  readonly logger: Logger;
  /** Milliseconds since 1970, for what people see and for maintenance windows; absent: this machine's clock. */
  readonly wallNow?: () => number;
  /** Milliseconds that only grow, for all that the plane waits for; absent: this machine's clock. */
  readonly monotonicNow?: () => number;
}

export interface Plane {
  readonly apiPort: number;
  readonly agentPort: number;
  readonly caHash: string;
  /** The agent of this node is connected and has reported. */
  readonly hasHeard: (nodeName: string) => boolean;
  readonly stop: () => Promise<void>;
}

export async function startPlane(options: PlaneOptions): Promise<Plane> {
  const { logger, version, wallNow = () => Date.now(), monotonicNow = () => performance.now() } = options;
  const nowText = () => utcText(wallNow());
  // First: nothing is made for a plane that cannot start.
  const fileTokens = options.tokenAuthFile ? readTokenFile(options.tokenAuthFile) : new Map();
  const audit = options.audit && openAudit(options.audit, logger, wallNow);
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const pki = join(options.dataDir, 'pki');
  const authority = await openAuthority(pki);
  const names = [
    ...new Set([
      ...options.advertise,
      ...ownName(options.advertiseApi),
      'localhost',
      '127.0.0.1',
      '::1',
      PLANE_SERVER_NAME,
    ]),
  ];
  const identity = await authority.serverIdentity(names);
  let endpoint = apiEndpoint(options, options.api.port);
  const tokenKeys = openTokenKeys(pki);
  const unfollowKeys = followTokenKeys(tokenKeys, (error) =>
    logger.error({ err: error }, 'the signing keys cannot be read; those that were read before count'),
  );
  const store = openSqliteStore(join(options.dataDir, 'plane.db'), (error) =>
    logger.error({ err: error }, 'what follows the store failed over a change; the others go on'),
  );
  const core = await startPlaneCore({
    store,
    nodeMonitorGraceMs: options.nodeMonitorGraceMs,
    version,
    logger,
    nowText,
    wallNow,
    monotonicNow,
    caCertificate: authority.caCertificate,
    tokenKeys,
    apiEndpoint: () => endpoint,
  });
  const { fleet, grants, records, rollout, sessions, objects, usage } = core;
  const tunnels = createTunnels(fleet, { ...TUNNEL_LIMITS, ...options.tunnelLimits });
  const { accountTokens } = core;
  const authentication = { store, accountTokens, fileTokens, wallNow };
  const access = await startAccess(
    store,
    nowText,
    (loop) => (error, retryInMs) =>
      logger.error({ err: error, loop, retryInMs }, `the ${loop} loop failed; it goes on in ${retryInMs} ms`),
  ).catch(async (error: unknown) => {
    await core.stop();
    throw error;
  });
  const { authorizer } = access;
  const grpc = createGrpcServer({
    store,
    authority,
    nowText,
    sessions,
    tunnels,
    identity,
    onJoin: (node, refused) =>
      refused ? logger.warn({ node }, `join refused: ${refused}`) : logger.info({ node }, 'node joined'),
    onFailure: (error, what) => logger.error({ err: error }, `${what} failed`),
  });
  const requests = createRequestCounts();
  const limits = createLimits(options.limits);
  const virtualKinds = [placementKind, rolloutKind, nodeMetricsKind, podMetricsKind, ...REVIEW_KINDS];
  let started = false;
  let stopping = false;
  let server = '';
  const api = createApiServer({
    store: withEventView(store),
    objects,
    kinds: [...SERVED_KINDS, ...virtualKinds],
    findKind: (group, plural) =>
      virtualKinds.find((kind) => kind.group === group && kind.plural === plural) ?? findKind(group, plural),
    virtual: new Map([
      [
        placementKind,
        (namespace) =>
          placements(
            {
              store,
              fleet,
              grants,
              records,
              planOf: rollout.planOf,
              newestOf: (set) => newestOf(store, set),
              nowText,
            },
            namespace,
          ),
      ],
      [
        rolloutKind,
        rollouts({ store, records, planOf: rollout.planOf, prePullOf: rollout.prePulls.statusOf }),
      ],
      [nodeMetricsKind, nodeMetrics({ store, usage })],
      [podMetricsKind, podMetrics({ store, usage })],
    ]),
    refresh: new Map([
      [nodeMetricsKind, usage.refresh],
      [podMetricsKind, usage.refresh],
    ]),
    subresources: new Map([
      ...podSubresources(objects, tunnels),
      ['POST serviceaccounts/token', (call) => serveTokenRequest(call, store, accountTokens)],
    ]),
    reviews: createReviews(authentication, authorizer),
    authorizer,
    authenticate: (request) => authenticate(authentication, request),
    impersonate: (user, request) => impersonated(user, request, authorizer.require),
    audit,
    limits,
    documents: new Map([
      ...issuerDocuments(tokenKeys, () => server),
      [
        '/metrics',
        () => ({
          type: METRICS_CONTENT_TYPE,
          bytes: Buffer.from(metricsText(apiMetrics({ store, requests, limits, audit: audit?.counts }))),
        }),
      ],
    ]),
    tls: {
      key: identity.key,
      cert: identity.certificate + authority.caCertificate,
      ca: authority.caCertificate,
    },
    version,
    versionInfo: versionInfo(version),
    health: {
      live: [],
      ready: [
        { name: 'store', isWell: () => !store.isFailing() },
        { name: 'start', isWell: () => started },
        { name: 'shutdown', isWell: () => !stopping },
      ],
    },
    onReply: ({ error, ...reply }) => {
      requests.count(reply);
      return error
        ? logger.error({ err: error, ...reply }, 'a request failed')
        : logger.debug(reply, 'request');
    },
  });
  try {
    const apiPort = await api.listen(options.api.host, options.api.port);
    endpoint = apiEndpoint(options, apiPort);
    const agentPort = await grpc.listen(options.agents.host, options.agents.port);
    const host = options.advertise[0] ?? '127.0.0.1';
    server = `https://${hostPort(host, apiPort)}`;
    rememberServer(options.dataDir, server);
    if (options.kubeconfig)
      writeKubeconfig(options.kubeconfig, await adminKubeconfig(options.dataDir, undefined));
    await publishInfo(store, hostPort(options.agentHost ?? host, agentPort), authority.caHash, nowText());
    started = true;
    return {
      apiPort,
      agentPort,
      caHash: authority.caHash,
      hasHeard: (nodeName) => {
        const state = fleet.get(nodeName);
        return state !== undefined && isConnected(state);
      },
      stop: async () => {
        stopping = true;
        unfollowKeys();
        for (const { session } of fleet.all()) session?.end(status.UNAVAILABLE, 'the plane is stopping');
        await Promise.all([api.close(), grpc.close()]);
        await access.stop();
        await core.stop();
        await audit?.close();
      },
    };
  } catch (error) {
    await Promise.all([api.close(), grpc.close()]);
    await access.stop();
    await core.stop();
    throw error;
  }
}

const apiEndpoint = ({ advertise, advertiseApi }: PlaneOptions, port: number) => ({
  host: advertiseApi?.host ?? advertise[0] ?? '127.0.0.1',
  port: advertiseApi?.port ?? port,
});

const ownName = (own: PlaneOptions['advertiseApi']): string[] => (own ? [own.host] : []);

/** The hash of the revision that holds a DaemonSet's template as it is. */
function newestOf(store: Store, daemonSet: Pick<KubeObject, 'metadata'>): string | undefined {
  const revisions = [...store.list('apps/controllerrevisions')]
    .map(({ value }) => value as unknown as KubeObject & { revision: number })
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === daemonSet.metadata.uid))
    .sort((a, b) => b.revision - a.revision);
  return revisions[0] ? revisionHash(revisions[0]) : undefined;
}
