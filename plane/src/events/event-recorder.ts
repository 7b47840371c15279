// Events: what happened to an object, for `kubectl describe` and `kubectl get events`. The same thing again counts
// up instead of filling the store; old and too many ones are dropped.
import { createHash, randomUUID } from 'node:crypto';
import type { Event } from '@fleetset/scheduler-core/schema/plain';
import type { KubeObject } from '../kinds/kind.ts';
import type { Store, Write } from '../store/store.ts';

const EVENTS = 'core/events';
const KEEP_MS = 3_600_000;
const KEEP_COUNT = 5000;
const SWEEP_EVERY_MS = 60_000;

export interface EventSubject {
  readonly kind: 'Node' | 'Pod' | 'DaemonSet';
  readonly apiVersion: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly fieldPath?: string;
}

export interface EventInput {
  readonly subject: EventSubject;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  /** The node it happened on. */
  readonly host?: string;
}

export interface EventRecorder {
  /** Never fails: an event that cannot be written is handed to `onLost`. */
  readonly record: (input: EventInput) => void;
  readonly close: () => void;
}

export function createEventRecorder(
  store: Store,
  nowText: () => string,
  onLost: (error: unknown, input: EventInput) => void,
): EventRecorder {
  const sweep = setInterval(() => {
    store.commit(expiredEvents(store, Date.now())).catch((error: unknown) => onLost(error, SWEEP));
  }, SWEEP_EVERY_MS);
  sweep.unref();
  return {
    record: (input) => {
      store.commit([eventWrite(store, input, nowText())]).catch((error: unknown) => onLost(error, input));
    },
    close: () => clearInterval(sweep),
  };
}

const SWEEP: EventInput = {
  subject: { kind: 'Node', apiVersion: 'v1', name: '', uid: '' },
  type: 'Normal',
  reason: 'Sweep',
  message: 'old events were not removed',
  component: 'plane',
};

/** The name is made of what makes two events the same one. */
function eventWrite(store: Store, input: EventInput, now: string): Write {
  const { subject, type, reason, message, component, host } = input;
  const namespace = subject.namespace ?? 'default';
  const identity = [subject.uid, subject.fieldPath, type, reason, message, component, host].join('\n');
  const name = `${subject.name}.${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`;
  const id = `${namespace}/${name}`;
  const before = store.get(EVENTS, id)?.value as unknown as (KubeObject & Event) | undefined;
  const { namespace: subjectNamespace, ...rest } = subject;
  const value: Event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: before?.metadata ?? { name, namespace, uid: randomUUID(), creationTimestamp: now },
    involvedObject: { ...rest, ...(subjectNamespace ? { namespace: subjectNamespace } : {}) },
    type,
    reason,
    message,
    source: { component, ...(host ? { host } : {}) },
    firstTimestamp: before?.firstTimestamp ?? now,
    lastTimestamp: now,
    count: (before?.count ?? 0) + 1,
    reportingComponent: component,
    reportingInstance: host ?? '',
  };
  // A first occurrence is worth the disk, a count is not.
  return { collection: EVENTS, id, value: value as unknown as KubeObject, durable: before === undefined };
}

function expiredEvents(store: Store, now: number): Write[] {
  const events = [...store.list(EVENTS)]
    .map(({ id, value }) => {
      const event = value as unknown as Event;
      return {
        id,
        at: Date.parse(event.lastTimestamp ?? event.eventTime ?? event.metadata?.creationTimestamp ?? ''),
      };
    })
    .sort((a, b) => b.at - a.at);
  return events
    .filter(({ at }, index) => index >= KEEP_COUNT || !(now - at < KEEP_MS))
    .map(({ id }) => ({ collection: EVENTS, id, durable: true }));
}
