/** Arithmetic with secret numbers: big-endian byte arrays that can be wiped, unlike those of BigInt. Slow, for a few operations per key. */

/** Without leading zeros. */
export function trimmed(magnitude: Buffer): Buffer {
  const start = magnitude.findIndex(byte => byte !== 0)
  return start < 0 ? magnitude.subarray(magnitude.length) : magnitude.subarray(start)
}

export function product(one: Buffer, other: Buffer): Buffer {
  const result = Buffer.alloc(one.length + other.length)
  for (let i = one.length - 1; i >= 0; i--) {
    let carry = 0
    for (let j = other.length - 1; j >= 0; j--) {
      const sum = one[i]! * other[j]! + result[i + j + 1]! + carry
      result[i + j + 1] = sum & 0xff
      carry = sum >> 8
    }
    result[i] = carry
  }
  return result
}

/** One less than a number that is not zero. */
export function decremented(magnitude: Buffer): Buffer {
  const result = Buffer.from(magnitude)
  for (let i = result.length - 1; result[i]!-- === 0; i--);
  return result
}

/** As long as the divisor, which is not zero. */
export function remainder(dividend: Buffer, divisor: Buffer): Buffer {
  // One byte more, for the bit that a doubling carries.
  const result = Buffer.alloc(divisor.length + 1)
  const whole = Buffer.concat([Buffer.alloc(1), divisor])
  for (const byte of dividend) {
    for (let mask = 0x80; mask > 0; mask >>= 1) {
      double(result, (byte & mask) === 0 ? 0 : 1)
      if (Buffer.compare(result, whole) >= 0) subtract(result, whole)
    }
  }
  whole.fill(0)
  return result.subarray(1)
}

function double(number: Buffer, bit: number): void {
  let carry = bit
  for (let i = number.length - 1; i >= 0; i--) {
    const twice = (number[i]! << 1) | carry
    number[i] = twice & 0xff
    carry = twice >> 8
  }
}

/** @param other of the same length, and not greater */
function subtract(number: Buffer, other: Buffer): void {
  let borrow = 0
  for (let i = number.length - 1; i >= 0; i--) {
    const difference = number[i]! - other[i]! - borrow
    number[i] = difference & 0xff
    borrow = difference < 0 ? 1 : 0
  }
}
