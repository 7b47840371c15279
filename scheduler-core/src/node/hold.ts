// A local hold: somebody on a node asks that what runs there is left alone for a while. It has an owner and always an
// end, so that nothing stays locked.
import type { MachineTime } from './ready-since.ts';

export interface Hold {
  readonly owner: string;
  readonly reason: string;
  readonly forMs: number;
  /** By the wall clock, in milliseconds. */
  readonly setAt: number;
  /** By the machine's own clock; absent when whoever set it could not tell. */
  readonly machine?: MachineTime;
}

export const LONGEST_HOLD_MS = 7 * 24 * 3_600_000;
const LONGEST_OWNER = 63;
const LONGEST_REASON = 256;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** What is wrong with it, naming the field. */
export function holdProblem({ owner, reason, forMs }: Pick<Hold, 'owner' | 'reason' | 'forMs'>) {
  const textProblem = (name: string, text: string, longest: number) =>
    text.trim() === ''
      ? `${name} is missing`
      : text.length > longest
        ? `${name} is longer than ${longest} characters`
        : UNPRINTABLE.test(text)
          ? `${name} has characters that cannot be shown in a line`
          : undefined;
  return (
    textProblem('owner', owner, LONGEST_OWNER) ??
    textProblem('reason', reason, LONGEST_REASON) ??
    (forMs > 0 && forMs <= LONGEST_HOLD_MS
      ? undefined
      : `for must be more than 0 and at most ${LONGEST_HOLD_MS / 3_600_000}h`)
  );
}

/**
 * How much of it is left, 0 when it is over. In the life of the machine in which it was set, by the machine's own clock,
 * which nobody can set. In a later one by the wall clock, and never more than if it had been set when the machine started.
 */
export function holdLeftMs(
  { forMs, setAt, machine }: Hold,
  now: { readonly wallMs: number; readonly machine: MachineTime },
): number {
  const sameLife = machine !== undefined && machine.bootId !== '' && machine.bootId === now.machine.bootId;
  const since = sameLife
    ? now.machine.upMs - machine.upMs
    : machine === undefined
      ? now.wallMs - setAt
      : Math.max(now.wallMs - setAt, now.machine.upMs);
  return Math.max(0, forMs - Math.max(0, since));
}

/** As a node tells it. */
export interface HoldShown {
  readonly owner: string;
  readonly reason: string;
  readonly until: string;
}

/** Told on many pages: nobody's hold fills them. */
const LONGEST_TEXT = 1000;

/** In one sentence; undefined when nobody holds. */
export const holdText = (holds: readonly HoldShown[]): string | undefined =>
  holds.length === 0
    ? undefined
    : holds
        .map(({ owner, reason, until }) => `held by ${owner} until ${until}: ${reason}`)
        .join('; ')
        .slice(0, LONGEST_TEXT);
