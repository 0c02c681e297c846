import { command } from './command.ts'
import type { DoctorOptions } from './inspect-hsms.ts'
import { configOption, dataOption } from './options.ts'
import { addXksOptions, refuseXksOptions } from './xks-doctor-options.ts'

export const doctor = command(program => {
  const command = program
    .command('doctor')
    .description('test what each HSM supports: keys, algorithms, limits, latency; exit code 1 if one is unusable')
    .addOption(dataOption())
    .addOption(configOption())
    .option('--hsm <name>', 'only this HSM')
    .option('--json', 'print the reports as JSON')
    .option('--write-profile <file>', 'write the findings as a profile, for "profile: ./file" in the configuration')
    .option('--force', 'try the PIN although an earlier attempt failed; this may lock the token')
  addXksOptions(command).action(async (options: DoctorOptions) => {
    if (options.xks !== undefined) {
      const { inspectXksProxy } = await import('./xks-doctor.ts')
      return await inspectXksProxy(options.xks, options)
    }
    refuseXksOptions(options)
    const { inspectHsms } = await import('./inspect-hsms.ts')
    await inspectHsms(options)
  })
})
