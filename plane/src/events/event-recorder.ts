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
  /** Written, but not in the store yet: the same thing again in one tick counts on from here. */
  const underWay = new Map<string, Event>();
  const write = async (id: string, value: Event, before: Event | undefined) => {
    underWay.set(id, value);
    try {
      // A first occurrence is worth the disk, a count is not.
      const durable = before === undefined;
      await store.commit([{ collection: EVENTS, id, value: value as unknown as KubeObject, durable }]);
    } finally {
      if (underWay.get(id) === value) underWay.delete(id);
    }
  };
  return {
    record: (input) => {
      if (input.subject.namespace && !isOpen(store, input.subject.namespace)) return;
      const id = eventId(input);
      const before = underWay.get(id) ?? (store.get(EVENTS, id)?.value as unknown as Event | undefined);
      write(id, eventOf(input, id, before, nowText()), before).catch((error: unknown) =>
        onLost(error, input),
      );
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

/** Into a namespace that is being deleted, or is no more, nothing is put. */
function isOpen(store: Store, namespace: string): boolean {
  const found = store.get('core/namespaces', namespace)?.value as unknown as KubeObject | undefined;
  return found !== undefined && !found.metadata.deletionTimestamp;
}

/** The name is made of what makes two events the same one. */
function eventId({ subject, type, reason, message, component, host }: EventInput): string {
  const identity = [subject.uid, subject.fieldPath, type, reason, message, component, host].join('\n');
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  return `${subject.namespace ?? 'default'}/${subject.name}.${hash}`;
}

function eventOf(input: EventInput, id: string, before: Event | undefined, now: string): Event {
  const { subject, type, reason, message, component, host } = input;
  const [namespace = '', name = ''] = id.split('/');
  const { namespace: subjectNamespace, ...rest } = subject;
  return {
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
