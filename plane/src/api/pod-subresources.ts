// pods/log and pods/eviction.
import type { ServerResponse } from 'node:http';
import type { LogsRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import type { Pod } from '@fleetset/scheduler-core/schema/pod';
import type { KubeObject } from '../kinds/kind.ts';
import { podKind } from '../kinds/pod-kind.ts';
import type { Tunnel, Tunnels } from '../sync/tunnels.ts';
import { badRequest } from './api-error.ts';
import { readOptionalJson } from './body.ts';
import type { Objects } from './objects.ts';
import { countParameter, flagParameter } from './request.ts';
import type { ServedSubresource, SubresourceCall } from './resource-routes.ts';
import { sendJson } from './respond.ts';
import { deleteOptions } from './write-options.ts';

export function podSubresources(objects: Objects, tunnels: Tunnels): ReadonlyMap<string, ServedSubresource> {
  return new Map<string, ServedSubresource>([
    ['GET pods/log', (call) => serveLog(call, tunnels)],
    ['POST pods/eviction', (call) => evict(call, objects)],
  ]);
}

async function serveLog(
  { object, query, response, signal }: SubresourceCall,
  tunnels: Tunnels,
): Promise<void> {
  const pod = object as unknown as Pod;
  const request = logsRequest(object, pod, query);
  const left = new AbortController();
  response.on('close', () => left.abort());
  const nodeName = pod.spec?.nodeName ?? '';
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
    for await (const chunk of tunnel.data) {
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

function logsRequest({ metadata }: KubeObject, pod: Pod, query: URLSearchParams): LogsRequest {
  const names = (pod.spec?.containers ?? []).map(({ name }) => name);
  const inits = (pod.spec?.initContainers ?? []).map(({ name }) => name);
  const asked = query.get('container') ?? '';
  if (asked !== '' && !names.includes(asked) && !inits.includes(asked))
    throw badRequest(`container ${asked} is not valid for pod ${metadata.name}`);
  if (asked === '' && names.length > 1)
    throw badRequest(
      `a container name must be specified for pod ${metadata.name}, choose one of: [${names.join(' ')}]${
        inits.length > 0 ? ` or one of the init containers: [${inits.join(' ')}]` : ''
      }`,
    );
  for (const name of ['tailLines', 'sinceSeconds', 'limitBytes'])
    if (query.has(name) && countParameter(query, name) === undefined)
      throw badRequest(
        `${name}: Invalid value: ${JSON.stringify(query.get(name))}: must be an integer from 0`,
      );
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '' && Number.isNaN(Date.parse(sinceTime)))
    throw badRequest(`sinceTime: Invalid value: ${JSON.stringify(sinceTime)}: must be an RFC 3339 time`);
  return {
    podUid: metadata.uid ?? '',
    container: asked || (names[0] ?? ''),
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
