// The controller-revision-hash of a pod template (rule 50): FNV-1a of its text, spelled without vowels.
import { canonicalJson } from './canonical-json.ts';
import type { PodTemplateSpec } from './schema/pod.ts';

/** Letters and digits that cannot spell a word. Also what the random end of a pod's name is made of. */
export const SAFE_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** `collisions`: how often this DaemonSet met another template of the same hash (status.collisionCount). */
export function templateHash(template: PodTemplateSpec, collisions = 0): string {
  const text = canonicalJson(template) + (collisions === 0 ? '' : `#${collisions}`);
  return safeEncode(fnv1a32(text).toString());
}

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    if (unit > 0xff) hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash >>> 0;
}

const safeEncode = (text: string): string =>
  Array.from(text, (letter) => SAFE_LETTERS[letter.charCodeAt(0) % SAFE_LETTERS.length]).join('');
