// The network between agents and the plane: streams as gRPC makes them. A stream's messages arrive in order or not at
// all; while a link is cut they wait, and each end notices by itself, late, that nobody answers. Messages are real bytes.
import { EventEmitter } from 'node:events';
import { hear, type PlaneClient, type SyncStream } from '@fleetset/agent/sync/plane-client';
import type { SyncCall } from '@fleetset/plane/sync/serve-sync';
import { NodeServiceService, SyncRequest } from '@fleetset/proto/gen/fleetset/v1/node';
import { status } from '@grpc/grpc-js';
import { currentProgram, mayAct, type Program, runAs } from './program.ts';

/** Who listens at the plane's address. */
export interface Listener {
  readonly program: Program;
  readonly serve: (call: SyncCall, nodeName: string) => void;
}

export interface Link {
  /** The agent's way to the plane, for the program that runs. */
  readonly client: () => PlaneClient;
  readonly setCut: (cut: boolean) => void;
  readonly isCut: () => boolean;
  /** Messages arrive twice, one right after the other. */
  readonly setDoubling: (doubling: boolean) => void;
  /** The open streams break; each end hears of it in its own time, and what was on its way may be lost. */
  readonly breakStreams: () => void;
  /** The agent's program is dead: its machine's kernel closes what it had open, unless that is dead too. */
  readonly agentDied: (withItsMachine: boolean) => void;
  readonly planeDied: () => void;
  /** A plane that is behind itself says this, and is gone again. */
  readonly sayToAgent: (bytes: Buffer) => void;
}

export interface NetworkParts {
  readonly nodeName: string;
  readonly listener: () => Listener | undefined;
  /** The world itself, which lives as long as the run. */
  readonly world: Program;
  readonly onSaid: (request: SyncRequest) => void;
  /** It has reached the plane. */
  readonly onHeard: (request: SyncRequest) => void;
  readonly onTold: (bytes: Buffer) => void;
}

const CONNECT_TIMEOUT_MS = 20_000;
/** A ping every 20 s, and 10 s for its answer. */
const KEEPALIVE_MS = [10_000, 30_000] as const;

interface End {
  readonly program: Program;
  /** Undefined once this end is over. */
  emitter: EventEmitter | undefined;
  /** Arrives here in this order. */
  readonly waiting: (() => void)[];
  arrivesAt: number;
  scheduled: number;
}

interface Stream {
  readonly agent: End;
  plane: End | undefined;
}

