// In which of the forms that the API can write a client is answered, by its Accept header and Kubernetes' rules.
import { ApiError } from './api-error.ts';
import { PROTOBUF_TYPE } from './protobuf-body.ts';

export const JSON_TYPE = 'application/json';
export const YAML_TYPE = 'application/yaml';

export type ReplyForm = 'object' | 'table' | 'partial';

export interface Negotiated {
  readonly type: typeof JSON_TYPE | typeof YAML_TYPE;
  readonly form: ReplyForm;
}

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Undefined: the client takes nothing that there is. What prefers protobuf, which is not written, gets its next choice. */
export function negotiate(accept: string | undefined): Negotiated | undefined {
  if (!accept) return { type: JSON_TYPE, form: 'object' };
  const fitting = clausesOf(accept).flatMap((clause) => answerTo(clause) ?? []);
  const [first] = fitting;
  if (!first) return undefined;
  const written = fitting.find(({ type }) => type !== PROTOBUF_TYPE);
  return { type: written?.type === YAML_TYPE ? YAML_TYPE : JSON_TYPE, form: first.form };
}

/** Of those that may fit, the one that is liked best comes first. */
function clausesOf(accept: string): Clause[] {
  const rank = ({ type, parameters }: Clause): readonly number[] => {
    const quality = Number(parameters.get('q') ?? 1);
    return [
      Number.isNaN(quality) ? 1 : quality,
      Number(!type.startsWith('*/')),
      Number(!type.endsWith('/*')),
    ];
  };
  return accept
    .split(',')
    .filter((text) => /^\s*(\*|application)\//i.test(text))
    .map(readClause)
    .map((clause) => ({ clause, rank: rank(clause) }))
    .sort((a, b) => b.rank.map((value, index) => value - (a.rank[index] ?? 0)).find(Boolean) ?? 0)
    .map(({ clause }) => clause);
}

function readClause(text: string): Clause {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = rest.map((part) => {
    const [name = '', value = ''] = part.split('=', 2);
    return [name.trim(), value.trim()] as const;
  });
  return { type: type.toLowerCase(), parameters: new Map(parameters) };
}

function answerTo({
  type,
  parameters,
}: Clause): { readonly type: string; readonly form: ReplyForm } | undefined {
  const fitting = [JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE].find(
    (served) => type === served || type === 'application/*' || type === '*/*',
  );
  const form = formOf(parameters);
  return fitting && form ? { type: fitting, form } : undefined;
}

/** Undefined: an object cannot be turned into that. */
function formOf(parameters: Clause['parameters']): ReplyForm | undefined {
  const as = parameters.get('as');
  if (as === undefined) return 'object';
  const version = `${parameters.get('g')}/${parameters.get('v')}`;
  if (version !== 'meta.k8s.io/v1' && version !== 'meta.k8s.io/v1beta1') return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'partial' : undefined;
}

const notAcceptable = (types: readonly string[]): ApiError =>
  new ApiError(406, 'NotAcceptable', `only the following media types are accepted: ${types.join(', ')}`);

/** Throws 406. */
export function requireNegotiated(accept: string | undefined): Negotiated {
  const negotiated = negotiate(accept);
  if (!negotiated) throw notAcceptable([JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE]);
  return negotiated;
}

/** Throws 406, as Kubernetes: YAML has no frames. */
export function requireStreamable({ type }: Negotiated): void {
  if (type === YAML_TYPE)
    throw notAcceptable([JSON_TYPE, PROTOBUF_TYPE].map((streamed) => `${streamed};stream=watch`));
}
