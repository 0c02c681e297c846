import { isIPv4, isIPv6 } from 'node:net'

/** How condition operators read a value, of a policy or of a request: IAM User Guide, "Condition operators". Undefined for what is none. */

const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/

export function readNumber(text: string): number | undefined {
  return decimal.test(text) ? finite(Number(text)) : undefined
}

/** What is out of range is no number: as Infinity it would be no less than the greatest of no values. */
function finite(number: number): number | undefined {
  return Number.isFinite(number) ? number : undefined
}

const isoDate = /^(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(?:Z|([+-])(\d\d):?(\d\d))?)?)?$/
const epoch = /^-?\d+(?:\.\d+)?$/

/** Milliseconds since the epoch, of seconds since the epoch or of a date of ISO 8601 as W3C's NOTE-datetime has it; UTC without a zone. */
export function readDate(text: string): number | undefined {
  if (epoch.test(text)) return finite(Number(text) * 1000)
  const found = isoDate.exec(text)
  if (!found) return undefined
  const [year, month, day = 1, hour = 0, minute = 0, second = 0] = found.slice(1, 7).map(part => part && Number(part))
  const time = new Date(
    Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)),
  )
  // A 30th of February is no date.
  if (time.getUTCMonth() !== Number(month) - 1 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) {
    return undefined
  }
  const offset = (Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)) * (found[8] === '-' ? -1 : 1)
  return time.getTime() + Number(found[7] ?? 0) * 1000 - offset * 60_000
}

export function readBoolean(text: string): boolean | undefined {
  if (/^true$/i.test(text)) return true
  return /^false$/i.test(text) ? false : undefined
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Bytes as characters. */
export function readBase64(text: string): string | undefined {
  return base64.test(text) ? Buffer.from(text, 'base64').toString('latin1') : undefined
}

interface Address {
  readonly family: 'ipv4' | 'ipv6'
  /** 128, of an IPv4 address those of the IPv6 address that stands for it: RFC 4291, section 2.5.5.2. */
  readonly bits: bigint
}

interface AddressRange {
  readonly family: Address['family']
  /** Bits at the end of an address that may differ. */
  readonly hostBits: bigint
  /** The other bits. */
  readonly network: bigint
}

/** An address, or a range in CIDR notation (RFC 4632, RFC 4291). */
export function readAddressRange(text: string): AddressRange | undefined {
  const [, address = '', prefix] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const { family, bits = 0n } = readAddress(address) ?? {}
  if (!family) return undefined
  const length = family === 'ipv4' ? 32 : 128
  const hostBits = prefix === undefined ? 0 : length - Number(prefix)
  return hostBits < 0 ? undefined : { family, hostBits: BigInt(hostBits), network: bits >> BigInt(hostBits) }
}

/**
 * Whether an address is in one of the ranges. An IPv4 address written as an IPv6 one (`::ffff:192.0.2.1`) is that IPv4 address, too, but no
 * IPv4 address is in a range of IPv6. Node's BlockList would take 5 KB for each range.
 */
export function isWithin(ranges: readonly AddressRange[]): (address: string) => boolean {
  const { ipv4 = [], ipv6 = [] } = Object.groupBy(ranges, ({ family }) => family)
  const [inIPv4, inIPv6] = [isInNetwork(ipv4), isInNetwork(ipv6)]
  return text => {
    const address = readAddress(text)
    return address !== undefined && (inIPv4(address.bits) || (address.family === 'ipv6' && inIPv6(address.bits)))
  }
}

function isInNetwork(ranges: readonly AddressRange[]): (bits: bigint) => boolean {
  const networks = new Map<bigint, Set<bigint>>()
  for (const { hostBits, network } of ranges) {
    const known = networks.get(hostBits)
    if (known) known.add(network)
    else networks.set(hostBits, new Set([network]))
  }
  return bits => {
    for (const [hostBits, known] of networks) if (known.has(bits >> hostBits)) return true
    return false
  }
}

function readAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 'ipv4', bits: joined([0xffff, ...groupsOf(text)]) }
  if (!isIPv6(text) || text.includes('%')) return undefined
  const [head = [], tail = []] = text.split('::').map(part => part.split(':').flatMap(groupsOf))
  const zeros = Array<number>(8 - head.length - tail.length).fill(0)
  return { family: 'ipv6', bits: joined([...head, ...zeros, ...tail]) }
}

/** Groups of 16 bits: of one in hexadecimal digits, of an IPv4 address, or none. */
function groupsOf(part: string): readonly number[] {
  if (part === '') return []
  if (!part.includes('.')) return [Number.parseInt(part, 16)]
  const [a, b, c, d] = part.split('.').map(Number)
  return [a! * 256 + b!, c! * 256 + d!]
}

function joined(groups: readonly number[]): bigint {
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n)
}
