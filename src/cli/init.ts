import { statSync } from 'node:fs'
import { connectHsms, openAudit, openDatabase } from '../assemble.ts'
import { administratorKeyFromEnvironment, type Config, type HsmConfig } from '../config.ts'
import { profileOf } from '../hsm/profiles.ts'
import { provisionHsm } from '../hsm/provision.ts'
import { ensureAdministrator, ensureSystemKeys } from './administrator.ts'
import { command } from './command.ts'
import { writeCredentials } from './credentials.ts'
import { ensureDataFolder, ensureSecurityOfficerPin, openDataFolder } from './data-folder.ts'
import { type ConfigOptions, configOption, dataOption, parseAccount } from './options.ts'

export const init = command(program => {
  program
    .command('init')
    .description('create what is missing: configuration, token, storage, administrator; safe to repeat')
    .addOption(dataOption())
    .addOption(configOption())
    .option('--account <id>', 'AWS account of the administrator', parseAccount, '000000000000')
    .action(async (options: ConfigOptions & { account: string }) => {
      if (options.config === undefined) ensureDataFolder(options.data)
      const { path, config } = openDataFolder(options)
      const given = administratorKeyFromEnvironment()
      for (const hsm of Object.values(config.hsms)) await provision(hsm)
      await using opened = new AsyncDisposableStack()
      const storage = await openDatabase(config, opened, { create: !isInUse(config) })
      const hsms = await connectHsms(config, storage, opened)
      const installation = { storage, hsms, ...(await openAudit(config, storage, opened)) }
      for (const hsm of hsms.all) await ensureSystemKeys(hsm, installation)
      const region = Object.keys(config.regions)[0]!
      const accessKey = await ensureAdministrator(options.account, region, installation, given)
      const credentials = writeCredentials(path, options.account, region, accessKey)
      process.stdout.write(`Ready. The administrator's access key is in ${credentials}\n`)
    })
})

/** Whether anything was ever put on record: storage that is missing then was lost, and a new one would know none of its keys. */
function isInUse({ audit: { file } }: Config): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 0
}

/** Tokens of hardware are created by their vendor's tools. */
async function provision({ token, ...hsm }: HsmConfig): Promise<void> {
  const { pinFile } = hsm
  if (!profileOf(hsm.profile).provisions || token.label === undefined || pinFile === undefined) return
  const securityOfficerPinFile = ensureSecurityOfficerPin(pinFile)
  await provisionHsm({ ...hsm, pinFile, tokenLabel: token.label, securityOfficerPinFile })
}
