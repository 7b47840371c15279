// A program of the run: a plane, an agent, a machine's engine. It uses Node's own timers, clocks and random numbers, and
// while it runs these are the run's. It can be killed between any two of its effects on the world.
import { AsyncLocalStorage } from 'node:async_hooks';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { Turn, VirtualTime } from './virtual-time.ts';

export interface Program {
  readonly name: string;
  readonly time: VirtualTime;
  /** Its steady clock counts from there. */
  readonly startedAt: number;
  /** How far its machine's wall clock is from the true time. */
  readonly wallSkewMs: () => number;
  alive: boolean;
  /** It dies before its next effect but so many. */
  fuse: { left: number; readonly onEnd: () => void } | undefined;
}

export const newProgram = (name: string, time: VirtualTime, wallSkewMs = () => 0): Program => ({
  name,
  time,
  startedAt: time.now(),
  wallSkewMs,
  alive: true,
  fuse: undefined,
});

const running = new AsyncLocalStorage<Program>();

/** At once, in the program's name; what it waits for goes on in its name too. */
export const runAs = <T>(program: Program, run: () => T): T => running.run(program, run);

/** Outside of any program: what it does is done by the real clock. */
export const runOutside = <T>(run: () => T): T => running.exit(run);

export function currentProgram(): Program {
  const program = running.getStore();
  if (!program) throw new Error('no program of the run is running');
  return program;
}

/** Asked before each effect on the world outside the program: what is dead has none. */
export function mayAct(program: Program): boolean {
  const { fuse } = program;
  if (program.alive && fuse) {
    fuse.left -= 1;
    if (fuse.left < 0) {
      program.fuse = undefined;
      fuse.onEnd();
    }
  }
  return program.alive;
}

const START = Date.parse('2024-05-06T07:00:00Z');
export const wallTime = ({ time, wallSkewMs }: Pick<Program, 'time' | 'wallSkewMs'>): number =>
  Math.floor(START + time.now() + wallSkewMs());

const LONGEST_MS = 2 ** 31 - 1;

class Timeout {
  readonly program: Program;
  readonly run: () => void;
  readonly ms: number;
  readonly repeats: boolean;
  turn: Turn | undefined;

  constructor(program: Program, run: () => void, ms: number, repeats: boolean) {
    this.program = program;
    this.run = run;
    this.ms = ms >= 1 && ms <= LONGEST_MS ? Math.trunc(ms) : 1;
    this.repeats = repeats;
    this.set();
  }

  set(): void {
    const { program, run, ms } = this;
    if (!program.alive) return;
    // A timer is late, never early; mostly not by much.
    this.turn = program.time.after(ms + program.time.dice.next(), program, () => {
      if (this.repeats) this.set();
      run();
    });
  }

  cancel(): void {
    if (this.turn) this.turn.run = undefined;
  }

  refresh(): this {
    this.cancel();
    this.set();
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

type Callback = (...args: never[]) => void;
const bound = (run: Callback, args: readonly unknown[]): (() => void) =>
  args.length === 0 ? (run as () => void) : () => run(...(args as never[]));

/** Replaces what Node offers for as long as the process lives; code outside of a run notices nothing. */
function install(): void {
  const native = { Date: globalThis.Date, now: performance.now.bind(performance) };
  const { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate } = globalThis;
  const { randomUUID, randomInt, randomBytes } = crypto;
  const { random } = Math;
  const timer =
    (real: (run: Callback, ms?: number, ...args: unknown[]) => unknown, repeats: boolean) =>
    (run: Callback, ms = 0, ...args: unknown[]) => {
      const program = running.getStore();
      return program ? new Timeout(program, bound(run, args), ms, repeats) : real(run, ms, ...args);
    };
  const clear = (real: (timer: never) => void) => (handle: unknown) =>
    handle instanceof Timeout ? handle.cancel() : real(handle as never);
  const immediate = (run: Callback, ...args: unknown[]) => {
    const program = running.getStore();
    return program ? program.time.after(0, program, bound(run, args)) : setImmediate(bound(run, args));
  };
  const wall = (): number => {
    const program = running.getStore();
    return program ? wallTime(program) : native.Date.now();
  };
  function VirtualDate(...args: []): unknown {
    return args.length === 0 ? new native.Date(wall()) : new native.Date(...args);
  }
  Object.assign(globalThis, {
    setTimeout: timer(setTimeout as never, false),
    setInterval: timer(setInterval as never, true),
    setImmediate: immediate,
    clearTimeout: clear(clearTimeout as never),
    clearInterval: clear(clearInterval as never),
    clearImmediate: clear(clearImmediate as never),
    Date: Object.assign(VirtualDate, {
      prototype: native.Date.prototype,
      now: wall,
      parse: native.Date.parse,
      UTC: native.Date.UTC,
    }),
  });
  performance.now = () => {
    const program = running.getStore();
    return program ? program.time.now() - program.startedAt : native.now();
  };
  Math.random = () => running.getStore()?.time.dice.next() ?? random();
  Object.assign(crypto, {
    randomUUID: () => {
      const program = running.getStore();
      return program ? uuidFrom(program.time.dice.next) : randomUUID();
    },
    randomBytes: (size: number) => {
      const program = running.getStore();
      if (!program) return randomBytes(size);
      return Buffer.from(Array.from({ length: size }, () => program.time.secrets.int(0, 255)));
    },
    randomInt: (from: number, to?: number) => {
      const program = running.getStore();
      if (!program) return to === undefined ? randomInt(from) : randomInt(from, to);
      return to === undefined ? program.time.dice.int(0, from - 1) : program.time.dice.int(from, to - 1);
    },
  });
  syncBuiltinESMExports();
}

function uuidFrom(next: () => number): string {
  const word = () =>
    Math.floor(next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  const [a, b, c, d] = [word(), word(), word(), word()];
  return `${a}-${b.slice(0, 4)}-4${b.slice(5)}-8${c.slice(1, 4)}-${c.slice(4)}${d}`;
}

install();
