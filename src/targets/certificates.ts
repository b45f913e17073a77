import { refuseField } from '../db/refusal.ts';
import { certificatesFault } from '../egress/certificates.ts';
import { CannotStart } from '../rules/startFault.ts';

/** Throws a `Refusal` unless `ca` is null or a bundle of PEM certificates, with any text between them. */
export function refuseCertificates(ca: string | null): void {
  const fault = ca === null ? null : certificatesFault(ca);
  if (fault !== null) throw refuseField('/ca', fault);
}

/** Throws `CannotStart` unless the stored `ca` is null or holds certificates that can be read. */
export function needCertificates(ca: string | null): void {
  try {
    refuseCertificates(ca);
  } catch (error) {
    const detail = "The target's ca can't be read as PEM certificates: save it again";
    throw new CannotStart('certificate_unreadable', detail, { cause: error });
  }
}
