// Bytes for keeping. Node cuts small Buffers from slabs of 64 KiB, and a slab stays as long as any piece of it is held:
// a thousand small texts that are kept, each from another slab, would hold 64 MiB.

/** UTF-8, in memory of its own. */
export function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

/** The same bytes as a Buffer, without a copy. */
export const asBuffer = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength);
