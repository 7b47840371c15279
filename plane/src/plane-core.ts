// The plane between its edges: fleet, loops, sessions and objects over one store. Who serves the API and the agents'
// streams, and on which disk the store is, comes from outside.

import { randomUUID } from 'node:crypto';
import type { ApiEndpoint } from '@fleetset/proto/gen/fleetset/v1/node';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { createEffects, leftoversOfNode, SYSTEM_NAMESPACES } from './api/kind-effects.ts';
import { createObjects, type Objects } from './api/objects.ts';
import type { TokenKeys } from './authentication/json-web-token.ts';
import { type AccountTokens, createAccountTokens } from './authentication/service-account-tokens.ts';
import { createEventRecorder } from './events/event-recorder.ts';
import { createFleet, type Fleet } from './fleet/fleet.ts';
import { createNodeLeases } from './fleet/node-leases.ts';
import { nodeRecord } from './fleet/node-record.ts';
import { followPodsByNode } from './fleet/pod-mirror.ts';
import { createPodTokens } from './fleet/pod-tokens.ts';
import { createReportIntake } from './fleet/report-intake.ts';
import { TOMBSTONES } from './fleet/tombstones.ts';
import { createUsageBook, type UsageBook } from './fleet/usage-book.ts';
import { SERVED_KINDS } from './kinds/served-kinds.ts';
import { startAccountSecretsLoop } from './lifecycle/account-secrets-loop.ts';
import { startEndpointsLoop } from './lifecycle/endpoints-loop.ts';
import { startGarbageLoop } from './lifecycle/garbage-loop.ts';
import { restoreNamespaceDefaults, startNamespaceDefaults } from './lifecycle/namespace-defaults.ts';
import { startNamespaceLoop } from './lifecycle/namespace-loop.ts';
import { startNodeLifecycle } from './lifecycle/node-lifecycle.ts';
import { restoreSystemPriorities } from './lifecycle/system-priorities.ts';
import { createBodyBook } from './rollout/body-book.ts';
import { openConfigSnapshots } from './rollout/config-snapshots.ts';
import { GRANTS, type GrantBook, openGrantBook } from './rollout/grants.ts';
import { type RolloutLoop, startRolloutLoop } from './rollout/rollout-loop.ts';
import { openRolloutRecords, type RolloutRecords } from './rollout/rollout-records.ts';
import { withEventView } from './store/event-view.ts';
import type { Store } from './store/store.ts';
import { createSyncSessions, type SyncSessions } from './sync/sync-sessions.ts';

export interface PlaneCoreOptions {
  readonly store: Store;
  readonly nodeMonitorGraceMs: number;
  readonly version: string;
  readonly logger: Logger;
  /** The time for people, as Kubernetes writes it. */
  readonly nowText: () => string;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** Milliseconds that only grow. */
  readonly monotonicNow: () => number;
  /** Of the API, for pods; PEM. */
  readonly caCertificate: string;
  readonly tokenKeys: TokenKeys;
  /** Where pods find the API. */
  readonly apiEndpoint: () => ApiEndpoint;
}

export interface PlaneCore {
  readonly fleet: Fleet;
  readonly grants: GrantBook;
  readonly records: RolloutRecords;
  readonly rollout: RolloutLoop;
  readonly sessions: SyncSessions;
  readonly objects: Objects;
  readonly usage: UsageBook;
  readonly accountTokens: AccountTokens;
  /** Closes the store too. */
  readonly stop: () => Promise<void>;
}

const HEARTBEAT_MS = 10_000;

