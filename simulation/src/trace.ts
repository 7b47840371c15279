// What happened in a run, line by line, for people; and what was found to be wrong.
import type { Logger } from 'pino';
import type { Program } from './program.ts';

export interface Trace {
  /** `who` does or says something. */
  readonly note: (who: string, what: string) => void;
  /** Only of a whole trace. */
  readonly detail: (who: string, what: string) => void;
  /** A law was broken: the run ends. */
  readonly break: (law: string, what: string) => void;
  readonly broken: () => { readonly law: string; readonly what: string } | undefined;
  readonly lines: () => readonly string[];
  readonly loggerOf: (program: Program) => Logger;
}

const KEPT_LINES = 400;

/** `whole`: every line is kept, and what agents and planes log about their work too. */
export function createTrace(now: () => number, whole: boolean): Trace {
  let lines: string[] = [];
  let broken: { readonly law: string; readonly what: string } | undefined;
  const note = (who: string, what: string) => {
    lines.push(`${(now() / 1000).toFixed(3).padStart(9)}  ${who.padEnd(18)} ${what}`);
    if (!whole && lines.length > 2 * KEPT_LINES) lines = lines.slice(-KEPT_LINES);
  };
  const trace: Trace = {
    note,
    detail: (who, what) => {
      if (whole) note(who, what);
    },
    break: (law, what) => {
      note('BROKEN', `${law}: ${what}`);
      broken ??= { law, what };
    },
    broken: () => broken,
    lines: () => lines,
    loggerOf: (program) => {
      const say =
        (level: string) =>
        (first: unknown, text = '') => {
          if (program.alive) note(program.name, `${level} ${textOf(first, text)}`);
        };
      const silent = () => {};
      const logger = {
        error: (first: unknown, text = '') => {
          if (!program.alive) return;
          const told = textOf(first, text);
          note(program.name, `ERROR ${told}`);
          if (!isExpected(told)) trace.break('nothing fails', `${program.name}: ${told}`);
        },
        warn: say('warn'),
        info: whole ? say('info') : silent,
        debug: whole ? say('debug') : silent,
      };
      return logger as unknown as Logger;
    },
  };
  return trace;
}

/** Errors that are the right answer to a fault of the run. */
const EXPECTED = [/^desired state refused/, /^the removal is not on disk/, /ENOSPC/];
const isExpected = (text: string): boolean => EXPECTED.some((pattern) => pattern.test(text));

function textOf(first: unknown, text: string): string {
  if (typeof first === 'string') return first;
  const { err, action, ...rest } = first as { err?: Error; action?: object };
  const about = [
    ...(err ? [err.stack?.split('\n').slice(0, 4).join(' | ') ?? String(err)] : []),
    ...(action ? [JSON.stringify(action)] : []),
    ...(Object.keys(rest).length > 0 ? [JSON.stringify(rest)] : []),
  ];
  return [text, ...about].join('  ');
}
