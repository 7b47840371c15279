// When things happened, as the engine's own event stream tells it: the same clock for both sides of a ratio.
import type Docker from 'dockerode';

export interface DockerEvent {
  readonly action: string;
  readonly id: string;
  readonly labels: { readonly [name: string]: string };
  /** Milliseconds since the epoch, by the engine. */
  readonly at: number;
}

export interface DockerClock {
  /** The next event from now on that fits. */
  readonly next: (fits: (event: DockerEvent) => boolean) => Promise<DockerEvent>;
  readonly close: () => void;
}

const TIMEOUT_MS = 60_000;

export async function followDocker(docker: Docker): Promise<DockerClock> {
  const stream = await docker.getEvents({ filters: JSON.stringify({ type: ['container'] }) });
  const waiting = new Set<(event: DockerEvent) => void>();
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((text) => text.trim() !== '')) {
      const { Action, Actor, timeNano } = JSON.parse(line) as {
        Action: string;
        Actor: { ID: string; Attributes: { [name: string]: string } };
        timeNano: number;
      };
      const event = { action: Action, id: Actor.ID, labels: Actor.Attributes, at: timeNano / 1e6 };
      for (const hear of [...waiting]) hear(event);
    }
  });
  return {
    next: (fits) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error('the awaited Docker event did not come')),
          TIMEOUT_MS,
        );
        const hear = (event: DockerEvent) => {
          if (!fits(event)) return;
          clearTimeout(timer);
          waiting.delete(hear);
          resolve(event);
        };
        waiting.add(hear);
      }),
    close: () => (stream as unknown as { destroy: () => void }).destroy(),
  };
}
