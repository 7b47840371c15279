// How much data of a client may be on its way to an agent that has not passed it on: see CarryRequest.taken.

export const TUNNEL_WINDOW_BYTES = 256 * 1024;
/** One frame's worth, well below what a message may be. */
export const TUNNEL_PIECE_BYTES = 64 * 1024;

export function* piecesOf(data: Uint8Array, size = TUNNEL_PIECE_BYTES): Iterable<Buffer> {
  for (let at = 0; at < data.length; at += size) {
    const piece = data.subarray(at, at + size);
    yield Buffer.from(piece.buffer, piece.byteOffset, piece.length);
  }
}
