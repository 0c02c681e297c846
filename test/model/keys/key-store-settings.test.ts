import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Failure } from '../../../src/errors.ts'
import { claimsOf, type XksProxy } from '../../../src/model/keys/custom-key-store.ts'
import {
  checkEndpoint,
  checkNewStore,
  checkTrustAnchor,
  isAdjustment,
  proxyWith,
} from '../../../src/model/keys/key-store-settings.ts'
import { makeCertificate } from '../../server/certificates.ts'
import { anExternalKeyStore } from '../../storage/records.ts'

function codeOf(check: () => unknown): string {
  try {
    check()
    return 'ok'
  } catch (thrown) {
    return (thrown as Failure).code
  }
}

describe('a trust anchor', () => {
  const folder = mkdtempSync(join(tmpdir(), 'trust-anchor-'))
  const [certificateFile, keyFile] = [join(folder, 'crt'), join(folder, 'key')]
  makeCertificate({ certificateFile, keyFile })
  const [pem, key] = [readFileSync(certificateFile, 'utf8'), readFileSync(keyFile, 'utf8')]
  rmSync(folder, { recursive: true })

  it.each([
    ['a certificate', pem, 'ok'],
    ['a certificate with CRLF and space around it', `\r\n ${pem.replaceAll('\n', '\r\n')} \n`, 'ok'],
    ['two certificates', pem + pem, 'IncorrectTrustAnchor'],
    ['a certificate and a private key', pem + key, 'IncorrectTrustAnchor'],
    ['a private key', key, 'IncorrectTrustAnchor'],
    ['a damaged certificate', pem.replace(/\n[^-]{20}/, '\n'), 'IncorrectTrustAnchor'],
    ['an empty certificate', pem.replace(/(-----\n)[^-]*/, '$1'), 'IncorrectTrustAnchor'],
    ['text', 'certificate', 'IncorrectTrustAnchor'],
  ])('that is %s', (_what, text, code) => {
    expect(codeOf(() => checkTrustAnchor(text))).toBe(code)
  })
})

