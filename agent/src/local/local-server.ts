// What the agent tells of itself on its own machine: /healthz, /readyz, /metrics and /pods. Read only, without a word on
// who may ask: it belongs on loopback.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { METRICS_CONTENT_TYPE } from '@fleetset/scheduler-core/prometheus-text';
import type { Logger } from 'pino';

export interface LocalAnswers {
  /** Why the agent itself does not work; undefined when it does. */
  readonly unhealthy: () => string | undefined;
  /** Why pods cannot be looked after now. */
  readonly unready: () => string | undefined;
  readonly metrics: () => string;
  readonly pods: () => object;
}

export interface LocalServer {
  /** Undefined until it listens. */
  readonly port: () => number | undefined;
  readonly stop: () => Promise<void>;
}

const RETRY_MS = 30_000;

/** A port that is taken is no reason not to run pods: it is said once, and tried again. */
export function startLocalServer(
  { host, port }: { readonly host: string; readonly port: number },
  answers: LocalAnswers,
  logger: Logger,
): LocalServer {
  const server = createServer((request, response) => serve(answers, request, response));
  server.maxConnections = 32;
  server.requestTimeout = 5000;
  server.headersTimeout = 5000;
  let retry: NodeJS.Timeout | undefined;
  let said = false;
  const listen = () => void server.listen(port, host);
  server.on('error', (error) => {
    if (server.listening) return;
    if (!said) logger.warn(`the local address ${host}:${port} cannot be used: ${error.message}`);
    said = true;
    retry = setTimeout(listen, RETRY_MS);
  });
  listen();
  return {
    port: () => boundPort(server),
    stop: async () => {
      clearTimeout(retry);
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function boundPort(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : undefined;
}

const TEXT = 'text/plain; charset=utf-8';

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

const check = (trouble: string | undefined): Answer => ({
  code: trouble === undefined ? 200 : 503,
  type: TEXT,
  body: trouble ?? 'ok',
});

function answerTo(answers: LocalAnswers, { method, url = '/' }: IncomingMessage): Answer {
  if (method !== 'GET' && method !== 'HEAD') return { code: 405, type: TEXT, body: 'only GET' };
  switch (url.replace(/\?.*$/, '')) {
    case '/healthz':
      return check(answers.unhealthy());
    case '/readyz':
      return check(answers.unhealthy() ?? answers.unready());
    case '/metrics':
      return { code: 200, type: METRICS_CONTENT_TYPE, body: answers.metrics() };
    case '/pods':
      return { code: 200, type: 'application/json', body: `${JSON.stringify(answers.pods())}\n` };
    default:
      return { code: 404, type: TEXT, body: 'there are /healthz, /readyz, /metrics and /pods' };
  }
}

function serve(answers: LocalAnswers, request: IncomingMessage, response: ServerResponse): void {
  let answer: Answer;
  try {
    answer = answerTo(answers, request);
  } catch (error) {
    answer = { code: 500, type: TEXT, body: (error as Error).message };
  }
  response.writeHead(answer.code, {
    'Content-Type': answer.type,
    'Content-Length': Buffer.byteLength(answer.body),
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}
