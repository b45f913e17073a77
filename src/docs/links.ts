import { posix } from 'node:path';

/** The destination of a link on a page: an address, or a file that is not served. */
export type Destination = { href: string } | { file: string };

/** Finds where links in the project's Markdown lead on the site. */
export interface Links {
  /** `target` is what a page of the Markdown `file` links to, from the folder of that file. */
  lead(target: string, file: string): Destination;
}

/**
 * `pages` has the address of each Markdown file, `files` those of images and the like, both by their
 * path from the folder of the project.
 */
export function createLinks(pages: Map<string, string>, files: Map<string, string>): Links {
  return {
    lead(target, file) {
      if (/^[a-z][a-z\d+.-]*:/iu.test(target) || target.startsWith('#')) return { href: target };
      const [path = '', anchor] = target.split('#');
      const to = posix.join(posix.dirname(file), path);
      const address = pages.get(to) ?? files.get(to);
      if (address === undefined) return { file: to };
      return { href: anchor === undefined ? address : `${address}#${anchor}` };
    },
  };
}
