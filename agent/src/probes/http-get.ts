// One GET of a probe or a lifecycle hook, as kubelet sends it (rule 94).
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Probe } from '@fleetset/scheduler-core/schema/container';

const REDIRECT_LIMIT = 10;

/** The status of the answer, when redirects to the same host have been followed. */
export async function sendHttpGet(
  action: NonNullable<Probe['httpGet']>,
  host: string,
  port: number,
  userAgent: string,
  signal: AbortSignal,
): Promise<number> {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  let url = new URL(
    `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${absolute(action.path ?? '/')}`,
  );
  const headers: { [name: string]: string } = {
    'User-Agent': userAgent,
    Accept: '*/*',
    Connection: 'close',
  };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  for (let hop = 0; ; hop++) {
    const { status, location } = await getStatus(url, headers, signal);
    const next = status >= 300 && status < 400 && location ? new URL(location, url) : undefined;
    // A redirect to elsewhere counts as an answer.
    if (!next || next.hostname !== url.hostname) return status;
    if (hop + 1 === REDIRECT_LIMIT) throw new Error(`stopped after ${REDIRECT_LIMIT} redirects`);
    url = next;
  }
}

const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

function getStatus(
  url: URL,
  headers: { readonly [name: string]: string },
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly location: string | undefined }> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, { headers, signal, agent: false, rejectUnauthorized: false }, (response) => {
      resolve({ status: response.statusCode ?? 0, location: response.headers.location });
      response.destroy();
    });
    request.on('error', reject);
    request.end();
  });
}
