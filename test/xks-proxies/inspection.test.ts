import { mkdtempSync, rmSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clockDifference, type Inspected, inspectProxy } from '../../src/xks-proxies/inspection.ts'
import type { ProxyReport } from '../../src/xks-proxies/proxy-report.ts'
import { makeCertificate } from '../server/certificates.ts'
import { credential, type Faults, health, serveXks } from '../xks-proxy-server.ts'

let folder: string
let tls: { readonly certificateFile: string; readonly keyFile: string }
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'strongroom-inspection-'))
  tls = { certificateFile: join(folder, 'certificate.pem'), keyFile: join(folder, 'key.pem') }
  makeCertificate(tls)
})
afterAll(() => rmSync(folder, { recursive: true }))

const day = 24 * 60 * 60 * 1000
const addresses: Record<string, readonly string[]> = { localhost: ['127.0.0.1'], 'xks.example.com': ['198.51.99.1'] }
const lookup = ((host, _options, callback) => {
  const found = addresses[host]
  if (found) callback(null, found.map(address => ({ address, family: 4 })) as never)
  else callback(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), [])
}) as LookupFunction

interface Circumstances extends Partial<Inspected> {
  readonly faults?: Partial<Faults>
  readonly secret?: string
  readonly path?: string
  /** Milliseconds by which the clock here is ahead. */
  readonly ahead?: number
  /** Milliseconds that each call seems to take. */
  readonly takes?: number
}

async function inspect(circumstances: Circumstances = {}): Promise<ProxyReport> {
  const { faults, secret = credential.secretAccessKey, path = '/test/kms/xks/v1', ahead = 0, takes } = circumstances
  const server = await serveXks(tls, faults)
  let readings = 0
  const elapsed = () => (takes === undefined ? performance.now() : readings++ * takes)
  try {
    return await inspectProxy(
      {
        host: 'localhost',
        address: `127.0.0.1:${new URL(server.url).port}`,
        caFile: tls.certificateFile,
        keys: ['key', 'disabled', 'missing'],
        access: {
          region: 'us-east-1',
          configuration: {
            XksProxyUriPath: path,
            XksProxyAuthenticationCredential: { AccessKeyId: credential.accessKeyId, RawSecretAccessKey: secret },
          },
        },
        ...circumstances,
      },
      { clock: () => Date.now() + ahead, elapsed, lookup },
    )
  } finally {
    server.close()
  }
}

describe('the inspection of an XKS proxy', () => {
  it('reports name, TLS, certificate, round trip, clock and keys', async () => {
    expect(await inspect()).toEqual({
      addresses: ['127.0.0.1'],
      tls: ['TLSv1.3 with TLS_AES_256_GCM_SHA384', 'TLSv1.2 with TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'],
      certificate: expect.stringMatching(/^localhost \(DNS:localhost.*\), issued by localhost, valid until .* GMT$/),
      roundTrip: expect.stringMatching(
        /^\d+\.\d ms with a new connection, then \d+\.\d ms \(longest .*\); AWS KMS waits/,
      ),
      clock: expect.stringMatching(/^(within 1 s of|\d s (behind|ahead of)) the clock here$/),
      keys: '1 of 3 enabled AES_256 keys that encrypt and decrypt',
      warnings: [
        'localhost is not a fully qualified name',
        expect.stringContaining('trusts public certificate authorities only'),
        expect.stringMatching(/^external key disabled: .*DISABLED/),
        expect.stringMatching(/^external key missing: KeyNotFoundException/),
      ],
      problems: [],
    })
  })

  it.each([
    [-0.999, 'within 1 s of'],
    [0.2, 'within 1 s of'],
    [-61.5, '61 s behind'],
    [2, '2 s ahead of'],
  ])('takes a Date that differs by %d s for a clock %s the one here', (offset, difference) => {
    expect(clockDifference(offset)).toBe(difference)
  })

  it('does without a credential', async () => {
    const report = await inspect({ access: undefined })
    expect(report).toMatchObject({ tls: [expect.anything(), expect.anything()], problems: [] })
    expect(report).not.toHaveProperty('roundTrip')
  })

  it.each<[string, Circumstances, string | RegExp]>([
    [
      'a certificate for another name',
      { host: 'xks.example.com' },
      'not valid for xks.example.com: ERR_TLS_CERT_ALTNAME',
    ],
    ['an unknown authority', { caFile: undefined }, 'not valid for localhost: DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['no IPv4 address', { host: 'nowhere.example.com', address: undefined }, 'has no IPv4 address (ENOTFOUND)'],
    ['no listener', { address: '127.0.0.1:1' }, 'ECONNREFUSED'],
    ['another secret', { secret: 'x'.repeat(43) }, '/test/kms/xks/v1: AuthenticationFailedException'],
    ['another path', { path: '/other/kms/xks/v1' }, '/other/kms/xks/v1: InvalidUriPathException'],
    ['a clock that is 10 minutes off', { ahead: 600_000 }, 'AuthenticationFailedException'],
    ['a round trip of 260 ms', { takes: 260 }, 'a round trip takes 260.0 ms: AWS KMS waits 250 ms'],
    ['no HSM', { faults: { health: withStatus('UNAVAILABLE') } }, 'every HSM is unavailable'],
    ['an answer that is none', { faults: { contentType: 'text/html' } }, 'content type'],
  ])('finds the problem of %s', async (_, circumstances, problem) => {
    expect((await inspect(circumstances)).problems.join('\n')).toContain(problem)
  })

  it.each<[string, Circumstances, string]>([
    ['a clock that is 2 minutes off', { ahead: 120_000 }, 'the clock of the proxy differs by 1'],
    ['a certificate that expires soon', { access: undefined, ahead: 24 * day }, 'the certificate expires in 5 days'],
    ['a certificate that has expired', { access: undefined, ahead: 31 * day }, 'the certificate has expired'],
    ['a private address', { address: undefined, access: undefined }, 'needs the connectivity VPC_ENDPOINT_SERVICE'],
  ])('warns of %s', async (_, circumstances, warning) => {
    expect((await inspect(circumstances)).warnings.join('\n')).toContain(warning)
  })
})

function withStatus(healthStatus: string): object {
  return { ...health, ekmFleetDetails: [{ id: '1', model: 'Memory', healthStatus }] }
}
