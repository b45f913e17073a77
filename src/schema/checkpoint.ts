import { z } from 'zod';

import { text, Timestamp } from './fields.ts';

/** The most bytes that the value of a checkpoint may have. */
const VALUE_BYTES = 256 * 1024;

function fits(value: string): boolean {
  if (value.length > VALUE_BYTES) return false;
  return value.length <= VALUE_BYTES / 3 || new TextEncoder().encode(value).length <= VALUE_BYTES;
}

/** The name that a source gives itself. */
export const SourceName = text(255).meta({
  description: 'The name that the source gives itself',
  example: 'tap-shop',
});

export const CheckpointInput = z
  .strictObject({
    source: SourceName.refine(
      (name) => !name.startsWith('source/'),
      'must not begin with source/, as the places of the databases do that Millrace follows itself',
    ),
    key: text(255).meta({
      description: 'Which of the source’s places it is, such as a table or a stream',
      example: 'customers',
    }),
    value: z
      .string()
      .refine(fits, `must have at most ${VALUE_BYTES} bytes`)
      .refine((value) => !value.includes('\u0000'), 'must not contain U+0000')
      .refine((value) => value.isWellFormed(), 'must not contain a lone surrogate')
      .meta({
        description: 'Any text, at most 256 KiB, which is returned as it was sent',
        example: '{"updated_at":"2026-11-23T10:00:00Z"}',
      }),
  })
  .meta({ id: 'CheckpointInput' });
export type CheckpointInput = z.infer<typeof CheckpointInput>;

/** How far a source has come, in its own words. */
export const Checkpoint = z
  .object({
    source: z.string(),
    key: z.string(),
    value: z.string(),
    updated_at: Timestamp,
  })
  .meta({ id: 'Checkpoint' });
export type Checkpoint = z.infer<typeof Checkpoint>;
