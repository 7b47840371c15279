// One GET of a probe or a lifecycle hook, as kubelet sends it (rule 94).
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Probe } from '@fleetset/scheduler-core/schema/container';

const REDIRECT_LIMIT = 10;
/** As Go's client follows them. */
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const BODY_LIMIT_BYTES = 10 * 1024;

type Headers = { readonly [name: string]: string[] | string };

/** The status of the answer, when redirects to the same host have been followed. `body`: it has to come as well, as far
 *  as it is read. */
export async function sendHttpGet(
  action: NonNullable<Probe['httpGet']>,
  host: string,
  port: number,
  userAgent: string,
  signal: AbortSignal,
  body: 'body' | 'no body' = 'no body',
): Promise<number> {
  const scheme = (action.scheme ?? 'HTTP').toLowerCase();
  let url = new URL(
    `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${absolute(action.path ?? '/')}`,
  );
  const headers = headersOf(action, userAgent);
  for (let hop = 0; ; hop++) {
    const { status, location } = await getStatus(url, headers, signal, body);
    const next = REDIRECTS.includes(status) && location ? new URL(location, url) : undefined;
    // A redirect to elsewhere counts as an answer.
    if (!next || next.hostname !== url.hostname) return status;
    if (hop + 1 === REDIRECT_LIMIT) throw new Error(`stopped after ${REDIRECT_LIMIT} redirects`);
    url = next;
  }
}

/** Those of one name are all sent, in their order; but these three once, and not at all when they are given as empty. */
function headersOf({ httpHeaders = [] }: NonNullable<Probe['httpGet']>, userAgent: string): Headers {
  const given = Map.groupBy(httpHeaders, ({ name }) => name.toLowerCase());
  const once = (name: string, usual: string) => {
    const value = given.get(name)?.[0]?.value ?? usual;
    given.delete(name);
    return value === '' ? {} : { [name]: value };
  };
  return {
    connection: 'close',
    ...once('user-agent', userAgent),
    ...once('accept', '*/*'),
    // Without it the client names the host that it asks.
    ...once('host', ''),
    ...Object.fromEntries([...given].map(([name, same]) => [name, same.map(({ value }) => value)])),
  };
}

const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`);

function getStatus(
  url: URL,
  headers: Headers,
  signal: AbortSignal,
  body: 'body' | 'no body',
): Promise<{ readonly status: number; readonly location: string | undefined }> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const options = {
      headers,
      signal,
      agent: false,
      rejectUnauthorized: false,
      // As Go's client reads answers: health servers of a few lines of shell end their lines with a line feed alone.
      insecureHTTPParser: true,
    };
    const request = send(url, options, (response) => {
      const answer = { status: response.statusCode ?? 0, location: response.headers.location };
      readBody(response, body === 'body' && !REDIRECTS.includes(answer.status) ? BODY_LIMIT_BYTES : 0).then(
        () => resolve(answer),
        reject,
      );
    });
    request.on('error', reject);
    request.end();
  });
}

/** Throws when it breaks off, or is not over in time. */
async function readBody(response: IncomingMessage, limitBytes: number): Promise<void> {
  let read = 0;
  if (limitBytes > 0)
    for await (const chunk of response as AsyncIterable<Buffer>) {
      read += chunk.length;
      if (read >= limitBytes) break;
    }
  response.destroy();
}
