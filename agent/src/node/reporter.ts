// Sends the report when it is new: changes that come together become one, and what is unchanged is not sent again. It
// tells of every pod, so many that start at once must not make one each.
import type { NodeReport } from '@fleetset/proto/gen/fleetset/v1/node';
import { NodeReport as NodeReportCodec } from '@fleetset/proto/gen/fleetset/v1/node';
import { createPacer } from '../pacer.ts';
import { withinTimer } from '../timer-limit.ts';
import type { AgentEvents } from './agent-events.ts';
import type { BuiltReport } from './build-report.ts';

const COALESCE_MS = 5;
/** Much is about to change: the engine has use for the processor, and what comes of it is told together. The more of it,
 *  the longer each report takes, here and on the plane. */
const BUSY_COALESCE = { first: 150, each: 10, most: 600 };
const coalesceMs = (busy: number): number =>
  busy === 0
    ? COALESCE_MS
    : Math.min(BUSY_COALESCE.first + (busy - 1) * BUSY_COALESCE.each, BUSY_COALESCE.most);

const REPORTS = { share: 1 / 10, creditMs: 60, mostRestMs: 500 };
const SETTLE_POLL_MS = 50;
/** What ran before the agent did is asked how it is before the first report; but not for ever. */
const SETTLE_LIMIT_MS = 5000;

export interface ReporterParts {
  readonly build: () => BuiltReport;
  readonly events: AgentEvents;
  readonly settled: () => boolean;
  /** How much is under way whose end is a change of its own, where some of it was begun a moment ago. */
  readonly busy: () => number;
  readonly listening: () => boolean;
  readonly send: (report: NodeReport) => void;
  readonly onFailure: (error: unknown) => void;
}

export interface Reporter {
  readonly changed: () => void;
  /** What is so now cannot wait for a rest. */
  readonly soon: () => void;
  /** A new listener, who knows nothing. */
  readonly connected: () => void;
  /** What was to be sent after a rest is sent. */
  readonly stop: () => void;
}

export function createReporter(parts: ReporterParts): Reporter {
  const startedAt = performance.now();
  let sent: Buffer | undefined;
  const restAfter = createPacer(REPORTS);
  let restUntil = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = 0;
  let later: NodeJS.Timeout | undefined;
  let stopped = false;

  /** What is due already stays so: it is not put off again and again. */
  const schedule = (delayMs: number) => {
    if (stopped) return;
    const at = performance.now() + delayMs;
    if (timer !== undefined && dueAt <= at) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(run, delayMs);
  };

  const soon = () => schedule(0);

  const run = () => {
    timer = undefined;
    const beganAt = performance.now();
    if (!parts.settled() && beganAt - startedAt < SETTLE_LIMIT_MS) return schedule(SETTLE_POLL_MS);
    try {
      const { report, againInMs } = parts.build();
      clearTimeout(later);
      if (againInMs !== undefined) later = setTimeout(soon, withinTimer(againInMs));
      // Made all the same: it notes since when each pod is ready.
      if (!parts.listening()) return;
      const content = Buffer.from(NodeReportCodec.encode(report).finish());
      if (sent?.equals(content) && !parts.events.waiting()) return;
      parts.send({ ...report, events: parts.events.take() });
      sent = content;
    } catch (error) {
      parts.onFailure(error);
    } finally {
      const endedAt = performance.now();
      restUntil = endedAt + restAfter(beganAt, endedAt);
    }
  };

  return {
    changed: () => schedule(Math.max(coalesceMs(parts.busy()), restUntil - performance.now())),
    soon,
    connected: () => {
      sent = undefined;
      parts.events.repeat();
      soon();
    },
    stop: () => {
      clearTimeout(timer);
      if (timer !== undefined && !stopped) run();
      stopped = true;
      clearTimeout(timer);
      clearTimeout(later);
    },
  };
}
