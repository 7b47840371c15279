// Runs in the network of a pod, and dials there what the agent asks for. The connected socket goes over to the agent:
// it stays in the pod's network, and nothing of it passes through here.
import { dialLocalhost } from './dial-localhost.ts';

export interface DialRequest {
  readonly id: number;
  readonly port: number;
}

export interface DialAnswer {
  readonly id: number;
  /** Absent when the socket comes along. */
  readonly code?: string;
}

const tell = (answer: DialAnswer, socket?: Awaited<ReturnType<typeof dialLocalhost>>) =>
  void process.send?.(answer, socket);

process.on('message', ({ id, port }: DialRequest) => {
  dialLocalhost(port).then(
    (socket) => tell({ id }, socket),
    (error: NodeJS.ErrnoException) => tell({ id, code: error.code ?? error.message }),
  );
});
process.on('disconnect', () => process.exit());
