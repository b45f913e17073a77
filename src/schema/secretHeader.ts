/** Words that a name holds anywhere: `x-authorization-v2`, `set-cookie`, `x-api-key-id`. */
const ANYWHERE = /authorization|cookie|secret|password|passwd|credential|api[-_.]?key/u;
/** Words that a name ends with: `x-auth-token`, `ocp-apim-subscription-key`, `x-auth`. */
const AT_THE_END = /(?:token|key|(?:^|[-_.])(?:auth|jwt|pass|pwd|sid|session))$/u;

/**
 * Whether a header's name says that it carries credentials, in any case. Its value is then kept like those of a
 * target's credentials: sealed, masked in answers, and never sent to another origin unless it is given again.
 */
export function isSecretHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return ANYWHERE.test(lower) || AT_THE_END.test(lower);
}

/** The rule in words, for the reference. */
export const SECRET_HEADER_RULE =
  'A header carries credentials if its name, in any case, contains `authorization`, `cookie`, `secret`, ' +
  '`password`, `passwd`, `credential` or `api-key`, or ends with `token` or `key` or with the word `auth`, ' +
  '`jwt`, `pass`, `pwd`, `sid` or `session`. Its value is sealed and comes back masked';
