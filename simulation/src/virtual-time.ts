// One clock and one queue for everything that happens in a run. What dies has no more turns.
import type { Dice } from './dice.ts';
import { type Program, runAs } from './program.ts';

export interface Turn {
  readonly at: number;
  readonly order: number;
  readonly program: Program;
  /** Absent: cancelled, or done. */
  run: (() => void) | undefined;
}

export interface VirtualTime {
  /** Milliseconds since the run began. */
  readonly now: () => number;
  readonly dice: Dice;
  /** For salts and keys: how many bytes are taken changes nothing else. */
  readonly secrets: Dice;
  /** Calls back in the program's name, if it lives then. */
  readonly after: (ms: number, program: Program, run: () => void) => Turn;
  /** Lets everything happen that happens up to this instant; or until `stop` says so. */
  readonly runUntil: (at: number, stop?: () => boolean) => Promise<void>;
  readonly turns: () => number;
}

/** Node's own: while a run goes on, the global one is the run's. */
const { setImmediate } = globalThis;
const { nextTick } = process;

const REAL_TURN_EVERY = 20;
const realTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
/** Ticks come after all promises; the second one after those that the first ones settled. */
const allThatFollows = () => new Promise<void>((resolve) => nextTick(() => nextTick(resolve)));

export function createVirtualTime(
  dice: Dice,
  secrets: Dice,
  onThrow: (error: unknown, program: Program) => void,
): VirtualTime {
  const queue = createQueue();
  let now = 0;
  let order = 0;
  let turns = 0;
  return {
    now: () => now,
    dice,
    secrets,
    turns: () => turns,
    after: (ms, program, run) => {
      order += 1;
      const turn: Turn = { at: now + ms, order, program, run };
      queue.put(turn);
      return turn;
    },
    runUntil: async (at, stop) => {
      for (let turn = queue.takeUpTo(at); turn; turn = queue.takeUpTo(at)) {
        const { run, program } = turn;
        if (!run || !program.alive) continue;
        turn.run = undefined;
        now = Math.max(now, turn.at);
        turns += 1;
        try {
          runAs(program, run);
        } catch (error) {
          onThrow(error, program);
        }
        // All that follows without waiting for anything else; Node tells of unhandled rejections in the real turn only.
        await (turns % REAL_TURN_EVERY === 0 ? realTurn() : allThatFollows());
        if (stop?.()) return;
      }
      await realTurn();
      now = Math.max(now, at);
    },
  };
}

/** A heap: the earliest first, and of one instant the one that was put first. */
function createQueue() {
  const heap: Turn[] = [];
  const isBefore = (a: Turn, b: Turn): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
  const sink = (turn: Turn) => {
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (!left) break;
      if (right && isBefore(right, left)) child += 1;
      const smaller = heap[child] as Turn;
      if (!isBefore(smaller, turn)) break;
      heap[index] = smaller;
      index = child;
    }
    heap[index] = turn;
  };
  return {
    put: (turn: Turn) => {
      let index = heap.push(turn) - 1;
      while (index > 0) {
        const parent = (index - 1) >> 1;
        const above = heap[parent] as Turn;
        if (!isBefore(turn, above)) break;
        heap[index] = above;
        index = parent;
      }
      heap[index] = turn;
    },
    takeUpTo: (at: number): Turn | undefined => {
      const first = heap[0];
      if (!first || first.at > at) return undefined;
      const last = heap.pop() as Turn;
      if (heap.length > 0) sink(last);
      return first;
    },
  };
}
