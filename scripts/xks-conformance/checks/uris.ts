/** Methods and URIs: "API operations" of the specification. */
import { accepted, type Check, expectThat, must, refused, should, shown } from '../check.ts'
import type { XksProxy } from '../proxy.ts'

const paths = (proxy: XksProxy) => [
  proxy.pathOf('health'),
  ...(['metadata', 'encrypt', 'decrypt'] as const).map(operation => proxy.keyPath(operation)),
]
const metadata = (proxy: XksProxy) => ({ body: { requestMetadata: proxy.requestMetadata('CreateKey') } })

async function expectMethodRefused(proxy: XksProxy, method: string, signed: boolean): Promise<void> {
  for (const path of paths(proxy)) {
    const headers = { 'content-length': undefined, ...(signed ? {} : { authorization: undefined }) }
    const answer = await proxy.call(path, { method, body: Buffer.alloc(0), headers })
    expectThat(answer.status === 405, `405 for ${method} ${path}`, shown(answer))
  }
}

export const uriChecks: readonly Check[] = [
  must('answer 405 to GET, signed', proxy => expectMethodRefused(proxy, 'GET', true)),
  must('answer 405 to GET, unsigned', proxy => expectMethodRefused(proxy, 'GET', false)),
  should('answer 405 to PUT and DELETE', async proxy => {
    for (const method of ['PUT', 'DELETE']) await expectMethodRefused(proxy, method, true)
  }),
  must('answer InvalidUriPathException to a path that is none of the API', async proxy => {
    for (const path of ['healthy', 'keys', `keys/${proxy.options.key}`, `keys/${proxy.options.key}/sign`])
      refused(await proxy.call(proxy.pathOf(path), metadata(proxy)), 'InvalidUriPathException')
  }),
  should('answer InvalidUriPathException to the path of another version', async proxy => {
    const path = `${proxy.pathOf('health').replace(/v1\/health$/, 'v99/health')}`
    refused(await proxy.call(path, metadata(proxy)), 'InvalidUriPathException')
  }),
  must('answer KeyNotFoundException for a key that does not exist', async proxy => {
    for (const operation of ['metadata', 'encrypt', 'decrypt'] as const) {
      const body = {
        requestMetadata: proxy.requestMetadata('Decrypt'),
        encryptionAlgorithm: 'AES_GCM',
        ...(operation !== 'metadata' && { plaintext: 'QUJD', ciphertext: 'QUJD' }),
        ...(operation === 'decrypt' && {
          initializationVector: Buffer.alloc(12).toString('base64'),
          authenticationTag: Buffer.alloc(16).toString('base64'),
        }),
      }
      for (const key of ['no-such-key', 'a'.repeat(128)])
        refused(await proxy.call(proxy.keyPath(operation, key), { body }), 'KeyNotFoundException')
    }
  }),
  should('answer KeyNotFoundException for key ids of dots, dashes and underscores', async proxy => {
    for (const key of ['no_such.key-', '...', '-_.'])
      refused(await proxy.call(proxy.keyPath('metadata', key), metadata(proxy)), 'KeyNotFoundException')
  }),
  should(
    'answer 404 for key ids in which other characters are, and not look for them in files or URIs',
    async proxy => {
      for (const key of [
        '%2e%2e%2f',
        'a%00b',
        `${proxy.options.key}%20`,
        `..%2f${proxy.options.key}`,
        'a'.repeat(129),
      ]) {
        const answer = await proxy.call(proxy.keyPath('metadata', key), metadata(proxy))
        expectThat(answer.status === 404 || answer.status === 401, `404 for ${key}`, shown(answer))
      }
    },
  ),
  must('answer health requests', async proxy => {
    const health = accepted(await proxy.call(proxy.pathOf('health'), metadata(proxy)))
    const { xksProxyFleetSize: size, ekmFleetDetails: fleet } = health
    expectThat(Number.isInteger(size) && (size as number) >= 1, 'an xksProxyFleetSize of 1 or more', size)
    for (const name of ['xksProxyVendor', 'xksProxyModel', 'ekmVendor'])
      expectThat(typeof health[name] === 'string' && health[name] !== '', `a text ${name}`, health[name])
    expectThat(Array.isArray(fleet) && fleet.length >= 1 && fleet.length <= 10, '1 to 10 ekmFleetDetails', fleet)
    for (const { id, model, healthStatus } of fleet as Record<string, unknown>[]) {
      const isWhole = typeof id === 'string' && typeof model === 'string'
      const isStatus = ['ACTIVE', 'DEGRADED', 'UNAVAILABLE'].includes(healthStatus as string)
      expectThat(isWhole && isStatus, 'id, model, and healthStatus ACTIVE, DEGRADED or UNAVAILABLE', {
        id,
        model,
        healthStatus,
      })
    }
  }),
  must('answer health requests of every kmsOperation, known or not', async proxy => {
    for (const kmsOperation of [
      'CreateCustomKeyStore',
      'ConnectCustomKeyStore',
      'UpdateCustomKeyStore',
      'BulkHealthCheck',
    ])
      accepted(
        await proxy.call(proxy.pathOf('health'), {
          body: { requestMetadata: { kmsRequestId: 'not a UUID', kmsOperation } },
        }),
      )
  }),
]
