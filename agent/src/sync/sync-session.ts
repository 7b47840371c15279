// Keeps one stream to the plane open: says hello, takes what it is told, sends reports and heartbeats, and dials
// again when it breaks. The plane being away is the normal case that nothing else notices.
import type {
  Bodies,
  Generation,
  Held,
  NodeDesired,
  NodeReport,
  OpenTunnel,
  PrePull,
  PrePullState,
  TokenIssued,
  TokenWanted,
  Usage,
} from '@fleetset/proto/gen/fleetset/v1/node';
import { DesiredRefused_Reason } from '@fleetset/proto/gen/fleetset/v1/node';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { bodiesOf } from '../node/desired-state.ts';
import { BadBody, type BodyFiles } from '../state/body-files.ts';
import type { DesiredFile, Refusal } from '../state/desired-file.ts';
import { withinTimer } from '../timer-limit.ts';
import { errorOf, isRefusal, type PlaneClient, type SyncStream } from './plane-client.ts';

const PROTOCOL = 1;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 4_000;
/** A plane that says no is asked again, rarely: an operator may mend it there. */
const REFUSED_RETRY_MS = 30_000;
const STORE_RETRY_MS = 5000;

export interface SyncSessionParts {
  readonly client: PlaneClient;
  readonly desired: DesiredFile;
  readonly bodies: BodyFiles;
  readonly agentVersion: string;
  readonly instanceId: string;
  readonly machineId: string;
  readonly logger: Logger;
  /** Takes effect: it is on disk, with all its bodies. */
  readonly onDesired: (desired: NodeDesired) => Promise<void>;
  readonly onTunnel: (request: OpenTunnel) => void;
  readonly onToken?: (issued: TokenIssued) => void;
  /** Somebody wants to know what is used, for so long from now. */
  readonly onUsageWanted?: (forMs: number) => void;
  /** Images for later; none: no more. */
  readonly onPrePull?: (announced: PrePull) => void;
  /** An operator took this node out of the fleet. */
  readonly onRemoved: (message: string) => Promise<void>;
  /** The plane listens now: the whole report is wanted. */
  readonly onConnected: () => void;
  /** Its stream has ended. */
  readonly onDisconnected?: () => void;
}

export interface SyncSession {
  readonly report: (report: NodeReport) => void;
  readonly usage: (usage: Usage) => void;
  readonly prePullState: (state: PrePullState) => void;
  /** Lost when the stream ends before the answer comes. */
  readonly wantToken: (wanted: TokenWanted) => void;
  /** The plane listens. */
  readonly connected: () => boolean;
  readonly stop: () => void;
}

interface Told {
  readonly desired: NodeDesired;
  readonly received: Uint8Array | undefined;
}

