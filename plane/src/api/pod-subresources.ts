// The subresources of pods: log, exec, attach, portforward and eviction.
import { isRecord } from '@fleetset/scheduler-core/schema/decode';
import { podKind } from '../kinds/pod-kind.ts';
import { createLimit } from '../streams/limit.ts';
import { serveCommand } from '../streams/serve-command.ts';
import { servePortForward } from '../streams/serve-port-forward.ts';
import type { Tunnels } from '../sync/tunnels.ts';
import { badRequest } from './api-error.ts';
import { readOptionalObject } from './body.ts';
import type { Objects } from './objects.ts';
import { serveLog } from './pod-log.ts';
import type { ServedSubresource, SubresourceCall } from './resource-call.ts';
import { sendObject } from './respond.ts';
import { deleteOptions } from './write-options.ts';

export function podSubresources(objects: Objects, tunnels: Tunnels): ReadonlyMap<string, ServedSubresource> {
  const limited = createLimit(STREAMING_LIMIT, 'exec, attach and port-forward requests');
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

/** An eviction is a deletion: nothing here forbids one. */
async function evict({ object, request, response, query }: SubresourceCall, objects: Objects): Promise<void> {
  const body = await readOptionalObject(request);
  const options = isRecord(body) ? (body.deleteOptions ?? {}) : undefined;
  if (!isRecord(options)) throw badRequest('an Eviction must be an object, and so must its deleteOptions');
  const { metadata } = object;
  const { name } = isRecord(body) && isRecord(body.metadata) ? body.metadata : {};
  if (name && name !== metadata.name) throw badRequest('name in URL does not match name in Eviction object');
  await objects.remove(podKind, metadata.namespace, metadata.name ?? '', deleteOptions(query, options));
  sendObject(response, 201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
}
