import type { ClientCertificate, XksCredential, XksPrefix } from '../../model/xks/prefix.ts'
import type { XksPrefixRow } from './database.ts'
import { table } from './table.ts'

export const xksPrefixes = table<XksPrefix, XksPrefixRow>({
  name: 'xks_prefixes',
  primaryKey: ['name'],
  key: prefix => [prefix.name],
  toRow: prefix => ({
    name: prefix.name,
    account: prefix.account,
    region: prefix.region,
    frozen: Number(prefix.frozen),
    credentials: JSON.stringify(prefix.credentials.map(toStored)),
    client_certificate: prefix.clientCertificate ? JSON.stringify(prefix.clientCertificate) : null,
    quota: prefix.quota ?? null,
    sample_proxy_aad: Number(prefix.sampleProxyAad),
    revision: prefix.revision,
  }),
  fromRow: row => ({
    name: row.name,
    account: row.account,
    region: row.region,
    frozen: row.frozen === 1,
    credentials: (JSON.parse(row.credentials) as StoredCredential[]).map(fromStored),
    clientCertificate:
      row.client_certificate === null ? undefined : (JSON.parse(row.client_certificate) as ClientCertificate),
    quota: row.quota ?? undefined,
    sampleProxyAad: row.sample_proxy_aad === 1,
    revision: row.revision,
  }),
})

/** Its secret is in base64. */
type StoredCredential = Omit<XksCredential, 'sealedSecret'> & { readonly sealedSecret: string }

function toStored({ sealedSecret, ...rest }: XksCredential): StoredCredential {
  return { ...rest, sealedSecret: Buffer.from(sealedSecret).toString('base64') }
}

function fromStored({ sealedSecret, ...rest }: StoredCredential): XksCredential {
  return { ...rest, sealedSecret: new Uint8Array(Buffer.from(sealedSecret, 'base64')) }
}
