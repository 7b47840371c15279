// The tokens that this node's pods have of their service accounts: asked of the plane when a pod needs one, asked again
// well before it ends, and kept for a boot without the plane.
import { createHash } from 'node:crypto';
import type { TokenIssued, TokenWanted } from '@fleetset/proto/gen/fleetset/v1/node';
import {
  renewAfterMs,
  type TokenLookup,
  type TokenRef,
  tokenKey,
} from '@fleetset/scheduler-core/node/account-tokens';
import { pause } from '../pause.ts';
import type { KeptToken, TokenFile } from '../state/token-file.ts';

export interface PodTokensParts {
  readonly file: TokenFile;
  readonly ask: (wanted: TokenWanted) => void;
  /** The plane listens. */
  readonly connected: () => boolean;
  readonly monotonicNow: () => number;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** What a pod has may have changed. */
  readonly onChange: () => void;
  /** The plane says why it gives none. */
  readonly onRefused: (podUid: string, why: string) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface PodTokens {
  /** What a pod may have now; what it lacks is asked for. */
  readonly of: (podUid: string) => TokenLookup;
  /** Equal texts, equal answers of `of`. */
  readonly stateOf: (podUid: string, ref: TokenRef) => string;
  /** Comes back when none of these is on its way any more, or that takes long. */
  readonly settled: (podUid: string, refs: readonly TokenRef[]) => Promise<void>;
  /** The node loop goes round: these pods are there, and no others. */
  readonly sync: (podUids: ReadonlySet<string>) => void;
  /** The plane listens, and knows nothing of what was asked before. */
  readonly connectedAnew: () => void;
  readonly issued: (answer: TokenIssued) => void;
  readonly stop: () => Promise<void>;
}

/** A pod waits so long for a plane that does not answer; then it starts without. */
const PATIENCE_MS = 10_000;
const AGAIN_MS = 5000;
/** A plane that is there answers sooner. */
const SOON_MS = 1000;
const LAZY_WRITE_MS = 500;

interface Entry {
  readonly podUid: string;
  readonly ref: TokenRef;
  readonly wantedAt: number;
  kept?: KeptToken;
  /** Of `kept`, to see that it changed. */
  id?: string;
  /** By the monotonic clock: when it came in this life of the agent. */
  cameAt?: number;
  /** 0 to 1: when in its time it is renewed. */
  readonly spread: number;
  /** Over the stream that is open now. */
  asked?: boolean;
  refused?: { readonly why: string; readonly at: number };
  /** Called when the plane has answered. */
  onAnswer?: (() => void)[];
}

export function createPodTokens(parts: PodTokensParts): PodTokens {
  const { monotonicNow, wallNow } = parts;
  const startedAt = monotonicNow();
  const entries = new Map<string, Entry>();
  const timers = new Set<NodeJS.Timeout>();
  let writeTimer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();
  let stopped = false;

  const keyOf = (podUid: string, ref: TokenRef) => `${podUid}/${tokenKey(ref)}`;

  const add = (podUid: string, ref: TokenRef): Entry => {
    const entry: Entry = { podUid, ref, wantedAt: monotonicNow(), spread: Math.random() };
    entries.set(keyOf(podUid, ref), entry);
    return entry;
  };

  for (const kept of parts.file.found) {
    const { podUid, audience, expirationSeconds } = kept;
    Object.assign(add(podUid, { audience, expirationSeconds }), { kept, id: idOf(kept.token) });
  }

  const wakeIn = (delayMs: number) => {
    if (stopped) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      parts.onChange();
    }, delayMs);
    timers.add(timer);
  };

  const isDue = ({ kept, cameAt, spread, refused }: Entry): boolean => {
    if (refused && monotonicNow() - refused.at < AGAIN_MS) return false;
    if (!kept) return true;
    const renewAt = renewAfterMs(kept.lifetimeMs, spread);
    // A machine that slept has only its wall clock to tell; one whose clock was set back only the other.
    const age = wallNow() - kept.issuedAt;
    return age < 0 || age >= renewAt || (cameAt !== undefined && monotonicNow() - cameAt >= renewAt);
  };

  const askFor = (entry: Entry) => {
    if (entry.asked || !parts.connected() || !isDue(entry)) return;
    entry.asked = true;
    parts.ask({ podUid: entry.podUid, ...entry.ref });
  };

  const want = (podUid: string, ref: TokenRef): Entry => {
    const known = entries.get(keyOf(podUid, ref));
    if (known) return known;
    const entry = add(podUid, ref);
    askFor(entry);
    wakeIn(PATIENCE_MS);
    return entry;
  };

  const found = (podUid: string, ref: TokenRef): ReturnType<TokenLookup> => {
    const { kept, refused, wantedAt } = want(podUid, ref);
    if (kept) return kept;
    if (refused) return 'untold';
    // An agent that has just started has not had the time to reach the plane.
    const since = parts.connected() ? wantedAt : Math.min(wantedAt, startedAt);
    return monotonicNow() - since < PATIENCE_MS ? 'untold' : 'none';
  };

  const write = () => {
    clearTimeout(writeTimer);
    writeTimer = undefined;
    const kept = [...entries.values()].flatMap((entry) => entry.kept ?? []);
    writing = writing.then(() => parts.file.write(kept)).catch(parts.onFailure);
    return writing;
  };
  const writeSoon = () => {
    writeTimer ??= setTimeout(() => void write(), LAZY_WRITE_MS);
  };

  return {
    of: (podUid) => (ref) => found(podUid, ref),
    stateOf: (podUid, ref) => {
      const now = found(podUid, ref);
      return typeof now === 'string' ? now : (entries.get(keyOf(podUid, ref))?.id ?? '');
    },
    settled: async (podUid, refs) => {
      const isUnderWay = (ref: TokenRef) => {
        const { kept, asked } = want(podUid, ref);
        return !kept && asked === true;
      };
      const answer = (ref: TokenRef) =>
        new Promise<void>((resolve) => {
          const entry = want(podUid, ref);
          entry.onAnswer = [...(entry.onAnswer ?? []), resolve];
        });
      const limit = new AbortController();
      const all = Promise.all(refs.filter(isUnderWay).map(answer));
      await Promise.race([all, pause(SOON_MS, limit.signal)]);
      limit.abort();
    },
    sync: (podUids) => {
      for (const [key, entry] of entries) {
        if (podUids.has(entry.podUid)) {
          askFor(entry);
          continue;
        }
        entries.delete(key);
        if (entry.kept) writeSoon();
      }
    },
    connectedAnew: () => {
      for (const entry of entries.values()) {
        delete entry.asked;
        askFor(entry);
      }
    },
    issued: ({ podUid, audience, expirationSeconds, token, lifetimeMs, failure }) => {
      const entry = entries.get(keyOf(podUid, { audience, expirationSeconds }));
      if (!entry) return;
      delete entry.asked;
      for (const tell of entry.onAnswer ?? []) tell();
      delete entry.onAnswer;
      if (failure !== '' || token === '') {
        entry.refused = { why: failure, at: monotonicNow() };
        parts.onRefused(podUid, failure);
        return wakeIn(AGAIN_MS);
      }
      delete entry.refused;
      entry.kept = { podUid, audience, expirationSeconds, token, issuedAt: wallNow(), lifetimeMs };
      entry.id = idOf(token);
      entry.cameAt = monotonicNow();
      writeSoon();
      parts.onChange();
    },
    stop: async () => {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      await (writeTimer ? write() : writing);
    },
  };
}

const idOf = (token: string): string => createHash('sha256').update(token).digest('hex').slice(0, 12);
