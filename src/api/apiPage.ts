import type { Document, Operation } from './document.ts';
import type { Schema } from './example.ts';

/** Renders `docs/api.md` from the OpenAPI document: every operation with parameters, bodies and answers. */
export function apiPage(document: Document): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const tags = document.tags ?? [];
  const sections = tags.flatMap(({ name, description }) => [
    `## ${name}`,
    `${description}.`,
    ...operations
      .filter(({ operation }) => operation.tags?.[0] === name)
      .map((one) => operationText(one.method, one.path, one.operation)),
  ]);
  return [
    '# The API',
    'Generated from the OpenAPI document by `npm run docs`. A running server has the document at `/v1/openapi.json`, and a\npage to try it at `/docs/reference`. Every path takes `Authorization: Bearer <key>` unless it says otherwise.',
    'Times are RFC 3339 in UTC, positions are integers, cursors are opaque. Lists answer `{ data, next_cursor }`. Errors are\n`application/problem+json` (RFC 9457) with a stable `code`, which [Errors](errors.md) explains. Every answer has `x-request-id`.',
    ...sections,
    '## Webhooks',
    ...Object.entries(document.webhooks ?? {}).flatMap(([name, methods]) =>
      Object.values(methods).map((operation) => webhookText(name, operation)),
    ),
    '## Shapes',
    ...Object.entries(document.components.schemas)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, schema]) => shapeText(name, schema)),
  ]
    .join('\n\n')
    .concat('\n');
}

function operationText(method: string, path: string, operation: Operation): string {
  const { summary, description, parameters = [], requestBody, responses, security } = operation;
  const parts = [`### ${summary}`, `\`${method.toUpperCase()} ${path}\``];
  if (description !== undefined && description !== `${summary}.`) parts.push(description);
  if (security === undefined) parts.push('Needs no key.');
  if (parameters.length > 0) parts.push(parametersText(parameters));
  for (const [type, { schema, example }] of Object.entries(requestBody?.content ?? {})) {
    parts.push(`Body \`${type}\`: ${schema === undefined ? 'text' : typeText(schema)}`);
    if (example !== undefined) parts.push(code(example));
  }
  parts.push(answersText(responses));
  for (const [status, { content }] of Object.entries(responses)) {
    const example = content?.['application/json']?.example;
    if (status.startsWith('2') && example !== undefined) parts.push(code(example));
  }
  return parts.join('\n\n');
}

function webhookText(name: string, operation: Operation): string {
  const example = operation.requestBody?.content['application/json']?.example;
  return [
    `### ${name}`,
    `${operation.summary}. ${operation.description ?? ''}`,
    parametersText(operation.parameters ?? []),
    ...(example === undefined ? [] : [code(example)]),
  ].join('\n\n');
}

function parametersText(parameters: NonNullable<Operation['parameters']>): string {
  const rows = parameters.map(({ name, in: place, required, schema = {}, description }) =>
    row([
      `\`${name}\``,
      place,
      typeText(schema),
      required === true ? 'yes' : defaultText(schema),
      description ?? schema.description ?? '',
    ]),
  );
  return [
    row(['parameter', 'in', 'type', 'required', 'meaning']),
    row(Array(5).fill('---')),
    ...rows,
  ].join('\n');
}

function defaultText(schema: Schema): string {
  return schema.default === undefined ? 'no' : `no: \`${JSON.stringify(schema.default)}\``;
}

function answersText(responses: Operation['responses']): string {
  const rows = Object.entries(responses).map(([status, { description, content = {} }]) => {
    const [type, media] = Object.entries(content)[0] ?? [];
    const shape =
      type === undefined
        ? '–'
        : media?.schema === undefined
          ? `\`${type}\``
          : typeText(media.schema);
    return row([status, shape, description]);
  });
  return [row(['status', 'answer', 'meaning']), row(Array(3).fill('---')), ...rows].join('\n');
}

function shapeText(name: string, schema: Schema): string {
  const parts = [`### ${name}`];
  if (schema.description !== undefined) parts.push(schema.description);
  if (schema.properties === undefined)
    parts.push(typeText({ ...schema, $ref: undefined as never }));
  else {
    const rows = Object.entries(schema.properties).map(([field, inner]) =>
      row([
        `\`${field}\``,
        typeText(inner),
        schema.required?.includes(field) === true ? 'yes' : defaultText(inner),
        inner.description ?? '',
      ]),
    );
    parts.push(
      [row(['field', 'type', 'required', 'meaning']), row(Array(4).fill('---')), ...rows].join(
        '\n',
      ),
    );
  }
  return parts.join('\n\n');
}

function typeText(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return `[${name}](#${name.toLowerCase()})`;
  }
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${String(one)}\``).join(', ');
  const branches = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (branches !== undefined) {
    return [...new Set(branches.map(typeText))].join(schema.allOf === undefined ? ' or ' : ' and ');
  }
  if (schema.type === 'array') {
    return `list of ${schema.items === undefined ? 'anything' : typeText(schema.items)}`;
  }
  if (schema.type === 'object' && schema.properties !== undefined) {
    const fields = Object.entries(schema.properties).map(
      ([name, inner]) => `\`${name}\`: ${typeText(inner)}`,
    );
    return fields.length === 0 ? 'object' : `{ ${fields.join(', ')} }`;
  }
  const type = [schema.type ?? 'anything'].flat().join(' or ');
  return schema.format === undefined ? type : `${type} (${schema.format})`;
}

function row(cells: string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

function code(value: unknown): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
}
