import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import type { RotatedAuditKey } from '../operations/administration/rotate-audit-key.ts'
import { writeAuditKey } from './audit-key-file.ts'
import { administer, print, printJson, withDataOptions } from './identity-options.ts'
import { type ConfigOptions, configFile } from './options.ts'

interface RotateKeyOptions extends ConfigOptions {
  readonly formerKeyLost?: boolean
  readonly json?: boolean
}

export function addRotateKey(audit: Command): void {
  withDataOptions(audit.command('rotate-key'))
    .description('replace the key that signs audit checkpoints; the former key signs the new one')
    .option('--former-key-lost', 'go on if the HSM has lost the former key: the new one is then trusted by nobody yet')
    .option('--json', 'print the result as JSON')
    .action(rotateKey)
}

async function rotateKey({ formerKeyLost = false, json, ...options }: RotateKeyOptions): Promise<void> {
  await administer(options, async call => {
    const rotated = await call<RotatedAuditKey>('RotateAuditKey', { formerKeyLost })
    const file = writeAuditKey(dirname(resolve(configFile(options))), rotated.publicKey)
    if (json) return printJson({ ...rotated, file })
    print(`The audit key on the HSM ${rotated.hsm} is a new one. Its public key is in ${file}`)
    print(`SHA-256 fingerprint: ${rotated.fingerprint}, before: ${rotated.previousFingerprint}`)
    if (formerKeyLost) print('The former key has not signed it: give both public keys to strongroom audit verify.')
    else print('The former key has signed it: copies of former public keys still verify the whole audit.')
  })
}
