// How the engine writes the name of an image in its lists, whichever way a manifest writes it.

const DEFAULT_REGISTRY = /^(?:index\.)?docker\.io\//;

/** `docker.io/library/nginx` is `nginx:latest`; of a name with a tag and a digest the digest counts. */
export function familiarName(image: string): string {
  const short = image.replace(DEFAULT_REGISTRY, '').replace(/^library\/(?=[^/]+$)/, '');
  const [name = '', digest] = short.split('@');
  if (digest !== undefined) return `${name.replace(TAG, '')}@${digest}`;
  return TAG.test(name) ? name : `${name}:latest`;
}

/** What follows the last colon is a tag, unless it is the port of a registry. */
const TAG = /:[^/:]+$/;
