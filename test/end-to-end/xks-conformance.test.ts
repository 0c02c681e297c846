/** The XKS proxy of the gateway, as the conformance suite and `strongroom doctor --xks` see it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readOptions } from '../../scripts/xks-conformance/options.ts'
import { conformance } from '../../scripts/xks-conformance/suite.ts'
import { withAdministration } from '../../src/cli/administration.ts'
import type { ShownPrefix } from '../../src/operations/administration/xks-prefixes.ts'
import { makeCertificate, makeClientCertificate } from '../server/certificates.ts'
import { type Gateway, home, type Installation, install, serve, strongroom } from './gateway.ts'

describe('the XKS proxy of the gateway', () => {
  let installation: Installation
  let gateway: Gateway
  let address: string
  const file = (name: string) => join(installation.folder, name)

  beforeAll(async () => {
    installation = await install()
    makeCertificate({ certificateFile: file('xks.crt'), keyFile: file('xks.key') })
    installation.configure(config => {
      const tls = { certificateFile: 'xks.crt', keyFile: 'xks.key' }
      config.xks = { listen: { host: '127.0.0.1', port: 0, tls } }
    })
    gateway = await serve(installation)
    const { xksUrl } = await gateway.logged(({ event }) => event === 'gateway_started')
    address = new URL(xksUrl as string).host
    await withAdministration({ data: installation.folder }, async call => {
      const created = await call<{ configuration: object }>('CreateXksPrefix', { prefix: 'a', region: 'us-east-1' })
      writeFileSync(file('a.json'), JSON.stringify(created.configuration), { mode: 0o600 })
      const add = async (id: string, statement: object) =>
        call('CreateXksKey', { prefix: 'a', key: await newKey(statement), id })
      await add('usable', {})
      await add('denied', {
        Condition: { StringNotLike: { 'xks:AwsPrincipalArn': 'arn:aws:iam::123456789012:user/Alice' } },
      })
      await add('disabled', {})
      await call('UpdateXksKey', { prefix: 'a', id: 'disabled', frozen: true })
    })
  })
  afterAll(async () => {
    await gateway.stop()
    installation.remove()
  })

  async function newKey(statement: object): Promise<string> {
    const administrator = {
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${home}:root` },
      Action: 'kms:*',
      Resource: '*',
    }
    const Action = ['kms:Encrypt', 'kms:Decrypt', 'kms:DescribeKey']
    const served = { Effect: 'Allow', Principal: { Service: 'xks.strongroom' }, Action, Resource: '*', ...statement }
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [administrator, served] })
    return (await gateway.client().createKey({ Policy })).KeyMetadata!.Arn!
  }

  /** The lines of the suite. */
  async function check(...options: readonly string[]): Promise<readonly string[]> {
    const url = `https://localhost:${address.split(':')[1]}/a/kms/xks/v1`
    const access = ['--region', 'us-east-1', '--configuration', file('a.json'), '--ca', file('xks.crt')]
    const lines: string[] = []
    await conformance(readOptions([url, ...access, '--key', 'usable', ...options]), line => lines.push(line))
    return lines
  }

  it('conforms to the specification, what it should do included', async () => {
    const lines = await check('--denied-key', 'denied', '--disabled-key', 'disabled', '--strict')
    expect(lines.filter(line => /^(fail|warn)/.test(line))).toEqual([])
    expect(lines.filter(line => line.startsWith('pass')).length).toBeGreaterThan(100)
    expect(gateway.complaints()).toEqual([])
  })

  const doctor = async () => {
    const place = ['--xks', 'https://localhost', '--xks-address', address, '--xks-ca', file('xks.crt')]
    const rest = ['--data', installation.folder, '--xks-configuration', file('a.json'), '--json']
    const { code, stdout, stderr } = await strongroom(['doctor', ...place, ...rest])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return JSON.parse(stdout)['https://localhost']
  }

  it('is what strongroom doctor --xks finds to work', async () => {
    const keys = '2 of 3 enabled AES_256 keys that encrypt and decrypt'
    expect(await doctor()).toMatchObject({ keys, problems: [] })
    const { prefixes } = await withAdministration({ data: installation.folder }, call =>
      call<{ prefixes: readonly ShownPrefix[] }>('ListXksPrefixes', {}),
    )
    expect(prefixes[0]!.credentials).toMatchObject([{ lastUse: { sourceAddress: '127.0.0.1' } }])
  })

  it('takes only the client certificates of a prefix, which doctor does not have', async () => {
    const pair = (name: string) => ({ certificateFile: file(`${name}.crt`), keyFile: file(`${name}.key`) })
    const commonName = 'cks.kms.us-east-1.amazonaws.com'
    makeClientCertificate(pair('ca'), pair('client'), commonName)
    makeClientCertificate(pair('other-ca'), pair('other'), commonName)
    const clientCertificate = { commonName, ca: readFileSync(file('ca.crt'), 'utf8') }
    await withAdministration({ data: installation.folder }, call =>
      call('UpdateXksPrefix', { prefix: 'a', clientCertificate }),
    )
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
