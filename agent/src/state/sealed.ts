// Content with its checksum before it, so that what was cut short or changed on the disk is noticed and not
// believed: half of a protobuf message is a whole one that says less.
import { createHash } from 'node:crypto';

const LENGTH = 32;
const checksum = (content: Uint8Array): Buffer => createHash('sha256').update(content).digest();

export const seal = (content: Uint8Array): Buffer => Buffer.concat([checksum(content), content]);

/** Throws when the content is not what was sealed. */
export function unseal(sealed: Buffer): Buffer {
  const content = sealed.subarray(LENGTH);
  if (sealed.length < LENGTH || !checksum(content).equals(sealed.subarray(0, LENGTH)))
    throw new Error('the file is damaged: its checksum does not fit its content');
  return content;
}
