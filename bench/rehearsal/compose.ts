import { parse } from 'yaml';
import { z } from 'zod';

/** The parts of docker-compose.yml that a rehearsal runs. */
export interface Compose {
  /** The version of Temporal's server. */
  temporalVersion: string;
  /** The text of Temporal's dynamic configuration. */
  dynamicConfig: string;
  /** The variables of a service, as its container gets them. */
  environmentOf(service: string): Record<string, string>;
  /** The shell script of a service that does its work once and then ends. */
  scriptOf(service: string): string;
}

const File = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      environment: z.record(z.string(), z.coerce.string()).default({}),
      command: z.array(z.string()).default([]),
    }),
  ),
  configs: z.object({ 'temporal-dynamic-config': z.object({ content: z.string() }) }),
});

/** Reads docker-compose.yml with the values of an .env. Throws when it asks for a value that is missing. */
export function readCompose(text: string, values: Record<string, string>): Compose {
  const { services, configs } = File.parse(parse(text, { merge: true }));
  const fill = (raw: string): string => fillIn(raw, values);

  function serviceOf(name: string) {
    const service = services[name];
    if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
    return service;
  }

  const { image } = serviceOf('temporal');
  return {
    temporalVersion: image.slice(image.indexOf(':') + 1),
    dynamicConfig: fill(configs['temporal-dynamic-config'].content),
    environmentOf: (name) =>
      Object.fromEntries(
        Object.entries(serviceOf(name).environment).map(([variable, raw]) => [variable, fill(raw)]),
      ),
    scriptOf: (name) => {
      const [script] = serviceOf(name).command;
      if (script === undefined) throw new Error(`${name} in docker-compose.yml has no command`);
      return fill(script);
    },
  };
}

/** Replaces `${NAME}`, `${NAME:-default}`, `${NAME:?message}` and `$$` as Compose does. */
function fillIn(raw: string, values: Record<string, string>): string {
  return raw.replaceAll(
    /\$(?:\$|\{([A-Z_]+)(?::([-?])([^}]*))?\})/gu,
    (_whole, name?: string, kind?: string, rest?: string) => {
      if (name === undefined) return '$';
      const value = values[name] ?? '';
      if (value !== '' || kind === undefined) return value;
      if (kind === '-') return rest ?? '';
      throw new Error(`docker-compose.yml needs ${name}: ${rest}`);
    },
  );
}