export function createLink({ nodeName, listener, world, onSaid, onHeard, onTold }: NetworkParts): Link {
  const { time } = world;
  const { dice } = time;
  const streams = new Set<Stream>();
  let cut = false;
  let doubling = false;

  const newEnd = (program: Program): End => ({
    program,
    emitter: new EventEmitter().on('error', () => {}),
    waiting: [],
    arrivesAt: 0,
    scheduled: 0,
  });

  /** Mostly quick, sometimes not. */
  const delay = () => (dice.chance(0.05) ? dice.int(5, 400) : 0.2 + 3 * dice.next());

  const deliver = (to: End, arrive: () => void) => {
    to.waiting.push(arrive);
    scheduleNext(to);
  };
  const say = (to: End, arrive: () => void) => {
    deliver(to, arrive);
    if (doubling) deliver(to, arrive);
  };
  const scheduleNext = (to: End) => {
    if (cut) return;
    while (to.scheduled < to.waiting.length) {
      to.scheduled += 1;
      to.arrivesAt = Math.max(to.arrivesAt + 0.001, time.now() + delay());
      time.after(to.arrivesAt - time.now(), world, () => {
        to.scheduled -= 1;
        if (!cut) arriveAt(to);
      });
    }
  };
  const arriveAt = (to: End) => {
    const arrive = to.waiting.shift();
    if (arrive && to.emitter && to.program.alive) runAs(to.program, arrive);
  };

  const endAgent = ({ agent }: Stream, code: number, details: string) => {
    const { emitter } = agent;
    agent.emitter = undefined;
    if (!emitter || !agent.program.alive) return;
    if (code === status.OK) emitter.emit('end');
    else emitter.emit('error', Object.assign(new Error(details), { code, details }));
  };
  const endPlane = ({ plane }: Stream) => {
    const emitter = plane?.emitter;
    if (!plane || !emitter) return;
    plane.emitter = undefined;
    emitter.emit('cancelled');
  };
  const forget = (stream: Stream) => {
    if (!stream.agent.emitter && !stream.plane?.emitter) streams.delete(stream);
  };
  const isHalfOpen = ({ agent, plane }: Stream) =>
    plane !== undefined && (agent.emitter === undefined) !== (plane.emitter === undefined);
  const endLater = (stream: Stream, ms: number, which: 'agent' | 'plane') => {
    const end = stream[which];
    if (!end) return;
    time.after(ms, end.program, () => {
      if (which === 'agent') endAgent(stream, status.UNAVAILABLE, 'the connection broke');
      else endPlane(stream);
      forget(stream);
    });
  };
  /** Of a cut link each end notices it for itself, if it lasts. */
  const watchKeepalive = (stream: Stream, which: 'agent' | 'plane') => {
    const end = stream[which];
    if (!end?.emitter) return;
    const opened = stream;
    time.after(dice.int(...KEEPALIVE_MS), end.program, () => {
      if (cut && end.emitter) endLater(opened, 0, which);
    });
  };

  const accept = (stream: Stream) => {
    const to = listener();
    if (!to?.program.alive) return endLater(stream, delay(), 'agent');
    const plane = newEnd(to.program);
    stream.plane = plane;
    const call = planeSide(stream, plane);
    time.after(0, to.program, () => to.serve(call, nodeName));
  };

  const planeSide = (stream: Stream, plane: End): SyncCall => {
    const emitter = plane.emitter as EventEmitter;
    const tellAgent = (arrive: () => void) => deliver(stream.agent, arrive);
    const over = (code: number, details: string) => {
      if (plane.emitter !== emitter) return;
      plane.emitter = undefined;
      tellAgent(() => {
        endAgent(stream, code, details);
        forget(stream);
      });
    };
    return {
      on: (event: string, listening: (message: SyncRequest) => void) => emitter.on(event, listening),
      emit: (event: string, error: { code: number; details: string }) => {
        if (!mayAct(plane.program)) return false;
        // As the library does: who listens hears it, and the client gets the status.
        const heard = emitter.emit(event, error);
        if (event === 'error') over(error.code, error.details);
        return heard;
      },
      write: (bytes: Buffer, written: () => void) => {
        if (!mayAct(plane.program) || plane.emitter !== emitter) return false;
        onTold(bytes);
        say(stream.agent, () => stream.agent.emitter?.emit('data', hear(bytes)));
        time.after(0, plane.program, written);
        return true;
      },
      end: () => over(status.OK, ''),
      get destroyed() {
        return plane.emitter !== emitter;
      },
    } as unknown as SyncCall;
  };

  const open = (): SyncStream => {
    const program = currentProgram();
    const stream: Stream = { agent: newEnd(program), plane: undefined };
    const { agent } = stream;
    const emitter = agent.emitter as EventEmitter;
    streams.add(stream);
    const unsent: SyncRequest[] = [];
    const send = (request: SyncRequest) => {
      const bytes = NodeServiceService.sync.requestSerialize(request);
      const { plane } = stream;
      if (plane)
        say(plane, () => {
          const heard = SyncRequest.decode(bytes);
          if (plane.emitter) onHeard(heard);
          plane.emitter?.emit('data', heard);
        });
    };
    const connect = (triedForMs: number) => {
      if (!program.alive || !agent.emitter) return streams.delete(stream);
      if (cut && triedForMs >= CONNECT_TIMEOUT_MS) return endLater(stream, 0, 'agent');
      if (cut) return time.after(1000, world, () => connect(triedForMs + 1000));
      accept(stream);
      for (const request of unsent.splice(0)) send(request);
      return;
    };
    time.after(delay() + (dice.chance(0.1) ? dice.int(0, 1000) : 0), world, () => connect(0));
    return {
      on: (event: string, listening: (...args: unknown[]) => void) => emitter.on(event, listening),
      write: (request: SyncRequest) => {
        if (!mayAct(program) || agent.emitter !== emitter) return false;
        onSaid(request);
        if (stream.plane) send(request);
        else unsent.push(request);
        return true;
      },
      end: () => {
        const { plane } = stream;
        if (plane)
          deliver(plane, () => {
            plane.emitter?.emit('end');
            plane.emitter = undefined;
          });
      },
    } as unknown as SyncStream;
  };

  return {
    client: () => ({
      sync: open,
      carry: () => {
        throw new Error('no tunnels in this network');
      },
      close: () => {},
    }),
    isCut: () => cut,
    setDoubling: (is) => {
      doubling = is;
    },
    setCut: (is) => {
      if (cut === is) return;
      cut = is;
      for (const stream of streams)
        for (const end of ['agent', 'plane'] as const) {
          if (is) watchKeepalive(stream, end);
          else if (stream[end]) scheduleNext(stream[end]);
        }
      // Who finds the other end gone hears of it with the next packet.
      if (!is)
        for (const stream of streams)
          if (isHalfOpen(stream))
            for (const end of ['agent', 'plane'] as const) endLater(stream, delay(), end);
    },
    breakStreams: () => {
      for (const stream of streams) {
        // Now and then one end goes on for a while: what was on its way arrives late, of an old stream.
        endLater(stream, dice.chance(0.3) ? dice.int(0, 8000) : delay(), 'agent');
        endLater(stream, dice.chance(0.3) ? dice.int(0, 20_000) : delay(), 'plane');
      }
    },
    agentDied: (withItsMachine) => {
      for (const stream of streams) {
        stream.agent.emitter = undefined;
        endLater(stream, withItsMachine || cut ? dice.int(...KEEPALIVE_MS) : delay(), 'plane');
      }
    },
    planeDied: () => {
      for (const stream of streams) {
        if (stream.plane) stream.plane.emitter = undefined;
        endLater(stream, cut ? dice.int(...KEEPALIVE_MS) : delay(), 'agent');
      }
    },
    sayToAgent: (bytes) => {
      for (const stream of streams) {
        if (!stream.agent.emitter || !stream.plane?.emitter) continue;
        deliver(stream.agent, () => stream.agent.emitter?.emit('data', hear(bytes)));
        // Who said that is gone again.
        endLater(stream, 500, 'agent');
        endLater(stream, 500, 'plane');
      }
    },
  };
}
