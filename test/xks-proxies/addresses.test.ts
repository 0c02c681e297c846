import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hostLookup } from '../../src/authentication/web-identity/host-lookup.ts'
import { isPublicAddress, publicLookup } from '../../src/xks-proxies/addresses.ts'
import { startNameServer } from '../authentication/web-identity/name-server.ts'
import { call, clientOf, rejection } from './fixture.ts'

const nowhere = { address: '', files: { certificateFile: '', keyFile: '' } }
const ipv4 = fc.ipV4()

describe('the address of a proxy', () => {
  it.each([
    ...[
      '0.0.0.0',
      '10.1.2.3',
      '100.64.0.1',
      '127.0.0.1',
      '127.255.255.254',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
    ],
    ...['192.0.0.8', '192.168.0.1', '198.18.0.1', '224.0.0.1', '239.255.255.255', '255.255.255.255', '240.0.0.1'],
    ...[
      '::',
      '::1',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
      '2001:db8::1',
      '2001::1',
      '3fff::1',
    ],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '64:ff9b::10.0.0.1',
      '64:ff9b:1::a00:1',
      '2002:7f00:1::',
    ],
    ...['', 'localhost', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '[::1]', '8.8.8.8.8'],
  ])('is not public if it is %j', address => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it.each([
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::1',
  ])('is public if it is %s', address => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it('is not public in any form of IPv6 that has an IPv4 address in it', () => {
    fc.assert(
      fc.property(ipv4, address => {
        const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number]
        const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
        for (const form of [`::ffff:${address}`, `::ffff:${hex}`, `::${hex}`, `64:ff9b::${hex}`, `2002:${hex}::1`])
          expect(isPublicAddress(form), form).toBe(false)
      }),
    )
  })

  it.each([
    ...[
      '127.0.0.1',
      '2130706433',
      '0x7f000001',
      '0x7f.1',
      '017700000001',
      '127.1',
      '127.0.0.1.',
      '10.0.0.1',
      '169.254.169.254',
    ],
    ...['0', '0.0.0.0', '192.168.1.1'],
  ])('is refused without a look-up in the endpoint https://%s', async host => {
    const { proxies, store, logged } = clientOf(nowhere)
    const xks = { ...store.xks!, uriEndpoint: `https://${host}` }
    expect(await rejection(proxies.for(call).checkStore({ ...store, xks }))).toMatchObject({
      code: 'XksProxyUriUnreachable',
      message: expect.stringContaining('AWS KMS cannot communicate'),
    })
    expect(logged.at(-1)!.detail).toContain('has no public address')
  })

  it.each(['256.256.256.256', '1.2.3.4.5', '..', 'a..b', '-', '0x7f.0x100000000'])(
    'is not known of https://%s, which fails',
    async host => {
      const { proxies, store } = clientOf(nowhere, {
        lookup: (_host, _options, callback) => callback(Object.assign(new Error('no'), { code: 'ENOTFOUND' }), []),
      })
      const xks = { ...store.xks!, uriEndpoint: `https://${host}` }
      expect(await rejection(proxies.for(call).checkStore({ ...store, xks }))).toMatchObject({
        code: 'XksProxyUriUnreachable',
      })
    },
  )

  it('is that of the very look-up for a connection, so that an answer of a name server cannot change in between', async () => {
    const asked: string[] = []
    const answers = ['93.184.216.34', '127.0.0.1', '10.0.0.1', '::ffff:127.0.0.1']
    const lookup = publicLookup((host, { all }, callback) => {
      expect(all).toBe(true)
      asked.push(host)
      callback(null, [{ address: answers[asked.length - 1]!, family: 4 }])
    })
    const found = promisify((callback: (error: Error | null, found: unknown) => void) =>
      lookup('xks.example.com', { all: true }, callback as never),
    )
    expect(await found()).toEqual([{ address: '93.184.216.34', family: 4 }])
    for (let time = 1; time < answers.length; time++)
      await expect(found()).rejects.toThrow('xks.example.com has no public address')
    expect(asked).toHaveLength(answers.length)
  })

  it('is a public one if a name has others as well', async () => {
    const all = ['127.0.0.1', '93.184.216.34', '::1', '2606:4700::1111'].map(address => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }))
    const lookup = publicLookup((_host, _options, callback) => callback(null, all))
    const found = (options: object) =>
      promisify((callback: (error: Error | null, ...found: unknown[]) => void) =>
        lookup('xks.example.com', options, callback as never),
      )()
    expect(await found({ all: true })).toEqual([all[1], all[3]])
    expect(await found({})).toBe('93.184.216.34')
  })

  it('is refused when a name server has it', async () => {
    // The metadata service of EC2.
    const { server, address } = await startNameServer('169.254.169.254')
    const { proxies, store, logged } = clientOf(nowhere, { lookup: hostLookup([address]) })
    const xks = { ...store.xks!, uriEndpoint: 'https://xks.example.com' }
    const { signal } = new AbortController()
    expect(await rejection(proxies.connect({ ...store, xks }, signal))).toMatchObject({
      code: 'XKS_PROXY_NOT_REACHABLE',
    })
    expect(JSON.stringify(logged)).toContain('has no public address')
    const local = { ...store, xks: { ...xks, uriEndpoint: 'https://localhost' } }
    const here = clientOf(nowhere, { settings: {}, lookup: hostLookup() })
    expect(await rejection(here.proxies.connect(local, signal))).toMatchObject({ code: 'XKS_PROXY_NOT_REACHABLE' })
    expect(JSON.stringify(here.logged)).toContain('localhost has no public address')
    server.close()
  })
})
