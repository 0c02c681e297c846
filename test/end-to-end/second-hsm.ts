/** Further HSMs of an installation. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Installation, strongroom } from './gateway.ts'

/**
 * Adds HSMs, each with its region, and creates their system keys.
 *
 * @param hsms `own`: with a SoftHSM token of its own; `same`: another name for the token of the first HSM
 */
export async function addHsms(
  { folder, configure }: Installation,
  hsms: Readonly<Record<string, { readonly region: string; readonly token: 'own' | 'same' }>>,
): Promise<void> {
  for (const [name, { region, token }] of Object.entries(hsms)) {
    const tokens = token === 'own' ? join(folder, `tokens-${name}`) : join(folder, 'tokens')
    mkdirSync(tokens, { recursive: true, mode: 0o700 })
    const configuration = `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`
    writeFileSync(join(folder, `${name}.conf`), configuration, { mode: 0o600 })
    if (token === 'own') writeFileSync(join(folder, `pin-${name}`), `pin-of-${name}\n`, { mode: 0o600 })
    configure(config => {
      const first = config.hsms.softhsm!
      const environment = { ...first.environment, SOFTHSM2_CONF: `./${name}.conf` }
      const own = { token: { label: name }, pinFile: `pin-${name}` }
      config.hsms[name] = { ...first, ...(token === 'own' && own), environment }
      config.regions = { 'us-east-1': 'softhsm', ...config.regions, [region]: name }
    })
  }
  const { code, stderr } = await strongroom(['init', '--data', folder])
  if (code !== 0) throw new Error(`init failed: ${stderr}`)
}
