// A name server that knows the names it is told, and of every other says that there is none.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export interface NameServer {
  readonly add: (name: string) => void;
  readonly close: () => void;
}

const TYPE_A = 1;
const FOUND = 0x8180;
const NO_SUCH_NAME = 0x8183;
const HEADER_BYTES = 12;
/** Points back to the name in the question; then A, IN, a TTL of 1 s, four bytes: any address will do. */
const ADDRESS = Buffer.from([0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1]);

export async function startNameServer(address: string, port = 53): Promise<NameServer> {
  const names = new Set<string>();
  const socket = createSocket('udp4');
  socket.on('message', (question, from) => {
    const { name, end } = nameIn(question);
    const isKnown = names.has(name);
    const answers = isKnown && question.readUInt16BE(end) === TYPE_A ? [ADDRESS] : [];
    const header = Buffer.alloc(HEADER_BYTES);
    question.copy(header, 0, 0, 2);
    header.writeUInt16BE(isKnown ? FOUND : NO_SUCH_NAME, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    const asked = question.subarray(HEADER_BYTES, end + 4);
    socket.send(Buffer.concat([header, asked, ...answers]), from.port, from.address);
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  return { add: (name) => void names.add(name), close: () => void socket.close() };
}

/** The name that is asked for, and where it ends. */
function nameIn(question: Buffer): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
    labels.push(question.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}
