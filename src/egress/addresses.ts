import { isIP } from 'node:net';

import ipaddr from 'ipaddr.js';

/** Whether a connection to an address and port may be opened. */
export type MayReach = (address: string, port: number) => boolean;

/**
 * The rule of the egress guard. Public unicast addresses may be reached, except on ports of other
 * protocols; an address in one of `allowCidrs` may be reached on any port. Everything else is refused:
 * loopback, private, link-local and metadata addresses, carrier-grade NAT, multicast, reserved ranges,
 * IPv6 that carries an IPv4 address (NAT64, 6to4, Teredo), zone ids, and texts that are no address.
 * An IPv4-mapped IPv6 address is judged as the IPv4 address that it reaches.
 */
export function createMayReach(allowCidrs: readonly string[]): MayReach {
  const allowed = allowCidrs.map((cidr) => ipaddr.parseCIDR(cidr));
  return (text, port) => {
    if (isIP(text) === 0 || text.includes('%')) return false;
    const address = ipaddr.process(text);
    if (allowed.some(([range, bits]) => isIn(address, range, bits))) return true;
    return isPublic(address) && !OTHER_PROTOCOLS.has(port);
  };
}

/** Whether the text of a host alone rules it out: a refused address, or a name of this machine (RFC 6761 §6.3). */
export function isRuledOut(mayReach: MayReach, hostname: string, port: number): boolean {
  if (isIP(hostname) !== 0) return !mayReach(hostname, port);
  return isLoopbackName(hostname) && !LOOPBACK.some((one) => mayReach(one, port));
}

const LOOPBACK = ['127.0.0.1', '::1'];

function isLoopbackName(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/iu.test(hostname);
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

function isIn(address: Address, range: Address, bits: number): boolean {
  return address.kind() === range.kind() && address.match(range, bits);
}

/** Global unicast (RFC 4291 §2.4): all IPv6 addresses assigned so far are in 2000::/3. */
const GLOBAL_IPV6 = ipaddr.parse('2000::');
/** Azure's metadata and agent endpoint: its number is public, but it can be reached only from inside. */
const AZURE_WIRE_SERVER = ipaddr.parse('168.63.129.16');

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast') return false;
  return address.kind() === 'ipv6'
    ? isIn(address, GLOBAL_IPV6, 3)
    : !isIn(address, AZURE_WIRE_SERVER, 32);
}

/** Ports on which an HTTP request could be mistaken for another protocol (WHATWG Fetch, "bad port"). */
const OTHER_PROTOCOLS = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
  103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
  512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
  995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
  6669, 6679, 6697, 10080,
]);
