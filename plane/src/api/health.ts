// /healthz, /livez and /readyz, as kube-apiserver answers them: one word, or with ?verbose a line for each check. What
// failed and why is for the log: anybody may ask.
import type { ServerResponse } from 'node:http';
import { notFoundPath } from './api-error.ts';
import { sendBytes } from './respond.ts';

export interface HealthCheck {
  readonly name: string;
  readonly isWell: () => boolean;
}

/** `live`: that it works at all. `ready`: these, and that clients are to come. */
export interface HealthChecks {
  readonly live: readonly HealthCheck[];
  readonly ready: readonly HealthCheck[];
}

const PING: HealthCheck = { name: 'ping', isWell: () => true };

/** False when the path is another. */
export function serveHealth(url: URL, response: ServerResponse, { live, ready }: HealthChecks): boolean {
  const [, path = '', , only] = /^\/(healthz|livez|readyz)(\/([^/]+))?\/?$/.exec(url.pathname) ?? [];
  if (path === '') return false;
  const checks = [PING, ...live, ...(path === 'livez' ? [] : ready)];
  const named = checks.filter(({ name }) => only === undefined || name === only);
  if (named.length === 0) throw notFoundPath();
  const { isWell, text } =
    only === undefined ? judge(path, named, url.searchParams) : judgeOne(named.every((one) => one.isWell()));
  response.setHeader('X-Content-Type-Options', 'nosniff');
  sendBytes(response, isWell ? 200 : 500, 'text/plain; charset=utf-8', Buffer.from(text));
  return true;
}

interface Answer {
  readonly isWell: boolean;
  readonly text: string;
}

const judgeOne = (isWell: boolean): Answer => ({
  isWell,
  text: isWell ? 'ok' : 'internal server error: reason withheld\n',
});

/** What failed is always told; what is well only with `verbose`. */
function judge(path: string, checks: readonly HealthCheck[], query: URLSearchParams): Answer {
  const excluded = new Set(query.getAll('exclude'));
  let isWell = true;
  const lines = checks.map((check) => {
    if (excluded.has(check.name)) return `[+]${check.name} excluded: ok\n`;
    if (check.isWell()) return `[+]${check.name} ok\n`;
    isWell = false;
    return `[-]${check.name} failed: reason withheld\n`;
  });
  const strangers = [...excluded].filter((name) => !checks.some((check) => check.name === name));
  if (strangers.length > 0) {
    const names = strangers.map((name) => JSON.stringify(name)).join(',');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}\n`);
  }
  if (isWell && !query.has('verbose')) return { isWell, text: 'ok' };
  return { isWell, text: `${lines.join('')}${path} check ${isWell ? 'passed' : 'failed'}\n` };
}
