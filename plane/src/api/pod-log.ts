// pods/log: what a container wrote, brought by its agent at the reader's pace.
import type { ServerResponse } from 'node:http';
import type { LogsRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { type FieldError, forbidden, invalid } from '@fleetset/scheduler-core/validation/field-error';
import type { KubeObject } from '../kinds/kind.ts';
import { dataOf, type Tunnel, type Tunnels } from '../sync/tunnels.ts';
import { badRequest, invalidObject } from './api-error.ts';
import { containerAsked } from './container-asked.ts';
import { flagParameter, integerParameter } from './request.ts';
import type { SubresourceCall } from './resource-call.ts';

export async function serveLog(
  { object, query, response, signal }: SubresourceCall,
  tunnels: Tunnels,
): Promise<void> {
  const request = logsRequest(object, query);
  const left = new AbortController();
  response.on('close', () => left.abort());
  const { nodeName } = containerAsked(object, query);
  const tunnel = await tunnels.open(
    nodeName,
    { $case: 'logs', value: request },
    AbortSignal.any([signal, left.signal]),
  );
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.flushHeaders();
  await pour(tunnel, response);
  response.end();
}

/** A slow reader holds the tunnel back, and with it the agent. */
async function pour(tunnel: Tunnel, response: ServerResponse): Promise<void> {
  try {
    for await (const chunk of dataOf(tunnel)) {
      if (response.destroyed) break;
      if (!response.write(chunk)) await drained(response);
    }
  } catch (error) {
    if (!response.destroyed) throw error;
  } finally {
    tunnel.close();
  }
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const go = () => {
      response.off('drain', go);
      response.off('close', go);
      resolve();
    };
    response.on('drain', go);
    response.on('close', go);
  });

function logsRequest(object: KubeObject, query: URLSearchParams): LogsRequest {
  const { podUid, container } = containerAsked(object, query);
  const tailLines = integerParameter(query, 'tailLines');
  const sinceSeconds = integerParameter(query, 'sinceSeconds');
  const limitBytes = integerParameter(query, 'limitBytes');
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '' && Number.isNaN(Date.parse(sinceTime)))
    throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(sinceTime)}: must be an RFC 3339 time`);
  const errors = [
    ...atLeast(0, 'tailLines', tailLines),
    ...atLeast(1, 'limitBytes', limitBytes),
    ...atLeast(1, 'sinceSeconds', sinceSeconds),
    ...(sinceSeconds !== undefined && sinceTime !== ''
      ? [forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified')]
      : []),
  ];
  if (errors.length > 0) throw invalidObject(LOG_OPTIONS, object.metadata.name ?? '', errors);
  return {
    podUid,
    container,
    follow: flagParameter(query, 'follow'),
    previous: flagParameter(query, 'previous'),
    timestamps: flagParameter(query, 'timestamps'),
    tailLines: onTheWire(tailLines),
    sinceSeconds: onTheWire(sinceSeconds),
    sinceTime,
    limitBytes: onTheWire(limitBytes),
  };
}

const LOG_OPTIONS = { group: '', kind: 'PodLogOptions', plural: 'pods' };

const atLeast = (least: 0 | 1, field: string, value: number | undefined): FieldError[] =>
  value === undefined || value >= least
    ? []
    : [invalid(field, value, `must be greater than ${least === 0 ? 'or equal to 0' : '0'}`)];

const onTheWire = (count: number | undefined): number | undefined =>
  count === undefined ? undefined : Math.min(count, Number.MAX_SAFE_INTEGER);
