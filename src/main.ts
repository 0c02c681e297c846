#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { commands } from './cli/catalogue.ts'
import { OperatorError } from './errors.ts'
import { version } from './version.ts'

/** The command line. A mistake is one clear line on standard error: exit code 2 for a wrong call, 1 for anything else. */

const program = new Command('strongroom')
  .description('HSM-backed custom key store gateway: the AWS KMS API in front of a PKCS#11 token')
  .version(version)
  .helpCommand(false)
  .configureOutput({
    outputError: text => process.stderr.write(text.replace(/^error: /, 'strongroom: ').replace(/\.\n$/, '\n')),
  })
  .exitOverride()
for (const add of commands) add(program)
for (const command of program.commands) command.copyInheritedSettings(program)

process.stdout.on('error', reportUnwritten)
try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeFor(error)
}

/** The command ends its work. Whoever reads the output may have had enough of it. */
function reportUnwritten({ code }: NodeJS.ErrnoException): void {
  if (code !== 'EPIPE') process.stderr.write(`strongroom: cannot write the output: ${code}\n`)
  process.exitCode = 1
}

function exitCodeFor(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof OperatorError) {
    process.stderr.write(`strongroom: ${error.message}\n`)
    return error.exitCode
  }
  process.stderr.write(`strongroom: unexpected failure: ${error instanceof Error ? error.message : String(error)}\n`)
  return 1
}
