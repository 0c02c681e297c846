/** What the page does: calls AWS KMS as an application in a browser would, and posts what came of it to the server that it came from. */
import { KMS } from '@aws-sdk/client-kms'
import type { Report, Settings } from './chromium.ts'

declare const location: { readonly origin: string }

const settings = (await (await fetch('/settings')).json()) as Settings
const kms = new KMS({ ...settings, maxAttempts: 1 })

async function use(): Promise<Partial<Report>> {
  const { KeyMetadata } = await kms.createKey({ Description: 'made in a browser' })
  const { CiphertextBlob } = await kms.encrypt({
    KeyId: KeyMetadata!.KeyId!,
    Plaintext: new TextEncoder().encode('text'),
    EncryptionContext: { page: location.origin },
  })
  const { Plaintext } = await kms.decrypt({
    CiphertextBlob: CiphertextBlob!,
    EncryptionContext: { page: location.origin },
  })
  return { keyId: KeyMetadata!.KeyId!, plaintext: new TextDecoder().decode(Plaintext) }
}

async function misuse(): Promise<Partial<Report>> {
  try {
    await kms.describeKey({ KeyId: 'alias/none' })
    return {}
  } catch (thrown) {
    const { name, message, $metadata } = thrown as Error & { $metadata?: { requestId?: string } }
    return { error: { name, message, requestId: $metadata?.requestId } }
  }
}

const report = await use()
  .then(async used => ({ ...used, ...(await misuse()) }))
  .catch(thrown => ({ failed: String(thrown) }))
await fetch('/report', { method: 'POST', body: JSON.stringify({ origin: location.origin, ...report }) })