export async function startPlaneCore(options: PlaneCoreOptions): Promise<PlaneCore> {
  const { store, logger, version, nowText, wallNow, monotonicNow, caCertificate } = options;
  await createSystemNamespaces(store, nowText());
  await restoreNamespaceDefaults(store, caCertificate, nowText());
  await restoreSystemPriorities(store, nowText());

  const onFailure = (loop: string) => (error: unknown, retryInMs: number) =>
    logger.error({ err: error, loop, retryInMs }, `the ${loop} loop failed; it goes on in ${retryInMs} ms`);
  const fleet = createFleet(monotonicNow);
  const recorder = createEventRecorder(store, nowText, (error, input) =>
    logger.warn({ err: error, reason: input.reason }, 'an event could not be written'),
  );
  const bodies = createBodyBook();
  const grants = openGrantBook(store);
  const records = openRolloutRecords(store);
  const snapshots = await openConfigSnapshots(store, bodies);
  const rollout = startRolloutLoop({
    store,
    fleet,
    bodies,
    grants,
    records,
    snapshots,
    recorder,
    api: options.apiEndpoint,
    nowText,
    monotonicNow,
    onFailure: onFailure('rollout'),
  });
  const podsOf = followPodsByNode(store);
  const accountTokens = createAccountTokens({
    store,
    keys: options.tokenKeys,
    wallNow,
    isUnheard: (node) => fleet.get(node)?.report === undefined,
  });
  const podTokens = createPodTokens({ store, fleet, podsOf, tokens: accountTokens });
  const intake = createReportIntake({
    store,
    fleet,
    recorder,
    podsOf,
    nowText,
    onTaken: (node) => {
      podTokens.reported(node);
      rollout.touchNode(node);
    },
    onFailure: (error, node) => logger.error({ err: error, node }, 'a report could not be taken in'),
  });
  const usage = createUsageBook({ fleet, monotonicNow, nowText });
  const leases = createNodeLeases({
    store,
    fleet,
    monotonicNow,
    wallNow,
    onFailure: (error, node) => logger.warn({ err: error, node }, 'the lease of a node could not be renewed'),
  });
  const sessions = createSyncSessions({
    store,
    leases,
    fleet,
    usage,
    prePulls: rollout.prePulls,
    podTokens,
    intake,
    bodies,
    recorder,
    version,
    heartbeatMs: Math.min(HEARTBEAT_MS, Math.floor(options.nodeMonitorGraceMs / 4)),
    monotonicNow,
    onHello: (node, { held }) => rollout.connected(node, held),
    onPresence: (node) => {
      const connected = fleet.get(node)?.session !== undefined;
      logger.info({ node }, connected ? 'agent connected' : 'agent disconnected');
      rollout.touchNode(node);
    },
    onRefusal: (node, why) => logger.warn({ node }, why),
  });
  const objects = createObjects(withEventView(store), createEffects(store, caCertificate), nowText);
  const lifecycle = startNodeLifecycle({
    store,
    fleet,
    podsOf,
    recorder,
    graceMs: options.nodeMonitorGraceMs,
    monotonicNow,
    nowText,
    onLost: (nodeName) => rollout.touchNode(nodeName),
    onFailure: onFailure('node lifecycle'),
  });
  const namespaces = startNamespaceLoop({
    store,
    objects,
    kinds: SERVED_KINDS,
    nowText,
    onFailure: onFailure('namespace'),
  });
  const defaults = startNamespaceDefaults(store, caCertificate, nowText, onFailure('namespace default'));
  const endpoints = startEndpointsLoop({ store, nowText, onFailure: onFailure('endpoints') });
  const accountSecrets = startAccountSecretsLoop({
    store,
    objects,
    tokens: accountTokens,
    caCertificate,
    onFailure: onFailure('account secret'),
  });
  const garbage = startGarbageLoop({ store, objects, onFailure: onFailure('garbage') });
  const forget = async (node: string) => {
    await intake.forget(node);
    // Who deleted a pod of it, or granted it something, in the moment of its removal wrote that after it.
    if (!nodeRecord(store, node)) await store.commit(leftoversOfNode(store, node));
  };
  const forgetAll = (nodes: Iterable<string>) => {
    for (const node of nodes)
      forget(node).catch((error: unknown) =>
        logger.error({ err: error, node }, 'something of a removed node stays'),
      );
  };
  // A plane that was killed while it forgot a node goes on with it.
  forgetAll(nodesThatAreNoMore(store));
  const removals = store.watch('core/nodes', store.version(), ({ id, value }) => {
    if (value !== undefined) return;
    const message = `node ${id} was removed from the fleet (kubectl delete node)`;
    const session = fleet.get(id)?.session;
    session?.send({ $case: 'removed', value: { message } });
    session?.end(status.PERMISSION_DENIED, message);
    fleet.forget(id);
    forgetAll([id]);
  });

  return {
    fleet,
    grants,
    records,
    rollout,
    sessions,
    objects,
    usage,
    accountTokens,
    stop: async () => {
      if (removals !== 'expired') removals.close();
      recorder.close();
      intake.close();
      const loops = [rollout, lifecycle, namespaces, defaults, endpoints, accountSecrets, garbage];
      await Promise.all(loops.map((loop) => loop.stop()));
      await store.close();
    },
  };
}

function nodesThatAreNoMore(store: Store): ReadonlySet<string> {
  const named = [
    ...[...store.list('core/pods')].map(({ value }) => (value.spec as { nodeName?: string })?.nodeName),
    ...[GRANTS, TOMBSTONES].flatMap((kept) => [...store.list(kept)].map(({ value }) => String(value.node))),
  ];
  return new Set(named.filter((name) => name !== undefined && !nodeRecord(store, name)) as string[]);
}

async function createSystemNamespaces(store: Store, nowText: string): Promise<void> {
  const missing = SYSTEM_NAMESPACES.filter((name) => !store.get('core/namespaces', name));
  if (missing.length === 0) return;
  await store.commit(
    missing.map((name) => ({
      collection: 'core/namespaces',
      id: name,
      value: {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: {
          name,
          uid: randomUUID(),
          creationTimestamp: nowText,
          labels: { 'kubernetes.io/metadata.name': name },
        },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      },
      durable: true,
    })),
  );
}
