// The bytes of the desired state in what the plane said, as they came: also the fields that a newer plane knows.
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** Field `desired` of SyncResponse, length-delimited. */
const DESIRED_TAG = (2 << 3) | 2;

/** Undefined when it says something else. */
export function desiredBytesOf(syncResponse: Uint8Array): Uint8Array | undefined {
  const reader = new BinaryReader(syncResponse);
  let found: Uint8Array | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === DESIRED_TAG) found = reader.bytes();
    else reader.skip(tag & 7);
  }
  return found;
}
