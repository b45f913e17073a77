/** The parts of JSON Schema that the document uses. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  pattern?: string;
  description?: string;
  example?: unknown;
  /** A secret to be sent, which examples leave out. */
  writeOnly?: boolean;
  examples?: unknown[];
  const?: unknown;
  enum?: unknown[];
  default?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  minimum?: number;
}

const FORMATS: Record<string, string> = {
  'date-time': '2026-11-23T10:00:00.000Z',
  uuid: '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11',
  uri: 'https://example.com/hooks',
  email: 'ops@example.com',
};

/** Builds a value that the schema accepts, from its examples, else the plainest value of its type. */
export function exampleOf(schema: Schema, schemas: Record<string, Schema>): unknown {
  const of = (inner: Schema): unknown => exampleOf(inner, schemas);
  if (schema.example !== undefined) return schema.example;
  if (schema.examples?.[0] !== undefined) return schema.examples[0];
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    const target = schemas[name];
    if (target === undefined) throw new Error(`the document has no schema ${name}`);
    return of(target);
  }
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  const first = (schema.anyOf ?? schema.oneOf)?.find((branch) => branch.type !== 'null');
  if (first !== undefined) return of(first);
  if (schema.allOf !== undefined) {
    return Object.assign({}, ...schema.allOf.map((part) => of(part)));
  }
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== 'null') : schema.type;
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([, inner]) => inner.writeOnly !== true)
          .map(([name, inner]) => [name, of(inner)]),
      );
    case 'array':
      return schema.items === undefined ? [] : [of(schema.items)];
    case 'string':
      return FORMATS[schema.format ?? ''] ?? 'text';
    case 'integer':
    case 'number':
      return schema.minimum ?? 0;
    case 'boolean':
      return false;
    case 'null':
      return null;
    default:
      return {};
  }
}
