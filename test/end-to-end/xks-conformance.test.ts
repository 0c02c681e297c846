/** The XKS proxy of the gateway, as the conformance suite and `strongroom doctor --xks` see it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readOptions } from '../../scripts/xks-conformance/options.ts'
import { conformance } from '../../scripts/xks-conformance/suite.ts'
import { withAdministration } from '../../src/cli/administration.ts'
import { makeCertificate } from '../server/certificates.ts'
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
      writeFileSync(file('a.json'), JSON.stringify(created.configuration))
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

  it('conforms to the specification, what it should do included', async () => {
    const place = [
      `https://localhost:${address.split(':')[1]}/a/kms/xks/v1`,
      '--ca',
      file('xks.crt'),
      '--region',
      'us-east-1',
    ]
    const keys = ['--key', 'usable', '--denied-key', 'denied', '--disabled-key', 'disabled']
    const lines: string[] = []
    await conformance(readOptions([...place, ...keys, '--configuration', file('a.json'), '--strict']), line =>
      lines.push(line),
    )
    // As in the KMS API, the last of two members with the same name counts.
    const found = lines.filter(line => /^(fail|warn)/.test(line) && !line.includes('a member that occurs twice'))
    expect(found).toEqual([])
    expect(lines.filter(line => line.startsWith('pass')).length).toBeGreaterThan(100)
    expect(gateway.complaints()).toEqual([])
  })

  it('is what strongroom doctor --xks finds to work', async () => {
    const place = ['--xks', 'https://localhost', '--xks-address', address, '--xks-ca', file('xks.crt')]
    const { code, stdout, stderr } = await strongroom([
      ...['doctor', '--data', installation.folder, ...place],
      ...['--xks-configuration', file('a.json'), '--json'],
    ])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)['https://localhost']).toMatchObject({
      keys: '2 of 3 enabled AES_256 keys that encrypt and decrypt',
      problems: [],
    })
  })
})
