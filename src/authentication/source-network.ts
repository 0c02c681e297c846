/**
 * The network of a sender, as far as one sender chooses addresses freely: an IPv4 address, or the 64-bit prefix of an IPv6 address (RFC
 * 4291, section 2.5.4).
 *
 * @param address without a zone; may be empty
 */
export function sourceNetwork(address: string): string {
  if (!address.includes(':')) return address
  const [head = [], tail = []] = address.split('::').map(part => (part === '' ? [] : part.split(':')))
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0')
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`
}
