import { z } from 'zod';

import { Timestamp } from './fields.ts';

/** The most characters of a certificate with its chain, and of a key. */
const MOST = { certificate: 65_536, key: 16_384 };

/** A client certificate as it is saved. */
export const ClientCertificateInput = z
  .strictObject({
    certificate: z.string().min(1).max(MOST.certificate).meta({
      description:
        'As PEM, followed by its intermediate certificates, each by the one that issued it',
      writeOnly: true,
    }),
    key: z.string().min(1).max(MOST.key).meta({
      description: 'The private key of the certificate as PEM, not encrypted; it is never shown',
      writeOnly: true,
    }),
  })
  .meta({ id: 'ClientCertificateInput' });
export type ClientCertificateInput = z.infer<typeof ClientCertificateInput>;

/** What is shown of a client certificate. */
export const ClientCertificate = z
  .object({
    subject: z.string().meta({ example: 'CN=millrace.example.com' }),
    issuer: z.string().meta({ example: 'CN=Example Clients' }),
    valid_from: Timestamp,
    valid_until: Timestamp.meta({
      description: 'When it ends, or a certificate of its chain does, if that is earlier',
    }),
    fingerprint: z.string().meta({
      description: 'The SHA-256 of the certificate',
      example:
        '9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08',
    }),
  })
  .meta({ id: 'ClientCertificate' });
export type ClientCertificate = z.infer<typeof ClientCertificate>;
