import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { hostLookup } from '../../../src/authentication/web-identity/host-lookup.ts'
import { startNameServer } from './name-server.ts'

const source = join(import.meta.dirname, '../../../src/authentication/web-identity/host-lookup.ts')

/** Prints what ended first: look-ups of host names, or a write that was begun after them. */
const script = `
  import { writeFile } from 'node:fs'
  import { hostLookup } from ${JSON.stringify(source)}
  const lookup = hostLookup([process.argv[1]])
  const first = what => { console.log(what); process.exit() }
  for (let i = 0; i < 8; i++) lookup('idp.example.com', { all: true }, () => first('look-up'))
  setTimeout(() => writeFile(process.argv[2], 'text', () => first('write')), 50)
`

it('holds up no write of the journal while a name server does not answer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'host-lookup-'))
  const silent = createSocket('udp4').bind(0, '127.0.0.1')
  await once(silent, 'listening')
  try {
    const args = ['--input-type=module', '-e', script, `127.0.0.1:${silent.address().port}`, join(folder, 'written')]
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
    expect(execFileSync(process.execPath, args, { env, encoding: 'utf8' })).toBe('write\n')
  } finally {
    silent.close()
    rmSync(folder, { recursive: true })
  }
})

const addressesOf = (servers?: readonly string[]) => {
  const lookup = hostLookup(servers)
  return promisify((name: string, callback: (error: Error | null, found: unknown) => void) =>
    lookup(name, { all: true }, callback as never),
  )
}

it('fails while a name server does not answer', async () => {
  const silent = createSocket('udp4').bind(0, '127.0.0.1')
  await once(silent, 'listening')
  await expect(addressesOf([`127.0.0.1:${silent.address().port}`])('idp.example.com')).rejects.toMatchObject({
    code: 'ETIMEOUT',
  })
  silent.close()
})

it('finds names that no name server knows', async () => {
  expect(await addressesOf(['127.0.0.1:1'])('localhost')).toContainEqual({ address: '127.0.0.1', family: 4 })
  await expect(addressesOf(['127.0.0.1:1'])('absent.invalid')).rejects.toMatchObject({ syscall: 'getaddrinfo' })
})

it('has the addresses that a name server tells', async () => {
  const { server, address } = await startNameServer('192.0.2.7')
  expect(await addressesOf([address])('idp.example.com')).toEqual([{ address: '192.0.2.7', family: 4 }])
  server.close()
})
