import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificatesIn } from '../../src/model/certificates.ts'
import { makeCertificate } from '../server/certificates.ts'

describe('certificates in PEM', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strongroom-certificates-'))
  let one: string
  let other: string
  let key: string
  beforeAll(() => {
    ;[one, other] = ['one', 'other'].map(name => {
      const files = { certificateFile: join(folder, `${name}.crt`), keyFile: join(folder, 'key') }
      makeCertificate(files)
      return readFileSync(files.certificateFile, 'utf8')
    }) as [string, string]
    key = readFileSync(join(folder, 'key'), 'utf8')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('are all read, whatever stands between them', () => {
    const names = (pem: string) => certificatesIn(pem).map(({ fingerprint256 }) => fingerprint256)
    const [first, second] = [names(one), names(other)]
    expect(names(`# Amazon Root CA 1\n${one}\r\n\n# another\n${other}`)).toEqual([...first, ...second])
    expect(first).not.toEqual(second)
  })

  it('are refused if one of them is none, or there is none', () => {
    const body = one.split('\n').slice(1, -2)
    const broken = ['-----BEGIN CERTIFICATE-----', ...body.slice(1), '-----END CERTIFICATE-----'].join('\n')
    for (const pem of ['', 'no PEM', key, broken, `${one}${broken}`]) expect(() => certificatesIn(pem)).toThrow()
  })
})
