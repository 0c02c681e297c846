/** `npm run xks-conformance -- URL ...`: see docs/xks.md. Here and not in test/, as operators run it against proxies of any make. */
import { CommanderError } from 'commander'
import { type Options, readOptions } from './options.ts'
import { conformance } from './suite.ts'

function options(): Options | undefined {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
    else {
      process.stderr.write(`xks-conformance: ${(error as Error).message}\n`)
      process.exitCode = 2
    }
    return undefined
  }
}

const chosen = options()
if (chosen) {
  const outcomes = await conformance(chosen, line => process.stdout.write(`${line}\n`))
  if (outcomes.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1
}
