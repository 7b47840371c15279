// The machine of the plane: the real core over the real store, on a file that outlives it. A plane that is killed leaves
// what SQLite had on the disk at that moment, and the next one begins from there.
import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { newTokenKey, readTokenKey } from '@fleetset/plane/authentication/json-web-token';
import { type PlaneCore, startPlaneCore } from '@fleetset/plane/plane-core';
import { openSqliteStore } from '@fleetset/plane/store/sqlite-store';
import type { Store } from '@fleetset/plane/store/store';
import { serveSync } from '@fleetset/plane/sync/serve-sync';
import { utcText } from '@fleetset/scheduler-core/utc-text';
import type { Logger } from 'pino';
import type { Listener } from './network.ts';
import { mayAct, newProgram, type Program, runAs, wallTime } from './program.ts';
import type { VirtualTime } from './virtual-time.ts';

const TOKEN_KEYS = [readTokenKey(newTokenKey())] as const;

export interface RunningPlane {
  readonly core: PlaneCore;
  readonly store: Store;
}

export interface PlaneHost {
  /** Undefined while it is away or has not begun its work. */
  readonly now: () => RunningPlane | undefined;
  readonly isStarted: () => boolean;
  readonly listener: () => Listener | undefined;
  readonly start: () => void;
  /** At once, or before its next effect but so many. */
  readonly kill: (afterEffects?: number) => void;
  /** As systemd stops it: what it knows is written down. */
  readonly stop: (onStopped: () => void) => void;
  /** A kill that is to come does not. */
  readonly defuse: () => void;
  readonly moveClock: (byMs: number) => void;
  /** What its wall clock says. */
  readonly wallNow: () => number;
  readonly close: () => void;
}

export interface PlaneHostParts {
  readonly directory: string;
  readonly time: VirtualTime;
  readonly graceMs: number;
  readonly keyHashOf: (nodeName: string) => string;
  readonly loggerOf: (program: Program) => Logger;
  readonly onStarted: (plane: RunningPlane) => void;
  readonly onGone: () => void;
  readonly onFailure: (error: unknown, program: Program) => void;
}

export function createPlaneHost(parts: PlaneHostParts): PlaneHost {
  const { time } = parts;
  let lives = 0;
  let skewMs = 0;
  let program: Program | undefined;
  let store: Store | undefined;
  let plane: RunningPlane | undefined;
  const path = () => join(parts.directory, `plane-${lives}.db`);

  const begin = async (born: Program) => {
    const logger = parts.loggerOf(born);
    const opened = openSqliteStore(path(), (error) => {
      if (born.alive) parts.onFailure(error, born);
    });
    store = opened;
    const guarded: Store = {
      ...opened,
      commit: (writes) => (mayAct(born) ? opened.commit(writes) : new Promise(() => {})),
    };
    const core = await startPlaneCore({
      store: guarded,
      nodeMonitorGraceMs: parts.graceMs,
      version: '0',
      logger,
      nowText: () => utcText(Date.now()),
      wallNow: () => Date.now(),
      monotonicNow: () => performance.now(),
      caCertificate: 'of the run',
      tokenKeys: { all: () => TOKEN_KEYS },
      apiEndpoint: () => ({ host: '192.0.2.1', port: 6443 }),
    });
    plane = { core, store: opened };
    parts.onStarted(plane);
  };

  const bury = (isLast = false) => {
    const [dead, left] = [program, store];
    if (!dead) return;
    dead.alive = false;
    program = undefined;
    plane = undefined;
    store = undefined;
    const before = path();
    lives += 1;
    for (const suffix of isLast ? [] : ['', '-wal'])
      if (existsSync(before + suffix)) copyFileSync(before + suffix, path() + suffix);
    // Nothing of this reaches the file that the next one has.
    if (left) runAs(dead, () => void left.close().catch(() => {}));
    parts.onGone();
  };

  return {
    now: () => plane,
    isStarted: () => program !== undefined,
    listener: () => {
      const [serving, to] = [plane, program];
      if (!serving || !to) return undefined;
      return {
        program: to,
        serve: (call, nodeName) =>
          serveSync(
            call,
            { nodeName, keyHash: parts.keyHashOf(nodeName) },
            { sessions: serving.core.sessions, onFailure: (error) => parts.onFailure(error, to) },
          ),
      };
    },
    start: () => {
      if (program) return;
      const born = newProgram(`plane#${lives}`, time, () => skewMs);
      program = born;
      time.after(0, born, () => {
        begin(born).catch((error: unknown) => parts.onFailure(error, born));
      });
    },
    kill: (afterEffects = 0) => {
      if (!program) return;
      if (afterEffects === 0) bury();
      else program.fuse = { left: afterEffects, onEnd: () => bury() };
    },
    defuse: () => {
      if (program) program.fuse = undefined;
    },
    stop: (onStopped) => {
      const [stopping, ending] = [plane, program];
      if (!stopping || !ending) return;
      time.after(0, ending, () => {
        const buried = () => {
          if (program !== ending) return;
          bury();
          onStopped();
        };
        for (const { session } of stopping.core.fleet.all()) session?.end(14, 'the plane is stopping');
        stopping.core.stop().then(buried, (error: unknown) => {
          parts.onFailure(error, ending);
          buried();
        });
      });
    },
    moveClock: (byMs) => {
      skewMs += byMs;
    },
    wallNow: () => wallTime({ time, wallSkewMs: () => skewMs }),
    close: () => bury(true),
  };
}
