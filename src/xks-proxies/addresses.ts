/**
 * Addresses that a proxy of a caller's choice may have. Any other would make the gateway send requests into its own network (server-side
 * request forgery).
 */
import { BlockList, isIP, isIPv4, type LookupFunction } from 'node:net'

/** IANA IPv4 Special-Purpose Address Registry, and RFC 5771 (multicast). */
const special: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]

/** Of IPv6 global unicast: IANA IPv6 Special-Purpose Address Registry. 2002::/16 and 2001::/32 have an IPv4 address in them. */
const specialIpv6: typeof special = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const refused = new BlockList()
for (const [network, prefix] of special) refused.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of specialIpv6) refused.addSubnet(network, prefix, 'ipv6')

/** RFC 4291, section 2.4: everything else is loopback, link-local, unique local, multicast, or has an IPv4 address in it (NAT64). */
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/** @param address IPv4 or IPv6; with a zone, it is refused */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !refused.check(address, 'ipv4')
  return isIP(address) === 6 && globalUnicast.check(address, 'ipv6') && !refused.check(address, 'ipv6')
}

/** A host that has no public address. Its message is for the operator: a caller must not learn what the gateway's name servers say. */
export class PrivateAddress extends Error {
  constructor(host: string) {
    super(`${host} has no public address, and customKeyStores.allowPrivateAddresses is not set`)
    this.name = 'PrivateAddress'
  }
}

/**
 * Looks a host up, and finds its public addresses only. It is called when a connection is made, and the connection is made to what it found:
 * a name that has other addresses the next time changes nothing.
 */
export function publicLookup(lookup: LookupFunction): LookupFunction {
  return (host, options, callback) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, [])
      const addresses = typeof found === 'string' ? [] : found.filter(({ address }) => isPublicAddress(address))
      const [first] = addresses
      if (first === undefined) callback(new PrivateAddress(host), [])
      else if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
}
