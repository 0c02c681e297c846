import { readConfig } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { type HsmReport, inspectHsm } from '../hsm/inspect.ts'
import { command } from './command.ts'
import { type ConfigOptions, configFile, configOption, dataOption } from './options.ts'

export const doctor = command(program => {
  program
    .command('doctor')
    .description('find out whether each HSM can be used: library, token, PIN, mechanisms; exit code 1 when one cannot')
    .addOption(dataOption())
    .addOption(configOption())
    .option('--json', 'answer the reports as JSON')
    .option('--force', 'try the PIN even though an earlier try was wrong: it may lock the token')
    .action(async (options: ConfigOptions & { json?: boolean; force?: boolean }) => {
      const config = readConfig(configFile(options))
      const reports: Record<string, HsmReport> = {}
      for (const [name, { token, ...hsm }] of Object.entries(config.hsms)) {
        reports[name] = await inspectHsm({
          ...hsm,
          tokenLabel: token.label,
          tokenSerial: token.serial,
          force: options.force,
        })
      }
      process.stdout.write(
        options.json ? `${JSON.stringify(reports, null, 2)}\n` : Object.entries(reports).map(page).join('\n'),
      )
      const ill = Object.keys(reports).filter(name => reports[name]!.problems.length > 0)
      if (ill.length > 0) throw new OperatorError(`cannot be used: ${ill.join(', ')}`)
    })
})

function page([name, report]: [string, HsmReport]): string {
  const { library, tokens, token, pin, mechanisms, trials = {}, keys, problems } = report
  const lines: [string, unknown][] = [
    [
      'library',
      library &&
        `${library.description}, ${library.manufacturer}, version ${library.version}, PKCS#11 ${library.cryptokiVersion}`,
    ],
    ['tokens', tokens?.map(({ label, serial }) => `${label} (serial ${serial})`).join(', ')],
    ['token', token && `${token.label} (serial ${token.serial})`],
    ['PIN', pin],
    ['mechanisms', mechanisms?.length],
    ...Object.entries(trials),
    ['keys', keys],
    ...problems.map((problem): [string, unknown] => ['problem', problem]),
  ]
  const known = lines.filter(([, value]) => value !== undefined)
  const width = Math.max(...known.map(([title]) => title.length))
  return `${name}\n${known.map(([title, value]) => `  ${title.padEnd(width)}  ${value}\n`).join('')}`
}
