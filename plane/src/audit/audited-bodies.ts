// What parts of the API tell the audit log of a request while they serve it. Of requests that are not kept, nothing is.
import type { IncomingMessage } from 'node:http';

export interface AuditedBodies {
  /** As the client sent it, decoded. */
  asked?: unknown;
  answered?: unknown;
  readonly annotations: { [key: string]: string };
}

const kept = new WeakMap<IncomingMessage, AuditedBodies>();

export function keepBodies(request: IncomingMessage): AuditedBodies {
  const bodies: AuditedBodies = { annotations: {} };
  kept.set(request, bodies);
  return bodies;
}

/** Answers with the body, for the reader to go on with. */
export function noteAsked<T>(request: IncomingMessage, body: T): T {
  const bodies = kept.get(request);
  if (bodies) bodies.asked = body;
  return body;
}

export function noteAnswered(request: IncomingMessage | undefined, body: unknown): void {
  const bodies = request && kept.get(request);
  if (bodies) bodies.answered = body;
}

export function annotate(request: IncomingMessage, annotations: { readonly [key: string]: string }): void {
  Object.assign(kept.get(request)?.annotations ?? {}, annotations);
}
