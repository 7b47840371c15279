// What agents tell as events, recorded for what they are about: a pod, a DaemonSet, or the node.
import type { AgentEvent } from '@fleetset/proto/gen/fleetset/v1/node';
import type { EventRecorder, EventSubject } from '../events/event-recorder.ts';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store } from '../store/store.ts';

/** `shown`: ids of the node's pods by uid. What the plane does not know cannot have an event. */
export function recordAgentEvent(
  { store, recorder }: { readonly store: Store; readonly recorder: EventRecorder },
  nodeName: string,
  event: AgentEvent,
  shown: ReadonlyMap<string, string>,
): void {
  const subject = eventSubject(store, nodeName, event, shown);
  if (!subject) return;
  recorder.record({
    subject,
    type: event.type === 'Warning' ? 'Warning' : 'Normal',
    reason: event.reason,
    message: event.message,
    component: 'fleetset-agent',
    host: nodeName,
  });
}

function eventSubject(
  store: Store,
  nodeName: string,
  event: AgentEvent,
  shown: ReadonlyMap<string, string>,
): EventSubject | undefined {
  if (event.podUid !== '') {
    const id = shown.get(event.podUid);
    if (!id) return undefined;
    return { ...podSubject(id, event.podUid), ...(event.fieldPath ? { fieldPath: event.fieldPath } : {}) };
  }
  if (event.daemonSetUid !== '') {
    for (const { value } of store.list('apps/daemonsets')) {
      const { metadata } = value as unknown as KubeObject;
      if (metadata.uid === event.daemonSetUid)
        return daemonSetSubject(metadata.namespace ?? '', metadata.name ?? '', event.daemonSetUid);
    }
    return undefined;
  }
  return nodeSubject(store, nodeName);
}

/** `id` as in the store: namespace/name. */
export const podSubject = (id: string, uid: string): EventSubject => ({
  kind: 'Pod',
  apiVersion: 'v1',
  namespace: id.slice(0, id.indexOf('/')),
  name: id.slice(id.indexOf('/') + 1),
  uid,
});

export const daemonSetSubject = (namespace: string, name: string, uid: string): EventSubject => ({
  kind: 'DaemonSet',
  apiVersion: 'apps/v1',
  namespace,
  name,
  uid,
});

export function nodeSubject(store: Store, name: string): EventSubject {
  const node = store.get('core/nodes', name)?.value as unknown as KubeObject | undefined;
  return { kind: 'Node', apiVersion: 'v1', name, uid: node?.metadata.uid ?? name };
}
