import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkpointIn,
  checkpointText,
  fingerprintOf,
  pemOf,
  publicKeysIn,
  signingKeyIn,
  signingKeyText,
  TrustedKeys,
} from '../../src/audit/checkpoint.ts'
import type { Checkpoint } from '../../src/audit/format.ts'
import type { SigningKey } from '../../src/model/keys/key.ts'

interface Pair {
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

function newPair(namedCurve = 'P-256'): Pair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
  return { publicKey: publicKey.export({ format: 'der', type: 'spki' }), privateKey }
}

const [first, second, third, stranger] = [newPair(), newPair(), newPair(), newPair()]
const time = '2026-11-28T10:41:07.000Z'

function signed(text: string, { privateKey }: Pair): string {
  return sign('sha256', Buffer.from(text), privateKey).toString('base64')
}

function checkpointBy(pair: Pair, changes: Partial<Checkpoint> = {}): Checkpoint {
  const unsigned = {
    journal: '0f3c7a52-54c4-4f0e-9d5e-0d3f6a6b2a11',
    segment: 3,
    block: 41,
    record: 1234,
    hash: 'ab'.repeat(32),
    time,
    key: fingerprintOf(pair.publicKey),
    ...changes,
  }
  return { ...unsigned, signature: signed(checkpointText(unsigned), pair) }
}

function changeTo({ publicKey }: Pair, former: Pair): SigningKey {
  const unsigned = {
    publicKey: Buffer.from(publicKey).toString('base64'),
    previous: fingerprintOf(former.publicKey),
    time,
  }
  return { ...unsigned, signature: signed(signingKeyText(unsigned), former) }
}

