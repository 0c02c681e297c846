/** Tests of the XKS proxy of a gateway: what the conformance suite and `strongroom doctor --xks` find. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readOptions } from '../../scripts/xks-conformance/options.ts'
import { conformance } from '../../scripts/xks-conformance/suite.ts'
import type { XksProxyConfiguration } from '../../src/model/xks/credentials.ts'
import type { ShownPrefix } from '../../src/operations/administration/xks-prefixes.ts'
import { makeClientCertificate } from '../server/certificates.ts'
import { type Installation, strongroom } from './gateway.ts'

/** A gateway that serves `localhost` with the certificate `served.crt` of its folder. */
export interface ServedXks {
  readonly installation: Installation
  /** `https://localhost:PORT` */
  readonly url: string
  administer<T>(operation: string, input: object): Promise<T>
  prefix(name: string): Promise<XksProxyConfiguration>
  /** Resolves to the ARN of a key that the proxy may use under the conditions of this statement. */
  newKey(statement?: object): Promise<string>
}

/** @param served called when tests run */
export function describeConformance(served: () => ServedXks): void {
  describe('as a consumer sees it', () => {
    const file = (name: string) => join(served().installation.folder, name)

    beforeAll(async () => {
      const { administer, prefix, newKey } = served()
      writeFileSync(file('a.json'), JSON.stringify(await prefix('a')), { mode: 0o600 })
      const add = async (id: string, statement: object) =>
        administer('CreateXksKey', { prefix: 'a', key: await newKey(statement), id })
      await add('usable', {})
      const alice = 'arn:aws:iam::123456789012:user/Alice'
      await add('denied', { Condition: { StringNotLike: { 'xks:AwsPrincipalArn': alice } } })
      await add('disabled', {})
      await administer('UpdateXksKey', { prefix: 'a', id: 'disabled', frozen: true })
    })

    /** The lines of the suite. */
    async function check(...options: readonly string[]): Promise<readonly string[]> {
      const url = `${served().url}/a/kms/xks/v1`
      const access = ['--region', 'us-east-1', '--configuration', file('a.json'), '--ca', file('served.crt')]
      const lines: string[] = []
      await conformance(readOptions([url, ...access, '--key', 'usable', ...options]), line => lines.push(line))
      return lines
    }

    it('conforms to the specification, what it should do included', async () => {
      const lines = await check('--denied-key', 'denied', '--disabled-key', 'disabled', '--strict')
      expect(lines.filter(line => /^(fail|warn)/.test(line))).toEqual([])
      expect(lines.filter(line => line.startsWith('pass')).length).toBeGreaterThan(100)
    })

    const doctor = async () => {
      const { installation, url } = served()
      const place = ['--xks', 'https://localhost', '--xks-address', new URL(url).host, '--xks-ca', file('served.crt')]
      const rest = ['--data', installation.folder, '--xks-configuration', file('a.json'), '--json']
      const { code, stdout, stderr } = await strongroom(['doctor', ...place, ...rest])
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      return JSON.parse(stdout)['https://localhost']
    }

    it('is what strongroom doctor --xks finds to work', async () => {
      const keys = '2 of 3 enabled AES_256 keys that encrypt and decrypt'
      expect(await doctor()).toMatchObject({ keys, problems: [] })
      const { prefixes } = await served().administer<{ prefixes: readonly ShownPrefix[] }>('ListXksPrefixes', {})
      expect(prefixes.find(({ prefix }) => prefix === 'a')!.credentials).toMatchObject([
        { lastUse: { sourceAddress: '127.0.0.1' } },
      ])
    })

    it('takes only the client certificates of a prefix, which doctor does not have', async () => {
      const pair = (name: string) => ({ certificateFile: file(`${name}.crt`), keyFile: file(`${name}.key`) })
      const commonName = 'cks.kms.us-east-1.amazonaws.com'
      makeClientCertificate(pair('ca'), pair('client'), commonName)
      makeClientCertificate(pair('other-ca'), pair('other'), commonName)
      const clientCertificate = { commonName, ca: readFileSync(file('ca.crt'), 'utf8') }
      await served().administer('UpdateXksPrefix', { prefix: 'a', clientCertificate })
      const own = ['--client-certificate', file('client.crt'), '--client-key', file('client.key')]
      const other = ['--other-certificate', file('other.crt'), '--other-key', file('other.key')]
      expect(await check(...own, ...other, '--only', 'client certificate')).toEqual([
        'pass  MUST refuse requests without the client certificate that it asks for',
        'pass  MUST refuse requests with another client certificate',
        '2 passed, 0 failed, 0 warnings, 0 skipped',
      ])
      expect((await check(...own, '--only', 'answer requests over HTTP/1.1'))[0]).toMatch(/^pass /)
      const { warnings, problems, ...rest } = await doctor()
      expect({ warnings, problems }).toEqual({
        warnings: expect.arrayContaining([expect.stringMatching(/^the prefix takes client certificates of .* only/)]),
        problems: [],
      })
      expect(rest).not.toHaveProperty('roundTrip')
    })
  })
}
