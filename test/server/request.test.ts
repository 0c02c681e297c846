import { expect, it } from 'vitest'
import { addressOf } from '../../src/server/request.ts'

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  ['::1', '::1'],
  ['::ffff:c000:201', '::ffff:c000:201'],
  ['fe80::1%eth0', 'fe80::1'],
  [undefined, ''],
])('shows the address %s as %s', (address, shown) => {
  expect(addressOf(address)).toBe(shown)
})
