import { Argument, type Command, InvalidArgumentError, Option } from 'commander'
import { configOption } from './options.ts'

/** Options that the commands on a journal share. */

export function withJournalOptions(command: Command): Command {
  return command
    .addArgument(
      new Argument('[files...]', 'segments of a journal, or folders of them (default: the journal of the data folder)'),
    )
    .addOption(new Option('--data <dir>', 'data folder (default: ./data)'))
    .addOption(configOption())
}

export function parseNumber(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a number from 1 on.')
}
