/** `strongroom doctor`. */
import { writeFileSync } from 'node:fs'
import { basename, extname } from 'node:path'
import { type Config, regionalHsms } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { type HsmReport, inspectHsm } from '../hsm/doctor/inspect.ts'
import { writtenProfile } from '../hsm/doctor/written-profile.ts'
import { openDataFolder } from './data-folder.ts'
import { harden } from './harden.ts'
import { reportPage } from './hsm-report.ts'
import { settleSoftHsm } from './softhsm-configuration.ts'
import type { XksDoctorOptions } from './xks-doctor-options.ts'

export interface DoctorOptions extends XksDoctorOptions {
  readonly hsm?: string
  readonly writeProfile?: string
  readonly force?: boolean
}

/** Rejects with an OperatorError if one of them is unusable. */
export async function inspectHsms(options: DoctorOptions): Promise<void> {
  harden()
  const folder = openDataFolder(options)
  settleSoftHsm(folder, { write: false })
  const hsms = chosen(folder.config, options)
  const reports: Record<string, HsmReport> = {}
  for (const [name, { token, ...hsm }] of Object.entries(hsms)) {
    reports[name] = await inspectHsm({
      ...hsm,
      tokenLabel: token.label,
      tokenSerial: token.serial,
      force: options.force,
    })
  }
  process.stdout.write(
    options.json
      ? `${JSON.stringify(reports, null, 2)}\n`
      : Object.entries(reports)
          .map(([name, report]) => reportPage(name, report))
          .join('\n'),
  )
  if (options.writeProfile !== undefined) {
    for (const [name, { profile }] of Object.entries(hsms)) write(options.writeProfile, profile, reports[name]!)
  }
  const unusable = Object.keys(reports).filter(name => reports[name]!.problems.length > 0)
  if (unusable.length > 0) throw new OperatorError(`unusable: ${unusable.join(', ')}; see the problems above`)
}

/** By default all whose PIN is in the configuration. */
function chosen(config: Config, { hsm: name, writeProfile }: DoctorOptions) {
  const hsms = regionalHsms(config)
  const names = Object.keys(hsms)
  if (name !== undefined && config.hsms[name]?.clusterId !== undefined) {
    throw new OperatorError(
      `the PIN of HSM ${name} is the password of a custom key store: to test it, use a configuration that has a pinFile instead of its clusterId`,
    )
  }
  if (name !== undefined && !names.includes(name)) {
    throw new OperatorError(`unknown HSM ${name}: the configuration has ${names.join(', ')}`)
  }
  if (name === undefined && writeProfile !== undefined && names.length > 1) {
    throw new OperatorError(`--write-profile needs one HSM: add --hsm ${names.join(' or --hsm ')}`)
  }
  return name === undefined ? hsms : { [name]: hsms[name]! }
}

/** Writes nothing if the HSM could not be tested. @param basedOn the profile in the configuration */
function write(file: string, basedOn: string, { survey }: HsmReport): void {
  if (survey === undefined) return
  const text = writtenProfile(basename(file, extname(file)), basedOn, survey)
  try {
    writeFileSync(file, text, { flag: 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new OperatorError(`cannot write the profile ${file}: ${code === 'EEXIST' ? 'the file exists' : code}`, {
      cause: error,
    })
  }
}
