import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { KMS } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, type Installation, install, serve, strongroom } from './gateway.ts'
import { forever, imported } from './imports.ts'
import { refusal } from './requests.ts'
import { addHsms } from './second-hsm.ts'

/** Multi-Region keys of regions on different HSMs: `frankfurt` has a token of its own, `twin` is another name for that of `softhsm`. */

const Plaintext = Buffer.from('text')
const [home, frankfurt, twin] = ['us-east-1', 'eu-central-1', 'us-west-2'] as const
let installation: Installation
let gateway: Gateway
let kms: Record<string, KMS>

async function start(): Promise<void> {
  gateway = await serve(installation)
  kms = Object.fromEntries([home, frankfurt, twin].map(region => [region, gateway.client({ region })]))
}

function trust(...options: readonly string[]) {
  return strongroom(['multi-region', 'trust', '--data', installation.folder, ...options])
}

async function create(region: string, kind: object = {}): Promise<string> {
  const { KeyMetadata } = await kms[region]!.createKey({ MultiRegion: true, ...kind })
  return KeyMetadata!.KeyId!
}

function replicate(KeyId: string, from: string, ReplicaRegion: string) {
  return kms[from]!.replicateKey({ KeyId, ReplicaRegion })
}

/** Of a token of SoftHSM, which keeps each in a file of its own. */
function objects(tokens: string): number {
  return readdirSync(join(installation.folder, tokens), { recursive: true }).length
}

beforeAll(async () => {
  installation = await install()
  await addHsms(installation, { frankfurt: { region: frankfurt, token: 'own' }, twin: { region: twin, token: 'same' } })
  installation.configure(config => {
    config.multiRegion = { transfers: [{ from: 'softhsm', to: 'frankfurt' }] }
  })
})
afterAll(async () => {
  await gateway?.stop()
  installation?.remove()
})

describe('strongroom multi-region trust', () => {
  const way = ['--from', 'softhsm', '--to', 'frankfurt'] as const
  const soPin = ['--so-pin-file', 'so-pin'] as const
  const fingerprintIn = (output: string) => /SHA-256 fingerprint: ([0-9a-f]{64})\n$/.exec(output)?.[1]

  it('allows only what the configuration does', async () => {
    const { stderr } = await trust('--from', 'frankfurt', '--to', 'softhsm')
    expect(stderr).toBe(
      'strongroom: the configuration allows no transfers from frankfurt to softhsm: add { from: frankfurt, to: softhsm } to multiRegion.transfers\n',
    )
  })

  it('prints the key to be trusted, then lets the security officer trust it', async () => {
    const asked = await trust(...way)
    expect(asked.stdout).toContain('-----BEGIN PUBLIC KEY-----\n')
    const done = await trust(...way, soPin[0], join(installation.folder, soPin[1]))
    expect(done.stderr).toBe('')
    expect(done.stdout).toContain('The HSM softhsm now trusts the transfer key of the HSM frankfurt\n')
    const fingerprint = fingerprintIn(asked.stdout)!
    expect(fingerprintIn(done.stdout)).toBe(fingerprint)
    await start()
    const records = gateway.records().filter(({ eventName }) => /SystemKey|Trust/.test(eventName!))
    expect(records.slice(-2)).toMatchObject([
      { eventName: 'CreateSystemKey', additionalEventData: { hsm: 'frankfurt', purpose: 'transfer', fingerprint } },
      {
        eventName: 'TrustTransferKey',
        additionalEventData: { hsm: 'softhsm', transfersFor: 'frankfurt', fingerprint, wasTrusted: false },
      },
    ])
  })
})

