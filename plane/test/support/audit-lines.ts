// The audit log of a test: its lines as they are in the file.
import { existsSync, readFileSync } from 'node:fs';
import type { Json } from './api-client.ts';
import { until } from './until.ts';

export interface AuditLines {
  readonly all: () => Json[];
  /** The first that fits and was not taken yet, once it is there. */
  readonly next: (what: string, fits: (event: Json) => boolean) => Promise<Json>;
}

export function auditLines(path: string): AuditLines {
  const taken = new Set<number>();
  const all = () =>
    existsSync(path)
      ? readFileSync(path, 'utf8')
          .split('\n')
          // What follows the last end of a line is still being written.
          .slice(0, -1)
          .map((line) => JSON.parse(line))
      : [];
  return {
    all,
    next: (what, fits) =>
      until(`audit: ${what}`, () => {
        const events = all();
        const index = events.findIndex((event, at) => !taken.has(at) && fits(event));
        if (index < 0) return undefined;
        taken.add(index);
        return events[index];
      }),
  };
}
