// Writes the events of one watch: in the form that was asked for, one JSON document a line, no faster than it is read.
import type { Writable } from 'node:stream';
import { apiVersionOf, type Kind, type KubeObject } from '../kinds/kind.ts';
import type { Change } from '../store/store.ts';
import { expired, statusOf } from './api-error.ts';
import type { ReplyForm } from './negotiate.ts';
import type { Selection } from './selection.ts';
import { includeObject, partialObject, table, tableRow } from './table.ts';

/** A reader that leaves more than this unread of what happens now is cut off; it lists and watches anew. */
const UNREAD_LIMIT_BYTES = 8 * 1024 * 1024;

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface EventForm {
  readonly kind: Kind;
  readonly selection: Selection;
  readonly query: URLSearchParams;
  readonly form: ReplyForm;
  /** Of what is written at once each is one event. */
  readonly output: Writable;
}

export interface EventWriter {
  /** One of what is there; resolves when there is room for more. */
  readonly existing: (object: KubeObject) => Promise<void>;
  /** A change of the past; resolves when there is room for more. */
  readonly past: (change: Change) => Promise<void>;
  /** A change as it happens; cuts the reader off when it left too much unread. */
  readonly live: (change: Change) => void;
  readonly bookmark: (version: number, annotations?: { readonly [key: string]: string }) => void;
  /** What comes next is no longer known. */
  readonly lost: () => void;
  /** The whole answer has been written. What is written later is dropped. */
  readonly end: () => void;
}

export function createEventWriter({ kind, selection, query, form, output }: EventForm): EventWriter {
  const include = includeObject(query);
  let first = true;
  let goOn = () => {};
  output.on('drain', () => goOn());
  output.on('close', () => goOn());

  const isOver = () => output.writableEnded || output.destroyed;
  const send = (type: string, object: object): void => {
    if (!isOver()) output.write(lineOf(type, object));
  };
  const room = async (): Promise<void> => {
    if (output.writableNeedDrain && !isOver())
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
  };

  const shaped = (object: KubeObject): object => {
    if (form === 'partial') return partialObject(object);
    if (form !== 'table') return object;
    const { resourceVersion = '' } = object.metadata;
    const shown = table(kind, [tableRow(kind, object, include, Date.now())], { resourceVersion }, first);
    first = false;
    return shown;
  };
  const sendChange = (change: Change): void => {
    const event = selectedEvent(change, selection);
    if (event) send(event.type, shaped(event.object));
  };

  return {
    existing: (object) => {
      if (selection.matches(object)) send('ADDED', shaped(object));
      return room();
    },
    past: (change) => {
      sendChange(change);
      return room();
    },
    live: (change) => {
      if (output.writableLength > UNREAD_LIMIT_BYTES) output.destroy();
      else sendChange(change);
    },
    bookmark: (version, annotations) => {
      const metadata = { resourceVersion: String(version), ...(annotations ? { annotations } : {}) };
      if (form === 'table') send('BOOKMARK', table(kind, [], metadata, false));
      else send('BOOKMARK', { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata });
    },
    lost: () => send('ERROR', statusOf(expired('too old resource version: the watch fell behind')).body),
    end: () => {
      output.end();
      goOn();
    },
  };
}

let last: { readonly type: string; readonly object: object; readonly line: Buffer } | undefined;

/** Made once for all who watch: they are told one after the other. */
function lineOf(type: string, object: object): Buffer {
  if (last?.object !== object || last.type !== type)
    last = { type, object, line: Buffer.from(`${JSON.stringify({ type, object })}\n`) };
  return last.line;
}

/** An object that starts to match is added, one that stops matching is deleted. */
export function selectedEvent(
  { value, previous, version }: Change,
  selection: Selection,
): { readonly type: EventType; readonly object: KubeObject } | undefined {
  const now = value as unknown as KubeObject | undefined;
  const before = previous as unknown as KubeObject | undefined;
  const matches = now !== undefined && selection.matches(now);
  const matched = before !== undefined && selection.matches(before);
  if (matches) return { type: matched ? 'MODIFIED' : 'ADDED', object: now };
  if (!matched) return undefined;
  // The version of the deletion, so that a client can go on from it.
  const last = now ?? before;
  return {
    type: 'DELETED',
    object: { ...last, metadata: { ...last.metadata, resourceVersion: String(version) } },
  };
}