describe('a key that may be transferred', () => {
  it('has a replica on the other HSM, and each decrypts what the other has encrypted', async () => {
    const KeyId = await create(home)
    await replicate(KeyId, home, frankfurt)
    for (const [from, to] of [
      [home, frankfurt],
      [frankfurt, home],
    ] as const) {
      const { CiphertextBlob } = await kms[from]!.encrypt({ KeyId, Plaintext })
      const decrypted = await kms[to]!.decrypt({ CiphertextBlob })
      expect(Buffer.from(decrypted.Plaintext!).toString()).toBe('text')
    }
  })

  it('is rotated on both HSMs, before anything is encrypted under the new material', async () => {
    const KeyId = await create(home)
    await replicate(KeyId, home, frankfurt)
    await kms[home]!.rotateKeyOnDemand({ KeyId })
    const current = async (region: string) =>
      (await kms[region]!.describeKey({ KeyId })).KeyMetadata!.CurrentKeyMaterialId
    expect(await current(frankfurt)).toBe(await current(home))
    const { CiphertextBlob } = await kms[home]!.encrypt({ KeyId, Plaintext })
    expect(Buffer.from((await kms[frankfurt]!.decrypt({ CiphertextBlob })).Plaintext!).toString()).toBe('text')
  })

  it('is not rotated, and nothing is left, once its primary key is where no HSM may transfer keys back', async () => {
    const KeyId = await create(home)
    await replicate(KeyId, home, frankfurt)
    await kms[home]!.updatePrimaryRegion({ KeyId, PrimaryRegion: frankfurt })
    const before = objects('tokens-frankfurt')
    expect(await refusal(kms[frankfurt]!.rotateKeyOnDemand({ KeyId }))).toContain(
      'transfers from frankfurt to softhsm are not in multiRegion.transfers',
    )
    expect(objects('tokens-frankfurt')).toBe(before)
    expect((await kms[home]!.listKeyRotations({ KeyId })).Rotations).toEqual([])
    const { CiphertextBlob } = await kms[frankfurt]!.encrypt({ KeyId, Plaintext })
    expect((await kms[home]!.decrypt({ CiphertextBlob })).KeyId).toContain(KeyId)
  })

  it('says so in the audit records of both', () => {
    const last = (name: string, region: string) => {
      const found = gateway.records().findLast(({ eventName, awsRegion }) => eventName === name && awsRegion === region)
      return found!.additionalEventData!.strongroom
    }
    expect(last('CreateKey', home)).toMatchObject({ hsm: 'softhsm', custody: 1, wrapWithTrusted: true })
    const copy = { hsm: 'frankfurt', custody: 1, transferredFrom: 'softhsm' }
    expect(last('ReplicateKey', home)).toMatchObject(copy)
    expect(last('CreateKey', frankfurt)).toMatchObject(copy)
    expect(last('Decrypt', frankfurt)).toMatchObject(copy)
  })

  it('makes the same MACs in both regions', async () => {
    const kind = { KeySpec: 'HMAC_512', KeyUsage: 'GENERATE_VERIFY_MAC' }
    const KeyId = await create(home, kind)
    await replicate(KeyId, home, frankfurt)
    const algorithm = { KeyId, MacAlgorithm: 'HMAC_SHA_512', Message: Plaintext } as const
    const { Mac } = await kms[home]!.generateMac(algorithm)
    expect((await kms[frankfurt]!.verifyMac({ ...algorithm, Mac })).MacValid).toBe(true)
  })
})

describe('an imported key', () => {
  const regional = { kmsIn: (region = home as string) => kms[region]! }
  const arnIn = (region: string, id: string) => `arn:aws:kms:${region}:111122223333:key/${id}`
  const isNew = { ...forever, ImportType: 'NEW_KEY_MATERIAL' } as const

  it('is not transferred: each HSM unwraps the same material into an object of its own, for each rotation', async () => {
    const KeyId = await create(home, { Origin: 'EXTERNAL' })
    const [first, next] = [randomBytes(32), randomBytes(32)]
    const { KeyMaterialId } = await imported(regional, arnIn(home, KeyId), first)
    const { CiphertextBlob } = await kms[home]!.encrypt({ KeyId, Plaintext })
    for (const region of [frankfurt, twin]) {
      await replicate(KeyId, home, region)
      expect(await refusal(kms[region]!.decrypt({ CiphertextBlob }))).toMatch(/is pending import\.$/)
      expect(await imported(regional, arnIn(region, KeyId), first)).toMatchObject({ KeyMaterialId })
    }
    for (const region of [home, frankfurt, twin])
      await imported(regional, arnIn(region, KeyId), next, region === home ? isNew : forever)
    // That of the other name of the token stays.
    await kms[twin]!.deleteImportedKeyMaterial({ KeyId, KeyMaterialId })
    await kms[home]!.rotateKeyOnDemand({ KeyId })
    const rotated = await kms[frankfurt]!.encrypt({ KeyId, Plaintext })
    for (const blob of [CiphertextBlob, rotated.CiphertextBlob])
      for (const region of [home, frankfurt])
        expect(Buffer.from((await kms[region]!.decrypt({ CiphertextBlob: blob })).Plaintext!).toString()).toBe('text')
    const imports = gateway.records().filter(({ eventName }) => eventName === 'ImportKeyMaterial')
    const hsms = imports.map(({ awsRegion, additionalEventData }) => [awsRegion, additionalEventData!.strongroom])
    for (const [region, name] of [
      [home, 'softhsm'],
      [frankfurt, 'frankfurt'],
      [twin, 'twin'],
    ])
      expect(hsms).toContainEqual([region, expect.objectContaining({ hsm: name })])
    expect(JSON.stringify(imports)).not.toContain('wrapWithTrusted')
  })
})

describe('a key of an HSM that may not transfer any', () => {
  it('has no replica on the other one, and the refusal says what to do', async () => {
    const KeyId = await create(frankfurt)
    const between = `The key material of arn:aws:kms:eu-central-1:111122223333:key/${KeyId} is on HSM frankfurt, and cannot be brought to HSM softhsm, which holds other keys`
    const reason = 'transfers from frankfurt to softhsm are not in multiRegion.transfers of the configuration'
    expect(await refusal(replicate(KeyId, frankfurt, home))).toBe(
      `UnsupportedOperationException: ${between}: ${reason}.`,
    )
  })
})

describe('a replica under another name of the same token', () => {
  it('has the same object, and so a private key as well', async () => {
    const KeyId = await create(home, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' })
    await replicate(KeyId, home, twin)
    const message = { KeyId, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' } as const
    const { Signature } = await kms[twin]!.sign(message)
    expect((await kms[home]!.verify({ ...message, Signature })).SignatureValid).toBe(true)
  })
})