export function startSyncSession(parts: SyncSessionParts): SyncSession {
  const { client, logger } = parts;
  let stream: SyncStream | undefined;
  let welcomed = false;
  let stopped = false;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  /** Told, but not yet in effect: bodies are missing, or the disk is full. */
  let pending: Told | undefined;
  let storeRetry: NodeJS.Timeout | undefined;
  /** On its way to the disk. */
  let offered: NodeDesired | undefined;

  const send = (message: Parameters<SyncStream['write']>[0]['message']) => void stream?.write({ message });
  const generation = (): Generation | undefined => parts.desired.current()?.generation;

  const lacking = (desired: NodeDesired): string[] =>
    [...bodiesOf(desired)].filter((hash) => !parts.bodies.get(hash));
  /** Bodies come by the stream of which they were asked: what lacks some is told anew. */
  const dropLacking = () => {
    if (!pending || lacking(pending.desired).length === 0) return;
    pending = undefined;
    clearTimeout(storeRetry);
  };
  const held = (): Held => {
    const { daemonSets = [] } = pending?.desired ?? offered ?? parts.desired.current() ?? {};
    return { revisions: Object.fromEntries(daemonSets.map(({ uid, revision }) => [uid, revision])) };
  };

  const open = () => {
    retry = undefined;
    dropLacking();
    const opened = client.sync();
    stream = opened;
    welcomed = false;
    opened.on('data', ({ message, desiredBytes }) => {
      if (!message || stream !== opened) return;
      switch (message.$case) {
        case 'welcome':
          return welcome(message.value.heartbeatMs, message.value.planeVersion);
        case 'desired':
          pending = { desired: message.value, received: desiredBytes };
          return void settlePending();
        case 'bodies':
          return takeInTurn(message.value);
        case 'openTunnel':
          return parts.onTunnel(message.value);
        case 'tokenIssued':
          return parts.onToken?.(message.value);
        case 'usageWanted':
          return parts.onUsageWanted?.(message.value.forMs);
        case 'prePull':
          return parts.onPrePull?.(message.value);
        case 'removed':
          pending = undefined;
          return void inTurn(() => parts.onRemoved(message.value.message));
      }
    });
    opened.on('error', (error) => ended(opened, error));
    opened.on('end', () => ended(opened, undefined));
    send({
      $case: 'hello',
      value: {
        protocol: PROTOCOL,
        agentVersion: parts.agentVersion,
        instanceId: parts.instanceId,
        machineId: parts.machineId,
        accepted: generation(),
        held: held(),
      },
    });
  };

  const welcome = (heartbeatMs: number, planeVersion: string) => {
    welcomed = true;
    failures = 0;
    logger.info({ planeVersion }, 'connected to the plane');
    clearInterval(heartbeat);
    heartbeat = setInterval(
      () => send({ $case: 'heartbeat', value: { generation: generation() } }),
      withinTimer(heartbeatMs || 10_000),
    );
    parts.onConnected();
  };

  const ended = (which: SyncStream, error: unknown) => {
    if (stream !== which) return;
    stream = undefined;
    clearInterval(heartbeat);
    parts.onDisconnected?.();
    if (stopped) return;
    const { code, message } =
      error === undefined ? { code: status.OK, message: 'the plane ended the stream' } : errorOf(error);
    const refused = isRefusal(code);
    const backOff = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
    // Spread out, so that a fleet does not come back all at once.
    const delayMs = Math.round((refused ? REFUSED_RETRY_MS : backOff) * (0.5 + Math.random()));
    failures = Math.min(failures + 1, 10);
    const text = refused
      ? `the plane refused this node: ${message}`
      : `no connection to the plane: ${message}`;
    if (refused || welcomed || failures <= 2) logger.warn({ retryInMs: delayMs }, text);
    else logger.debug({ retryInMs: delayMs }, text);
    welcomed = false;
    retry = setTimeout(open, delayMs);
  };

  const refuse = (desired: NodeDesired, { reason, message }: Refusal) => {
    logger.error({ generation: desired.generation, reason }, `desired state refused: ${message}`);
    send({
      $case: 'desiredRefused',
      value: { refused: desired.generation, accepted: generation(), reason, message },
    });
  };

  /** One at a time: each writes the same file. */
  let settling = Promise.resolve();
  const inTurn = (run: () => Promise<void>): Promise<void> => {
    settling = settling.then(run).catch((error: unknown) => {
      logger.error({ err: error }, 'what the plane told could not be put into effect');
    });
    return settling;
  };
  const settlePending = () => inTurn(settleOnce);

  const settleOnce = async () => {
    clearTimeout(storeRetry);
    const told = pending;
    if (!told) return;
    const { desired, received } = told;
    const missing = lacking(desired);
    if (missing.length > 0) {
      send({ $case: 'bodiesWanted', value: { hashes: missing } });
      return;
    }
    offered = desired;
    const refusal = await parts.desired.offer(desired, received).finally(() => {
      offered = undefined;
    });
    const newest = pending === told;
    if (!refusal) {
      if (newest) pending = undefined;
      // Accepted is in effect, also when a newer one came meanwhile: that one may be refused.
      return parts.onDesired(desired);
    }
    if (!newest) return;
    refuse(desired, refusal);
    if (refusal.reason === DesiredRefused_Reason.REASON_NOT_STORED) retryStoring();
    else pending = undefined;
  };

  const retryStoring = () => {
    clearTimeout(storeRetry);
    storeRetry = setTimeout(() => void settlePending(), STORE_RETRY_MS);
  };

  /** In turn with what takes effect, which clears bodies away; and never one body twice at once. */
  const takeInTurn = (bodies: Bodies) => {
    const wantedBy = pending;
    void inTurn(() => takeBodies(bodies, wantedBy));
  };

  const takeBodies = async ({ bodies }: Bodies, wantedBy: Told | undefined) => {
    const desired = wantedBy?.desired;
    try {
      await parts.bodies.put(bodies);
    } catch (error) {
      const bad = error instanceof BadBody;
      const reason = bad ? DesiredRefused_Reason.REASON_BAD_BODY : DesiredRefused_Reason.REASON_NOT_STORED;
      if (desired) refuse(desired, { reason, message: (error as Error).message });
      if (!bad) retryStoring();
      else if (pending === wantedBy) pending = undefined;
      return;
    }
    // What the plane no longer has it will not send: a newer desired state is on its way.
    if (!desired || lacking(desired).length === 0) await settleOnce();
  };

  open();
  return {
    connected: () => welcomed,
    report: (report) => send({ $case: 'report', value: report }),
    wantToken: (wanted) => send({ $case: 'tokenWanted', value: wanted }),
    usage: (usage) => {
      if (welcomed) send({ $case: 'usage', value: usage });
    },
    prePullState: (state) => send({ $case: 'prePullState', value: state }),
    stop: () => {
      stopped = true;
      clearTimeout(retry);
      clearTimeout(storeRetry);
      clearInterval(heartbeat);
      stream?.end();
      client.close();
    },
  };
}
