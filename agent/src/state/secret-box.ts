// Encrypts what lies on the disk with a key that lies beside it: a copy of a single file, or a backup without the key,
// tells nothing.
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { MACHINE_FILES, readIfThere, writeDurable } from './durable-file.ts';

export interface SecretBox {
  /** `name` is part of what is sealed: content moved to another name does not open. */
  readonly seal: (name: string, content: Uint8Array) => Promise<Buffer>;
  /** Undefined when it was not sealed with this key under this name. */
  readonly open: (name: string, sealed: Buffer) => Buffer | undefined;
}

const MAGIC = Buffer.from('fleetset-sealed-1\n');
const CIPHER = 'aes-256-gcm';
const [KEY_BYTES, NONCE_BYTES, TAG_BYTES] = [32, 12, 16];
const HEAD_BYTES = MAGIC.length + NONCE_BYTES + TAG_BYTES;

export const isSealed = (content: Buffer): boolean => content.subarray(0, MAGIC.length).equals(MAGIC);

/** The key is made with the first thing that is sealed. One that is damaged opens nothing, and is replaced then. */
export async function openSecretBox(keyPath: string, files = MACHINE_FILES): Promise<SecretBox> {
  const stored = await readIfThere(keyPath, files);
  let key = stored?.length === KEY_BYTES ? createSecretKey(stored) : undefined;
  let making: Promise<KeyObject> | undefined;
  const makeKey = async () => {
    const made = randomBytes(KEY_BYTES);
    await writeDurable(keyPath, made, 0o600, files);
    return createSecretKey(made);
  };
  const theKey = async (): Promise<KeyObject> => {
    making ??= makeKey().finally(() => {
      making = undefined;
    });
    key ??= await making;
    return key;
  };
  return {
    seal: async (name, content) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key ?? (await theKey()), nonce).setAAD(Buffer.from(name));
      const body = Buffer.concat([cipher.update(content), cipher.final()]);
      return Buffer.concat([MAGIC, nonce, cipher.getAuthTag(), body]);
    },
    open: (name, sealed) => {
      if (!key || !isSealed(sealed) || sealed.length < HEAD_BYTES) return undefined;
      const nonce = sealed.subarray(MAGIC.length, MAGIC.length + NONCE_BYTES);
      const tag = sealed.subarray(MAGIC.length + NONCE_BYTES, HEAD_BYTES);
      try {
        const decipher = createDecipheriv(CIPHER, key, nonce).setAAD(Buffer.from(name)).setAuthTag(tag);
        return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()]);
      } catch {
        return undefined;
      }
    },
  };
}
