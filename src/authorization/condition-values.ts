import { BlockList, isIPv4, isIPv6 } from 'node:net'

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

export interface AddressRange {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  /** Bits that must agree. */
  readonly prefix: number
}

/** An address, or a range in CIDR notation (RFC 4632, RFC 4291). */
export function readAddressRange(text: string): AddressRange | undefined {
  const [, address = '', prefix] = /^([^/%]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const family = familyOf(address)
  if (!family) return undefined
  const bits = family === 'ipv4' ? 32 : 128
  const length = prefix === undefined ? bits : Number(prefix)
  return length <= bits ? { address, family, prefix: length } : undefined
}

/**
 * Whether an address is in one of the ranges of its family. An IPv4 address written as an IPv6 one (`::ffff:192.0.2.1`) is that IPv4
 * address, but no IPv4 address is in a range of IPv6: BlockList would find it in `::/0`.
 */
export function isWithin(ranges: readonly AddressRange[]): (address: string) => boolean {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const { address, family, prefix } of ranges) lists[family].addSubnet(address, prefix, family)
  return address => {
    const family = familyOf(address)
    if (family === undefined) return false
    return lists[family].check(address, family) || lists.ipv4.check(address, family)
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  if (isIPv4(address)) return 'ipv4'
  return isIPv6(address) && !address.includes('%') ? 'ipv6' : undefined
}
