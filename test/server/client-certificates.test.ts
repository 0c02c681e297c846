import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listen, type RunningServer } from '../../src/server/listener.ts'
import { hasOpenssl, makeCertificate, makeClientCertificate } from './certificates.ts'

describe.runIf(hasOpenssl)('a listener that asks for client certificates', () => {
  let folder: string
  let server: RunningServer
  const trusted: string[] = []

  const pair = (name: string) => ({
    certificateFile: join(folder, `${name}.crt`),
    keyFile: join(folder, `${name}.key`),
  })
  const pem = (file: string) => readFileSync(file, 'utf8')
  const identity = (name: string) => ({ cert: pem(pair(name).certificateFile), key: pem(pair(name).keyFile) })

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'strongroom-client-'))
    makeCertificate(pair('server'))
    makeClientCertificate(pair('ca'), pair('kms'), 'kms')
    makeClientCertificate(pair('other-ca'), pair('other'), 'kms')
    trusted.push(pem(pair('ca').certificateFile))
    server = await listen({
      host: '127.0.0.1',
      port: 0,
      tls: pair('server'),
      clients: { authorities: () => trusted, admits: certificate => certificate?.commonName === 'kms' },
      ...{ maxBodySize: 10, maxBodyMemory: 100, maxConnections: 10 },
      respond: async ({ clientCertificate }) => ({
        status: 200,
        headers: {},
        body: `${clientCertificate?.commonName} of ${clientCertificate?.issuers.length}`,
      }),
      log: { error() {}, warn() {}, info() {} },
    })
  })
  afterAll(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  /** The answer on a new connection; 'closed' if there is none. */
  function answer(options: object): Promise<string> {
    const agent = new Agent({ ca: pem(pair('server').certificateFile), ...options })
    const { port } = new URL(server.url)
    return new Promise(resolve => {
      const sent = request({ host: 'localhost', family: 4, port, agent }, response => {
        response.setEncoding('utf8').on('data', (text: string) => resolve(text))
      })
      sent.on('error', () => resolve('closed')).end()
    }).finally(() => agent.destroy()) as Promise<string>
  }

  it('ends connections without one, and with one of another authority', async () => {
    expect(await answer(identity('kms'))).toBe('kms of 1')
    expect(await answer({})).toBe('closed')
    expect(await answer(identity('other'))).toBe('closed')
  })

  it('trusts other authorities from the next connection on', async () => {
    const [before] = trusted.splice(0, 1, pem(pair('other-ca').certificateFile))
    expect(await answer(identity('other'))).toBe('kms of 1')
    expect(await answer(identity('kms'))).toBe('closed')
    trusted.push(before!)
    expect(await answer(identity('kms'))).toBe('kms of 1')
  })
})