describe('a new custom key store', () => {
  const cluster = {
    CustomKeyStoreName: 'store',
    CloudHsmClusterId: 'cluster-2345abcdefg',
    TrustAnchorCertificate: 'PEM',
    KeyStorePassword: 'password',
  }
  const proxy = {
    CustomKeyStoreName: 'store',
    XksProxyUriEndpoint: 'https://xks.example.com',
    XksProxyUriPath: '/kms/xks/v1',
    XksProxyConnectivity: 'PUBLIC_ENDPOINT',
    XksProxyAuthenticationCredential: { AccessKeyId: 'A', RawSecretAccessKey: 'b' },
  } as const

  it.each([
    ['AWS_CLOUDHSM', cluster],
    ['EXTERNAL_KEY_STORE', proxy],
  ] as const)('of type %s has all members of its type, and none of the other', (type, input) => {
    expect(codeOf(() => checkNewStore(type, input))).toBe('ok')
    for (const member of Object.keys(input).filter(name => name !== 'CustomKeyStoreName'))
      expect(codeOf(() => checkNewStore(type, { ...input, [member]: undefined }))).toBe('Validation')
    const foreign =
      type === 'AWS_CLOUDHSM' ? { XksProxyVpcEndpointServiceOwner: '1' } : { KeyStorePassword: 'password' }
    expect(codeOf(() => checkNewStore(type, { ...input, ...foreign }))).toBe('Validation')
  })

  it.each([
    [{}, 'ok'],
    [{ XksProxyUriPath: '/a/kms/xks/v2' }, 'XksProxyInvalidConfiguration'],
    [{ XksProxyVpcEndpointServiceName: 'service' }, 'Validation'],
    [{ XksProxyVpcEndpointServiceOwner: '111122223333' }, 'Validation'],
    [{ XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE' }, 'Validation'],
    [{ XksProxyConnectivity: 'VPC_ENDPOINT_SERVICE', XksProxyVpcEndpointServiceName: 'service' }, 'ok'],
  ] as const)('whose proxy has %j: %s', (change, code) => {
    expect(codeOf(() => proxyWith(undefined, { ...proxy, ...change }))).toBe(code)
  })
})

describe('an update of a custom key store', () => {
  it('keeps what it does not name, and drops the VPC endpoint service with the connectivity', () => {
    const service = { connectivity: 'VPC_ENDPOINT_SERVICE', vpcEndpointServiceName: 'a' } as const
    const { sealedSecret: _secret, ...before } = anExternalKeyStore(1, service).xks as XksProxy
    expect(proxyWith({ ...before, sealedSecret: new Uint8Array() }, {})).toMatchObject(before)
    const changed = proxyWith(anExternalKeyStore(1, service).xks, { XksProxyConnectivity: 'PUBLIC_ENDPOINT' })
    expect(changed).toMatchObject({ connectivity: 'PUBLIC_ENDPOINT', vpcEndpointServiceName: undefined })
  })

  it.each([
    [{ NewCustomKeyStoreName: 'a' }, true],
    [{ XksProxyUriPath: '/kms/xks/v1', KeyStorePassword: undefined }, true],
    [{ XksProxyAuthenticationCredential: { AccessKeyId: 'a', RawSecretAccessKey: 'b' } }, true],
    [{ NewCustomKeyStoreName: 'a', KeyStorePassword: 'password' }, false],
    [{ CloudHsmClusterId: 'a' }, false],
    [{ XksProxyUriEndpoint: 'a' }, false],
    [{ XksProxyConnectivity: 'PUBLIC_ENDPOINT' }, false],
    [{ XksProxyVpcEndpointServiceName: 'a' }, false],
  ] as const)('of %j may be made while it is connected: %s', (input, isAllowed) => {
    expect(isAdjustment({ CustomKeyStoreId: 'cks-1', ...input })).toBe(isAllowed)
  })

  it('shares the endpoint of a proxy only with stores of public endpoints', () => {
    const own = (number: number) =>
      ({ connectivity: 'VPC_ENDPOINT_SERVICE', vpcEndpointServiceName: `${number}` }) as const
    const [first, second] = [anExternalKeyStore(1), anExternalKeyStore(2, { uriEndpoint: 'https://XKS.example.com.' })]
    expect(codeOf(() => checkEndpoint(first, [first, second]))).toBe('ok')
    expect(codeOf(() => checkEndpoint(first, [anExternalKeyStore(2, own(2))]))).toBe('XksProxyUriEndpointInUse')
    expect(codeOf(() => checkEndpoint(anExternalKeyStore(2, own(2)), [first]))).toBe('XksProxyUriEndpointInUse')
    expect(codeOf(() => checkEndpoint(anExternalKeyStore(2, own(2)), [{ ...first, region: 'us-east-2' }]))).toBe('ok')
    expect(codeOf(() => checkEndpoint(second, [anExternalKeyStore(3, own(2))]))).toBe('XksProxyUriEndpointInUse')
  })

  it.each([
    ['https://xks.example.com', 'https://XKS.Example.com'],
    ['https://xks.example.com', 'https://xks.example.com.'],
    ['https://203.0.113.9', 'https://3405803785'],
    ['https://203.0.113.9', 'https://0xcb.0.113.9.'],
  ])('claims the same URI with the endpoint %s as with %s', (uriEndpoint, other) => {
    const uriOf = (endpoint: string) =>
      claimsOf(anExternalKeyStore(1, { uriEndpoint: endpoint })).find(({ kind }) => kind === 'uri')
    expect(uriOf(other)).toEqual(uriOf(uriEndpoint))
    expect(uriOf('https://xks.example.org')).not.toEqual(uriOf(uriEndpoint))
  })
})
