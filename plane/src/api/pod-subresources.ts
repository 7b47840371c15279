// The subresources of pods: log, exec, attach, portforward and eviction.
import type { ServerResponse } from 'node:http';
import type { LogsRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import type { KubeObject } from '../kinds/kind.ts';
import { podKind } from '../kinds/pod-kind.ts';
import { serveCommand } from '../streams/serve-command.ts';
import { servePortForward } from '../streams/serve-port-forward.ts';
import { dataOf, type Tunnel, type Tunnels } from '../sync/tunnels.ts';
import { badRequest, tooManyRequests } from './api-error.ts';
import { readOptionalJson } from './body.ts';
import { containerAsked } from './container-asked.ts';
import type { Objects } from './objects.ts';
import { countParameter, flagParameter } from './request.ts';
import type { ServedSubresource, SubresourceCall } from './resource-routes.ts';
import { sendJson } from './respond.ts';
import { deleteOptions } from './write-options.ts';

export function podSubresources(objects: Objects, tunnels: Tunnels): ReadonlyMap<string, ServedSubresource> {
  const limited = createLimit(STREAMING_LIMIT);
  const exec: ServedSubresource = (call) => limited(() => serveCommand(call, tunnels, 'exec'));
  const attach: ServedSubresource = (call) => limited(() => serveCommand(call, tunnels, 'attach'));
  const forward: ServedSubresource = (call) => limited(() => servePortForward(call, tunnels));
  return new Map<string, ServedSubresource>([
    ['GET pods/log', (call) => serveLog(call, tunnels)],
    // A WebSocket is asked for with GET, SPDY with either.
    ['GET pods/exec', exec],
    ['POST pods/exec', exec],
    ['GET pods/attach', attach],
    ['POST pods/attach', attach],
    ['GET pods/portforward', forward],
    ['POST pods/portforward', forward],
    ['POST pods/eviction', (call) => evict(call, objects)],
  ]);
}

/** Clients in containers at once; each costs a connection and what waits on it. */
const STREAMING_LIMIT = 500;

function createLimit(limit: number): (serve: () => Promise<void>) => Promise<void> {
  let open = 0;
  return async (serve) => {
    if (open >= limit) throw tooManyRequests(`${limit} exec, attach and port-forward requests are open`);
    open += 1;
    try {
      await serve();
    } finally {
      open -= 1;
    }
  };
}

async function serveLog(
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
  for (const name of ['tailLines', 'sinceSeconds', 'limitBytes'])
    if (query.has(name) && countParameter(query, name) === undefined)
      throw badRequest(
        `${name}: Invalid value: ${JSON.stringify(query.get(name))}: must be an integer from 0`,
      );
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '' && Number.isNaN(Date.parse(sinceTime)))
    throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(sinceTime)}: must be an RFC 3339 time`);
  return {
    podUid,
    container,
    follow: flagParameter(query, 'follow'),
    previous: flagParameter(query, 'previous'),
    timestamps: flagParameter(query, 'timestamps'),
    tailLines: countParameter(query, 'tailLines'),
    sinceSeconds: countParameter(query, 'sinceSeconds'),
    sinceTime,
    limitBytes: countParameter(query, 'limitBytes'),
  };
}

/** An eviction is a deletion: nothing here forbids one. */
async function evict({ object, request, response, query }: SubresourceCall, objects: Objects): Promise<void> {
  const body = await readOptionalJson(request);
  const options = isRecord(body) ? (body.deleteOptions ?? {}) : undefined;
  if (!isRecord(options)) throw badRequest('an Eviction must be an object, and so must its deleteOptions');
  const { metadata } = object;
  await objects.remove(podKind, metadata.namespace, metadata.name ?? '', deleteOptions(query, options));
  sendJson(response, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
}
