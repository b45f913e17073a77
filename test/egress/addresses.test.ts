import { expect, test } from 'vitest';

import { createMayReach } from '../../src/egress/addresses.ts';

const mayReach = createMayReach([]);

/** By what they are. */
const REFUSED: Record<string, string[]> = {
  'this network': ['0.0.0.0', '0.0.0.1', '0.255.255.255'],
  loopback: ['127.0.0.1', '127.0.0.2', '127.255.255.254'],
  private: [
    '10.0.0.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.1.1',
  ],
  'carrier-grade NAT': ['100.64.0.1', '100.100.100.200', '100.127.255.255'],
  'link-local and metadata': ['169.254.169.254', '169.254.170.2', '169.254.0.1', '168.63.129.16'],
  'protocol assignments': ['192.0.0.1', '192.0.0.192', '192.0.0.170'],
  documentation: ['192.0.2.1', '198.51.100.7', '203.0.113.9'],
  'the 6to4 relay, AS112 and AMT': ['192.88.99.1', '192.31.196.1', '192.175.48.1', '192.52.193.1'],
  benchmarking: ['198.18.0.1', '198.19.255.255'],
  multicast: ['224.0.0.1', '239.255.255.250'],
  'reserved and broadcast': ['240.0.0.1', '254.1.2.3', '255.255.255.255'],
  'IPv6 unspecified and loopback': ['::', '::1', '0:0:0:0:0:0:0:1'],
  'IPv4-mapped': [
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '::ffff:169.254.169.254',
    '::FFFF:0:0',
  ],
  'IPv4-compatible': ['::127.0.0.1', '::7f00:1', '::a00:1', '::808:808'],
  'IPv4-translated': ['::ffff:0:127.0.0.1', '::ffff:0:8.8.8.8'],
  NAT64: [
    '64:ff9b::7f00:1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::7f00:1',
    '64:ff9b:1:2::a00:1',
  ],
  '6to4': ['2002:7f00:1::', '2002:a00:1::1', '2002:a9fe:a9fe::1', '2002:808:808::1'],
  Teredo: ['2001::7f00:1', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001::1'],
  'link-local': ['fe80::1', 'febf::1', 'fe80::a9fe:a9fe'],
  'with a zone id': ['fe80::1%eth0', 'fe80::1%1', '::1%lo', '2606:4700:4700::1111%eth0'],
  'site-local': ['fec0::1', 'feff::1'],
  'unique local': ['fc00::1', 'fd00::1', 'fd00:ec2::254', 'fd12:3456:789a::1'],
  'IPv6 multicast': ['ff02::1', 'ff05::2', 'ff0e::1'],
  'IPv6 documentation': ['2001:db8::1', '3fff::1'],
  'IPv6 special': ['100::1', '2001:2::1', '2001:10::1', '2001:20::1', '2001:3::1', '5f00::1'],
  'not handed out': ['4000::1', '8000::1', 'e000::1', '1::1'],
  'no address': [
    '',
    'localhost',
    'example.com',
    '127.1',
    '0x7f000001',
    '2130706433',
    '0177.0.0.1',
    '[::1]',
    ' 8.8.8.8',
  ],
};

test.each(Object.entries(REFUSED))('no address is allowed that is %s', (_what, addresses) => {
  for (const address of addresses)
    expect([address, mayReach(address, 443)]).toEqual([address, false]);
});

test('public unicast addresses are allowed, also as IPv4-mapped IPv6', () => {
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '192.167.1.1',
    '169.253.1.1',
    '11.0.0.1',
    '126.1.1.1',
    '128.0.0.1',
    '223.255.255.1',
    '168.63.129.17',
    '::ffff:8.8.8.8',
    '2606:4700:4700::1111',
    '2a00:1450:4001:81b::200e',
  ])
    expect([address, mayReach(address, 443)]).toEqual([address, true]);
});

test('a port of another protocol is refused at public addresses, and allowed in an allowed range', () => {
  for (const port of [1, 22, 25, 53, 110, 143, 465, 587, 993, 2049, 5060, 6000, 6667, 10080])
    expect([port, mayReach('8.8.8.8', port)]).toEqual([port, false]);
  for (const port of [80, 443, 8080, 8443, 3000, 65535])
    expect(mayReach('8.8.8.8', port)).toBe(true);
  expect(createMayReach(['10.0.0.0/8'])('10.1.2.3', 25)).toBe(true);
});

test('an allowed range allows its own addresses and no others, in whichever form they are written', () => {
  const may = createMayReach(['10.1.0.0/16', '127.0.0.1/32', 'fd00::/8', '::1/128']);
  for (const address of [
    '10.1.0.1',
    '10.1.255.255',
    '127.0.0.1',
    '::ffff:10.1.2.3',
    '::ffff:7f00:1',
    'fd12::1',
    '::1',
  ])
    expect([address, may(address, 80)]).toEqual([address, true]);
  for (const address of [
    '10.2.0.1',
    '10.0.255.255',
    '127.0.0.2',
    'fc00::1',
    '::2',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '::7f00:1',
  ])
    expect([address, may(address, 80)]).toEqual([address, false]);
});
