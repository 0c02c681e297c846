/** What is drawn at random. */
import fc from 'fast-check'
import type { Kind } from './model.ts'

export type Inputs<T> = { readonly [K in keyof T]: fc.Arbitrary<T[K]> }

export type Weighted<T> = readonly (readonly [weight: number, fc.Arbitrary<T>])[]

export const anyOf = <T>(rows: Weighted<T>) => fc.oneof(...rows.map(([weight, arbitrary]) => ({ weight, arbitrary })))

/** Of whatever number: chosen before anybody knows how many there are. */
export function oneOf<T>(list: readonly T[], number: number): T | undefined {
  return list[number % list.length]
}

// biome-ignore format: a table
const kindRows: readonly (readonly [number, Kind['KeySpec'], Kind['KeyUsage'], Kind['Origin']])[] = [
  [5, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT',     'AWS_KMS'],
  [5, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT',     'EXTERNAL'],
  [1, 'HMAC_256',          'GENERATE_VERIFY_MAC', 'AWS_KMS'],
  [1, 'HMAC_256',          'GENERATE_VERIFY_MAC', 'EXTERNAL'],
  [1, 'ECC_NIST_P256',     'SIGN_VERIFY',         'AWS_KMS'],
  [1, 'ECC_NIST_P256',     'SIGN_VERIFY',         'EXTERNAL'],
  [1, 'RSA_2048',          'ENCRYPT_DECRYPT',     'EXTERNAL'],
]
export const kinds = anyOf<Kind>(
  kindRows.map(([weight, KeySpec, KeyUsage, Origin]) => [weight, fc.constant({ KeySpec, KeyUsage, Origin })]),
)

export const form = { isDataKey: fc.boolean(), isNamed: fc.boolean() }
export const alias = fc.nat(2)
export const someDays = fc.constantFrom(1, 10, 100, 365)
