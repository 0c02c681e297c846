/** A second token, of another make: what holds for SoftHSM is not what all tokens do. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inspectHsm } from '../../src/hsm/inspect.ts'
import { profileOf } from '../../src/hsm/profiles.ts'

/** Where Debian puts it; NSS comes with every browser. */
const library = '/usr/lib/x86_64-linux-gnu/libsoftokn3.so'
const pin = 'test-user-pin'

describe.skipIf(!existsSync(library))('NSS softokn', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-nss-'))
  const libraryParameters = `configdir='sql:${folder}'`
  const pinFile = join(folder, 'pin')

  beforeAll(() => {
    writeFileSync(pinFile, pin)
    execFileSync(process.execPath, [join(import.meta.dirname, 'nss-token.ts'), library, libraryParameters, pin])
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('is told its parameters, and can do what its profile does not rule out', async () => {
    const token = { library, libraryParameters, tokenLabel: 'NSS Certificate DB', pinFile, environment: {} }
    const { survey, problems } = await inspectHsm({ ...token, profile: 'nss' })
    expect(problems).toEqual([])
    expect(survey).toMatchObject({
      gcm: { iv: 'caller' },
      oaepHashes: ['sha1', 'sha256'],
      badCiphertext: [],
      forgeable: false,
    })
    const { lacks } = profileOf('nss')
    expect(Object.keys(survey!.lacks).sort()).toEqual(['SM2', ...Object.keys(lacks)].sort())
  })
})
