// The images of a Docker engine.
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { type EngineImage, RuntimeError } from './container-runtime.ts';
import { asRuntimeError, call, type DockerFailure, SLOW_CALL_TIMEOUT_MS } from './engine-call.ts';
import { followProgress } from './engine-stream.ts';
import { HOLDER_IMAGE, holderArchive, holderProgram } from './holder-image.ts';
import type { PullCredential } from './pull-credentials.ts';

type ImageDetails = Docker.ImageInspectInfo | undefined;

export interface ImageLook {
  readonly inspect: (image: string) => Promise<ImageDetails>;
  /** What is being asked for says nothing of how it is from now on. */
  readonly changed: () => void;
}

/** Many pods that start at once ask for one image once. */
export function createImageLook(docker: Docker): ImageLook {
  const asked = new Map<string, Promise<ImageDetails>>();
  return {
    inspect: (image) => {
      const before = asked.get(image);
      if (before) return before;
      const asking = inspectImage(docker, image).finally(() => {
        if (asked.get(image) === asking) asked.delete(image);
      });
      asked.set(image, asking);
      return asking;
    },
    changed: () => asked.clear(),
  };
}

async function inspectImage(docker: Docker, image: string): Promise<ImageDetails> {
  try {
    return await call('inspect image', () => docker.getImage(image).inspect());
  } catch (error) {
    if (error instanceof RuntimeError && (error.kind === 'image-missing' || error.kind === 'not-found'))
      return undefined;
    throw error;
  }
}

export async function listImages(docker: Docker): Promise<EngineImage[]> {
  const [images, containers] = await Promise.all([
    call('list images', (abortSignal) => docker.listImages({ abortSignal }), SLOW_CALL_TIMEOUT_MS),
    call('list containers', (abortSignal) => docker.listContainers({ all: true, abortSignal })),
  ]);
  const used = new Set(containers.map(({ ImageID }) => ImageID));
  return images.map(({ Id, RepoTags, Size }) => ({
    id: Id,
    tags: (RepoTags ?? []).filter((tag) => tag !== '<none>:<none>'),
    sizeBytes: Size,
    inUse: used.has(Id),
  }));
}

/** A reference without tag and digest means latest; Docker would pull every tag there is. */
const withTag = (image: string): string =>
  image.includes('@') || /:[^/]+$/.test(image) ? image : `${image}:latest`;

export async function pullImage(
  docker: Docker,
  image: string,
  signal: AbortSignal,
  onProgress?: () => void,
  credential?: PullCredential,
): Promise<void> {
  const auth = credential && authOf(image, credential);
  try {
    const progress = await docker.createImage(auth, { fromImage: withTag(image), abortSignal: signal });
    await followProgress(progress, onProgress);
  } catch (error) {
    const failure = asRuntimeError('pull image', signal.aborted ? signal.reason : error);
    if (failure.kind === 'unreachable') throw failure;
    if (/^invalid reference format/.test(failure.message))
      throw new RuntimeError('invalid', failure.message, error);
    const kind = isRefusal(error, failure) ? 'pull-refused' : 'pull-failed';
    throw new RuntimeError(kind, failure.message, error);
  }
}

/** The engine answers 500 to what it could not ask, and in words to a login that the registry does not take. */
const isRefusal = (error: unknown, { message }: RuntimeError): boolean =>
  [400, 401, 403, 404].includes((error as DockerFailure | undefined)?.statusCode ?? 0) ||
  /\b(unauthorized|denied|forbidden)\b/i.test(message);

/** In a header, and so in no log of what was asked. */
const authOf = (image: string, { username, password, identityToken }: PullCredential) => ({
  serveraddress: image.split('/')[0] ?? '',
  ...(identityToken ? { identitytoken: identityToken } : { username, password }),
});

export async function importHolder(docker: Docker): Promise<void> {
  const { Architecture } = (await call('info', () => docker.info())) as { Architecture: string };
  const program = holderProgram(Architecture);
  if (!program)
    throw new RuntimeError(
      'invalid',
      `no holder for architecture ${Architecture}: only hostNetwork pods run here`,
    );
  const [repo, tag] = HOLDER_IMAGE.split(':');
  const archive = Readable.from([holderArchive(program)]);
  await call('import the holder', async (abortSignal) =>
    followProgress(await docker.importImage(archive, { repo, tag, abortSignal })),
  );
}
