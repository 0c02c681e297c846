import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { hasOpenssl } from '../server/certificates.ts'
import { aad, type Client, call, clientOf, rejection } from './fixture.ts'
import { type Answer, credential, health, region, startTestProxy, type TestProxy } from './test-proxy.ts'

const plaintext = Buffer.from('attack at dawn')
const signal = new AbortController().signal

describe.skipIf(!hasOpenssl)('external keys behind an XKS proxy', () => {
  let proxy: TestProxy
  let client: Client

  beforeAll(async () => {
    proxy = await startTestProxy()
    client = clientOf(proxy)
  })
  beforeEach(() => {
    proxy.change = answer => answer
    proxy.requests.length = 0
  })
  afterAll(async () => {
    await client?.proxies.close()
    await proxy?.close()
  })

  const keys = () => client.proxies.for(call)
  const answering = (status: number, body: object | string) => {
    proxy.change = () => ({ status, body })
  }
  const changing = (members: object) => {
    proxy.change = ({ status, body }) => ({ status, body: { ...body, ...members } })
  }
  const failureOfEncrypt = async () => (await rejection(client.encrypt())) as { code: string; message: string }

  it('decrypt what they have encrypted, and nothing that was altered', async () => {
    const encrypted = await client.encrypt(plaintext)
    expect(encrypted.ciphertext).not.toEqual(plaintext)
    expect(Buffer.from(await keys().decrypt(client.key, encrypted, aad))).toEqual(plaintext)
    for (const part of ['metadata', 'iv', 'tag', 'ciphertext'] as const) {
      const altered = { ...encrypted, [part]: Buffer.from(encrypted[part]).map(byte => byte ^ 1) }
      expect(await rejection(keys().decrypt(client.key, altered, aad)), part).toMatchObject({
        code: 'InvalidState',
        message: expect.stringMatching(/corrupted, missing, or otherwise invalid\.$/),
      })
    }
  })

  it('are told of the call, over one connection that is kept', async () => {
    const before = proxy.connections
    const encrypted = await client.encrypt(plaintext)
    const caller = {
      arn: 'arn:aws:iam::111122223333:user/alice',
      region,
      via: { service: 's3.amazonaws.com' },
    } as never
    await client.proxies
      .for({ requestId: 'request-2', operation: 'ReEncrypt', caller })
      .decrypt(client.key, encrypted, aad)
    const requestMetadata = {
      awsPrincipalArn: 'arn:aws:iam::111122223333:user/alice',
      kmsKeyArn: client.key.arn,
      kmsOperation: 'Encrypt',
      kmsRequestId: 'request-1',
    }
    const [first, second] = proxy.requests
    expect(first).toEqual({
      path: '/tenant/kms/xks/v1/keys/key-1/encrypt',
      body: {
        requestMetadata,
        plaintext: plaintext.toString('base64'),
        encryptionAlgorithm: 'AES_GCM',
        additionalAuthenticatedData: aad.toString('base64'),
        ciphertextDataIntegrityValueAlgorithm: 'SHA_256',
      },
    })
    expect(second!.body.requestMetadata).toEqual({
      ...requestMetadata,
      kmsOperation: 'ReEncrypt',
      kmsRequestId: 'request-2',
      kmsViaService: 's3.us-east-1.amazonaws.com',
    })
    expect(proxy.connections).toBe(Math.max(1, before))
    await keys().checkStore(client.store)
    expect(proxy.requests.at(-1)!.body).toEqual({
      requestMetadata: { kmsOperation: 'Encrypt', kmsRequestId: 'request-1' },
    })
  })

  it('are used with the credential and path of the record, which change without a new connection', async () => {
    await client.encrypt()
    const { connections } = proxy
    const { store } = client
    proxy.credential = {
      accessKeyId: 'BCDEFGHIJKLMNOPQRSTU',
      secretAccessKey: 'the-next-one/of+a+proxy/the-next-one/of+a+proxy',
    }
    expect(await failureOfEncrypt()).toMatchObject({
      code: 'InvalidState',
      message: expect.stringContaining('could not authenticate AWS KMS'),
    })
    const { accessKeyId, secretAccessKey } = proxy.credential
    const xks = { ...store.xks!, uriPath: '/kms/xks/v1', accessKeyId, sealedSecret: Buffer.from(secretAccessKey) }
    client.store = { ...store, xks }
    await client.encrypt()
    expect(proxy.requests.at(-1)!.path).toBe('/kms/xks/v1/keys/key-1/encrypt')
    expect(proxy.connections).toBe(connections)
    client.store = store
    proxy.credential = credential
  })

  it.each([
    ['KeyUnavailable', new Failure('KeyUnavailable')],
    ['Internal', new Failure('InvalidCiphertext')],
  ])('fail with %s if the credential cannot be unsealed, and with it as soon as it can', async (code, reason) => {
    let isAway = true
    const unsealSecret = async (_store: unknown, sealed: Uint8Array) => {
      if (isAway) throw reason
      return Buffer.from(sealed)
    }
    const other = clientOf(proxy, { unsealSecret })
    expect(await rejection(other.encrypt())).toMatchObject({ code })
    isAway = false
    await other.encrypt()
    await other.proxies.close()
  })

  it('are unavailable once the store is not connected', async () => {
    const { store } = client
    client.store = { ...store, state: 'DISCONNECTING' }
    expect(await failureOfEncrypt()).toMatchObject({
      code: 'InvalidState',
      message: `${client.key.arn} is unavailable.`,
    })
    client.store = store
  })

  it('can be those of new KMS keys if they are enabled AES-256 keys for both uses', async () => {
    await keys().check(client.store, 'key-1')
    const cases: readonly (readonly [object, string, string])[] = [
      [{ keySpec: 'RSA_2048' }, 'XksKeyInvalidConfiguration', 'key spec of specified external key is RSA_2048.'],
      [{ keySpec: 'AES_128' }, 'XksKeyInvalidConfiguration', 'key spec of specified external key is AES_128.'],
      [{ keyStatus: 'DISABLED' }, 'XksKeyInvalidConfiguration', 'status of specified external key is DISABLED.'],
      [
        { keyUsage: ['DECRYPT', 'SIGN'] },
        'XksKeyInvalidConfiguration',
        'key use of specified external key is DECRYPT, SIGN.',
      ],
      [{ keySpec: 7 }, 'CustomKeyStoreInvalidState', 'cannot interpret the response'],
      [{ keyUsage: 'ENCRYPT' }, 'CustomKeyStoreInvalidState', 'cannot interpret the response'],
      [{ keyUsage: Array(11).fill('ENCRYPT') }, 'CustomKeyStoreInvalidState', 'cannot interpret the response'],
      [{ keyStatus: 'enabled' }, 'CustomKeyStoreInvalidState', 'cannot interpret the response'],
    ]
    for (const [members, code, text] of cases) {
      changing(members)
      await keys()
        .check(client.store, 'key-1')
        .then(
          () => expect.unreachable(),
          thrown => expect(thrown).toMatchObject({ code, message: expect.stringContaining(text) }),
        )
    }
    proxy.change = answer => answer
    for (const id of ['missing', '.', '..'])
      expect(await rejection(keys().check(client.store, id)), id).toMatchObject({ code: 'XksKeyNotFound' })
  })

  it.each<[string, number, object | string, string, string, string, number]>([
    [
      'a wrong path',
      404,
      { errorName: 'InvalidUriPathException' },
      'XKS_PROXY_INVALID_CONFIGURATION',
      'XksProxyInvalidConfiguration',
      'invalid URI path',
      1,
    ],
    [
      'a refused signature',
      401,
      { errorName: 'AuthenticationFailedException' },
      'INVALID_CREDENTIALS',
      'XksProxyIncorrectAuthenticationCredential',
      'could not authenticate',
      1,
    ],
    [
      'a policy of the proxy',
      403,
      { errorName: 'AccessDeniedException' },
      'XKS_PROXY_ACCESS_DENIED',
      'XksProxyInvalidConfiguration',
      'denied access',
      1,
    ],
    [
      'a disabled key or prefix',
      400,
      { errorName: 'InvalidStateException' },
      'XKS_PROXY_ACCESS_DENIED',
      'XksProxyInvalidConfiguration',
      'is not enabled',
      1,
    ],
    [
      'an unsupported operation',
      501,
      { errorName: 'UnsupportedOperationException' },
      'XKS_PROXY_INVALID_CONFIGURATION',
      'UnsupportedOperation',
      'does not support',
      1,
    ],
    [
      'too many requests',
      429,
      { errorName: 'ThrottlingException' },
      'XKS_PROXY_NOT_REACHABLE',
      'XksProxyUriUnreachable',
      'very high request rate',
      2,
    ],
    [
      'an internal error',
      500,
      { errorName: 'InternalException', errorMessage: 'no HSM' },
      'XKS_PROXY_NOT_REACHABLE',
      'XksProxyUriUnreachable',
      'unhealthy state',
      2,
    ],
    [
      'a slow HSM',
      503,
      { errorName: 'DependencyTimeoutException' },
      'XKS_PROXY_TIMED_OUT',
      'XksProxyUriUnreachable',
      'did not respond in time',
      2,
    ],
    [
      'a request that it does not understand',
      400,
      { errorName: 'ValidationException' },
      'XKS_PROXY_INVALID_RESPONSE',
      'XksProxyInvalidResponse',
      'cannot interpret',
      1,
    ],
    [
      'a name that does not fit the status',
      500,
      { errorName: 'KeyNotFoundException' },
      'XKS_PROXY_INVALID_RESPONSE',
      'XksProxyInvalidResponse',
      'cannot interpret',
      1,
    ],
    [
      'a page of a load balancer',
      502,
      '<html>Bad Gateway</html>',
      'XKS_PROXY_INVALID_RESPONSE',
      'XksProxyInvalidResponse',
      'cannot interpret',
      1,
    ],
    ['a redirect', 307, {}, 'XKS_PROXY_INVALID_RESPONSE', 'XksProxyInvalidResponse', 'cannot interpret', 1],
    ['another success', 201, health, 'XKS_PROXY_INVALID_RESPONSE', 'XksProxyInvalidResponse', 'cannot interpret', 1],
  ])('fail as on AWS with %s', async (_title, status, body, connectionErrorCode, code, text, tries) => {
    answering(status, body)
    expect(await rejection(client.proxies.connect(client.store, signal))).toMatchObject({ code: connectionErrorCode })
    expect(proxy.requests.map(({ body }) => body.requestMetadata.kmsOperation)).toEqual(
      Array(tries).fill('ConnectCustomKeyStore'),
    )
    const message = expect.stringContaining(text)
    expect(await rejection(client.proxies.for(call).checkStore(client.store))).toMatchObject({ code, message })
    expect(await failureOfEncrypt()).toMatchObject({ code: 'InvalidState', message })
    expect(proxy.requests).toHaveLength(3 * tries)
    proxy.change = answer => answer
    await client.proxies.connect(client.store, signal)
  })

  it('are not kept from other callers by somebody who makes a proxy fail that answers', async () => {
    answering(500, { errorName: 'InternalException' })
    for (let count = 0; count < 10; count++) await failureOfEncrypt()
    proxy.change = answer => answer
    await client.encrypt()
  })

  it('fail with a clock of the proxy that is more than 5 minutes wrong, whose credential may be right', async () => {
    for (const skew of [-310_000, 310_000]) {
      proxy.skew = skew
      expect(await rejection(client.proxies.connect(client.store, signal))).toMatchObject({
        code: 'XKS_PROXY_INVALID_CONFIGURATION',
      })
      expect(await failureOfEncrypt()).toMatchObject({
        code: 'InvalidState',
        message: expect.stringContaining('its clock differs'),
      })
    }
    proxy.skew = 290_000
    await client.proxies.connect(client.store, signal)
    proxy.skew = 0
  })

  it('are connected to no longer once that is aborted, and nothing is left behind', async () => {
    proxy.change = () => undefined
    const controller = new AbortController()
    const connecting = rejection(client.proxies.connect(client.store, controller.signal))
    while (proxy.requests.length === 0) await new Promise(setImmediate)
    controller.abort()
    expect(await connecting).toMatchObject({ code: 'INTERNAL_ERROR' })
    expect(client.proxies.states).toEqual([])
    proxy.disconnect()
    expect(await rejection(client.proxies.connect(client.store, controller.signal))).toMatchObject({
      code: 'INTERNAL_ERROR',
    })
  })

  it('are counted only while they are connected, so that stores that come and go leave nothing behind', async () => {
    await client.encrypt()
    expect(client.calls).toMatchObject([{ operation: 'encrypt' }])
    await keys().checkStore({ ...client.store, id: 'cks-00000000000000000' })
    expect(client.calls).toHaveLength(1)
    const encrypting = client.encrypt()
    while (proxy.requests.length < 3) await new Promise(setImmediate)
    await client.proxies.disconnect(client.store)
    await encrypting
    expect(client.calls).toEqual([])
  })

  it('are disconnected from once the calls in flight have ended', async () => {
    let answer = () => {}
    proxy.change = ({ status, body }, _request, response) => {
      answer = () => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      return undefined
    }
    const encrypting = client.encrypt()
    while (proxy.requests.length === 0) await new Promise(setImmediate)
    const disconnecting = client.proxies.disconnect(client.store)
    answer()
    await disconnecting
    await encrypting
  })

  it('are not connected to while all external key managers are unavailable', async () => {
    changing({ ekmFleetDetails: [{ id: 'hsm-1', model: 'test', healthStatus: 'UNAVAILABLE' }] })
    expect(await rejection(client.proxies.connect(client.store, signal))).toMatchObject({
      code: 'XKS_PROXY_NOT_REACHABLE',
    })
    expect(await rejection(client.proxies.for(call).checkStore(client.store))).toMatchObject({
      code: 'XksProxyUriUnreachable',
    })
  })

  it.each([
    ['ciphertext', ''],
    ['ciphertext', 'AAAA'],
    ['ciphertext', 7],
    ['ciphertext', 'YXR0YWNrIGF0IGRhd24'],
    ['ciphertext', 'YXR0YWNrIGF0IGRhd25='],
    ['initializationVector', Buffer.alloc(13).toString('base64')],
    ['initializationVector', undefined],
    ['authenticationTag', Buffer.alloc(12).toString('base64')],
    ['authenticationTag', Buffer.alloc(16).toString('base64')],
    ['authenticationTag', '________________________'],
    ['ciphertextMetadata', Buffer.alloc(21).toString('base64')],
    ['ciphertextMetadata', null],
    ['ciphertextMetadata', {}],
    ['ciphertextDataIntegrityValue', undefined],
    ['ciphertextDataIntegrityValue', Buffer.alloc(32).toString('base64')],
  ])('are not believed that %s is %j', async (member, value) => {
    changing({ [member]: value })
    expect(await failureOfEncrypt()).toMatchObject({
      code: 'InvalidState',
      message: expect.stringContaining('cannot interpret'),
    })
    expect(client.logged.at(-1)).toMatchObject({ reason: 'invalidResponse' })
    proxy.change = answer => answer
    await client.encrypt()
  })

  it.each<[string, (answer: Answer) => Answer]>([
    ['a plaintext of another length', answer => ({ ...answer, body: { plaintext: 'AAAA' } })],
    ['no plaintext', answer => ({ ...answer, body: {} })],
    ['a list', answer => ({ ...answer, body: [] })],
    ['null', answer => ({ ...answer, body: 'null' })],
    ['nothing', answer => ({ ...answer, body: '' })],
  ])('are not believed when they decrypt to %s', async (_title, change) => {
    const encrypted = await client.encrypt()
    proxy.change = change
    expect(await rejection(keys().decrypt(client.key, encrypted, aad))).toMatchObject({
      code: 'InvalidState',
      message: expect.stringContaining('cannot interpret'),
    })
    proxy.change = answer => answer
    await client.encrypt()
  })

  it.each([
    { xksProxyFleetSize: 0 },
    { xksProxyFleetSize: 1.5 },
    { xksProxyVendor: 7 },
    { ekmFleetDetails: [] },
    { ekmFleetDetails: Array(11).fill(health.ekmFleetDetails[0]) },
    { ekmFleetDetails: [null] },
    { ekmFleetDetails: [{ id: 'hsm-1', model: 'test', healthStatus: 'FINE' }] },
  ])('are not connected to with the health response %j', async members => {
    changing(members)
    expect(await rejection(client.proxies.connect(client.store, signal))).toMatchObject({
      code: 'XKS_PROXY_INVALID_RESPONSE',
    })
  })
})
