// A port that stays a program's before it runs and while it is down: the system gives it to nobody who asks for any, as a
// connection has it, and who asks for it by its number may listen on it all the same. Without it, a program that is started
// finds now and then that somebody else was given its port meanwhile.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

const HOST = '127.0.0.1';

/** Kept until this process ends. */
export async function keepPort(): Promise<number> {
  const other = createServer((socket) => socket.unref()).unref();
  other.listen(0, HOST);
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  // Bound before it connects: only what is bound by hand leaves its port to who asks for it.
  const keeper = connect({ host: HOST, port, localAddress: HOST, localPort: 0 }).unref();
  await once(keeper, 'connect');
  return keeper.localPort as number;
}
