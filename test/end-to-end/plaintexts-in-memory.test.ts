import { randomBytes } from 'node:crypto'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type Installation, install, serve } from './gateway.ts'
import { occurrences } from './memory-scan.ts'
import { refusal } from './requests.ts'

/** How many copies of plaintexts stay in the processes once the calls are answered. */

type Call = (KeyId: string, message: Buffer) => Promise<unknown>

const hmac = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }
const ecdsa = { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }

let installation: Installation
let gateway: Gateway
let kms: KMS

beforeAll(async () => {
  installation = await install()
  gateway = await serve(installation)
  kms = gateway.client()
})
afterAll(async () => {
  expect(gateway?.complaints()).toEqual([])
  await gateway?.stop()
  installation?.remove()
})

async function createKey(spec: object = {}): Promise<string> {
  return (await kms.createKey(spec)).KeyMetadata!.KeyId!
}

/** Messages that begin alike, and with nothing that is anywhere else. */
function messages(): { readonly mark: Buffer; next(): Buffer } {
  const mark = randomBytes(18)
  return { mark, next: () => Buffer.concat([mark, randomBytes(100)]) }
}

/** In freed buffers of sockets, which later reads overwrite. One as a rule, of the last read; another may be where memory was used otherwise since. */
const leftovers = 3

const processes = () => [gateway.pid, ...gateway.workers()]

describe('once a plaintext was answered for', () => {
  it('no copy of it stays, but in the buffers of the last reads', async () => {
    const KeyId = await createKey()
    const { mark, next } = messages()
    for (let n = 0; n < 200; n++) {
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: next() })
      await kms.decrypt({ CiphertextBlob })
    }
    for (const pid of processes()) expect(occurrences(pid, [mark])[0]).toBeLessThanOrEqual(leftovers)
  })

  it('no more copies stay than calls were under way at a time', async () => {
    const KeyId = await createKey()
    const { mark, next } = messages()
    const callers = 16
    const call = async () => {
      for (let n = 0; n < 15; n++) {
        const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext: next() })
        await kms.decrypt({ CiphertextBlob })
      }
    }
    await Promise.all(Array.from({ length: callers }, call))
    for (const pid of processes()) expect(occurrences(pid, [mark])[0]).toBeLessThanOrEqual(callers)
  })

  it('the same is true of every other call', async () => {
    const calls: Readonly<Record<string, readonly [spec: object, call: Call]>> = {
      'Encrypt, refused for its key': [{}, (_, Plaintext) => kms.encrypt({ KeyId: 'é', Plaintext })],
      'Encrypt, refused for a type': [
        {},
        (KeyId, Plaintext) => kms.encrypt({ KeyId, Plaintext, GrantTokens: [1 as never] }),
      ],
      'Encrypt, in a dry run': [{}, (KeyId, Plaintext) => kms.encrypt({ KeyId, Plaintext, DryRun: true })],
      'Encrypt, refused for the usage': [hmac, (KeyId, Plaintext) => kms.encrypt({ KeyId, Plaintext })],
      GenerateMac: [hmac, (KeyId, Message) => kms.generateMac({ KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' })],
      Sign: [ecdsa, (KeyId, Message) => kms.sign({ KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256' })],
      'Encrypt and Decrypt with RSA': [{ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' }, rsa],
      ReEncrypt: [{}, reEncrypt],
    }
    const marks: Buffer[] = []
    for (const [spec, call] of Object.values(calls)) {
      const KeyId = await createKey(spec)
      const { mark, next } = messages()
      for (let n = 0; n < 20; n++) await refusal(call(KeyId, next()))
      marks.push(mark)
    }
    for (const pid of processes()) {
      const counts = occurrences(pid, marks)
      expect(Object.keys(calls).filter((_, index) => counts[index]! > leftovers)).toEqual([])
    }
  })

  it('the same is true of the secrets that the HSM makes', async () => {
    const KeyId = await createKey()
    const secrets: Uint8Array[] = []
    for (let n = 0; n < 10; n++) {
      secrets.push((await kms.generateDataKey({ KeyId, NumberOfBytes: 64 })).Plaintext!)
      secrets.push((await kms.generateRandom({ NumberOfBytes: 64 })).Plaintext!)
      const { PrivateKeyPlaintext } = await kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' })
      // Its private number: RFC 5915, in PKCS#8.
      secrets.push(PrivateKeyPlaintext!.subarray(36, 36 + 32))
    }
    const found = processes().map(pid =>
      occurrences(
        pid,
        secrets.map(secret => secret.subarray(0, 32)),
      ),
    )
    for (const counts of found) expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(leftovers)
  })
})

async function rsa(KeyId: string, Plaintext: Buffer): Promise<void> {
  const EncryptionAlgorithm = 'RSAES_OAEP_SHA_1'
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext, EncryptionAlgorithm })
  await kms.decrypt({ KeyId, CiphertextBlob, EncryptionAlgorithm })
}

async function reEncrypt(KeyId: string, Plaintext: Buffer): Promise<void> {
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext })
  await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId })
}

describe('what is wiped', () => {
  it('is never what storage holds', async () => {
    const KeyId = await createKey(ecdsa)
    const { PublicKey } = await kms.getPublicKey({ KeyId })
    for (let n = 0; n < 3; n++) expect((await kms.getPublicKey({ KeyId })).PublicKey).toEqual(PublicKey)
    expect(PublicKey!.some(byte => byte !== 0)).toBe(true)
  })
})