describe('a checkpoint', () => {
  it('is valid if a trusted key has signed it', () => {
    const trusted = new TrustedKeys([first.publicKey, second.publicKey])
    expect([first, second, stranger].map(pair => trusted.check(checkpointBy(pair)))).toEqual([
      'valid',
      'valid',
      'unknownKey',
    ])
  })

  it('is invalid as soon as any member is another', () => {
    const trusted = new TrustedKeys([first.publicKey])
    const checkpoint = checkpointBy(first)
    const other = fc.oneof(
      fc.record({ member: fc.constantFrom('segment', 'block', 'record'), value: fc.nat() }),
      fc.record({ member: fc.constantFrom('journal', 'hash', 'time', 'signature'), value: fc.string() }),
    )
    fc.assert(
      fc.property(other, ({ member, value }) => {
        fc.pre(checkpoint[member as keyof Checkpoint] !== value)
        expect(trusted.check({ ...checkpoint, [member]: value })).toBe('invalid')
      }),
    )
  })

  it('cannot claim the key of another signature', () => {
    const trusted = new TrustedKeys([first.publicKey])
    expect(trusted.check({ ...checkpointBy(stranger), key: fingerprintOf(first.publicKey) })).toBe('invalid')
  })

  it('is read from the line that was written, and from no other', () => {
    const checkpoint = checkpointBy(first)
    const line = JSON.stringify({ checkpoint })
    expect(checkpointIn(line)).toEqual(checkpoint)
    const others = [
      '',
      '{"checkpoint":{',
      '{"checkpoint":null}',
      '{"checkpoint":{}}',
      `${line} `,
      line.replace('"segment":3', '"segment":"3"'),
      line.replace('"segment":3', '"segment":3.5'),
      line.replace('"segment":3', '"segment":-1'),
      line.replace('"segment":3', '"segment":9007199254740993'),
      line.replace('"segment":3', '"segment":3,"segment":3'),
      line.replace('"segment":3,', ''),
      line.replace('"segment":3', '"segment":3,"answered":true'),
      line.replace('"segment":3', '"__proto__":{"segment":3}'),
      line.replace(checkpoint.hash, checkpoint.hash.toUpperCase()),
      line.replace('"signature":"', `"signature":"${'A'.repeat(5000)}`),
      line.replace(/\}$/, ',"block":{}}'),
      JSON.stringify({ signingKey: changeTo(second, first) }),
    ]
    expect(others.filter(other => checkpointIn(other) !== undefined)).toEqual([])
  })

  it('can be checked with openssl', () => {
    const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'))
    try {
      const [key, text, signature] = ['key.pem', 'text', 'signature'].map(name => join(folder, name))
      const checkpoint = checkpointBy(first)
      writeFileSync(key!, pemOf(first.publicKey))
      writeFileSync(text!, checkpointText(checkpoint))
      writeFileSync(signature!, Buffer.from(checkpoint.signature, 'base64'))
      const checked = execFileSync('openssl', ['dgst', '-sha256', '-verify', key!, '-signature', signature!, text!])
      expect(checked.toString()).toBe('Verified OK\n')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('a new signing key', () => {
  it('is trusted if a trusted key has signed the change, through any number of changes', () => {
    const trusted = new TrustedKeys([first.publicKey])
    expect(trusted.check(checkpointBy(third))).toBe('unknownKey')
    expect(trusted.change(changeTo(second, first))).toBe('valid')
    expect(trusted.change(changeTo(third, second))).toBe('valid')
    expect([second, third].map(pair => trusted.check(checkpointBy(pair)))).toEqual(['valid', 'valid'])
    expect(trusted.has(fingerprintOf(third.publicKey))).toBe(true)
  })

  it('is not trusted if a stranger has signed the change, or it is another key', () => {
    const trusted = new TrustedKeys([first.publicKey])
    const change = changeTo(second, first)
    const outcomes = [
      changeTo(second, stranger),
      { ...changeTo(second, stranger), previous: fingerprintOf(first.publicKey) },
      { ...change, publicKey: Buffer.from(stranger.publicKey).toString('base64') },
      { ...change, time: '2020-01-01T00:00:00.000Z' },
      { ...change, signature: '' },
    ].map(other => trusted.change(other))
    expect(outcomes).toEqual(['unknownKey', 'invalid', 'invalid', 'invalid', 'invalid'])
    expect([second, stranger].map(pair => trusted.check(checkpointBy(pair)))).toEqual(['unknownKey', 'unknownKey'])
  })

  it('cannot be signed by a checkpoint, or the other way round', () => {
    const trusted = new TrustedKeys([first.publicKey])
    const { signature } = checkpointBy(first)
    expect(trusted.change({ ...changeTo(second, first), signature })).toBe('invalid')
    expect(trusted.check({ ...checkpointBy(first), signature: changeTo(second, first).signature })).toBe('invalid')
  })

  it('must be on P-256', () => {
    expect(new TrustedKeys([first.publicKey]).change(changeTo(newPair('P-384'), first))).toBe('invalid')
  })

  it('is read from the line that was written, and from no other', () => {
    const signingKey = changeTo(second, first)
    const line = JSON.stringify({ signingKey })
    expect(signingKeyIn(line)).toEqual(signingKey)
    expect(signingKeyIn(line.replace(signingKey.previous, 'ab'))).toBeUndefined()
    expect(signingKeyIn(JSON.stringify({ checkpoint: checkpointBy(first) }))).toBeUndefined()
  })
})

describe('a file of public keys', () => {
  it('may have several keys, text between them, and lines of Windows', () => {
    const pem = `The key of 2026:\n${pemOf(first.publicKey)}\nand of 2027:\n${pemOf(second.publicKey)}`
    for (const text of [pem, pem.replaceAll('\n', '\r\n')])
      expect(publicKeysIn(text).map(fingerprintOf)).toEqual([first, second].map(pair => fingerprintOf(pair.publicKey)))
  })

  it('is refused without a key, and with another kind of key', () => {
    const privatePem = first.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
    for (const text of ['', 'nonsense', privatePem, pemOf(first.publicKey).slice(0, -30)])
      expect(() => publicKeysIn(text)).toThrow('has no public key in PEM')
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' })
    for (const key of [rsa, newPair('P-384').publicKey, Buffer.from('no key')])
      expect(() => publicKeysIn(pemOf(key))).toThrow('has a public key that is not an EC key on P-256')
  })
})
