/** `softhsm2.conf` of a data folder, which tells SoftHSM where the folder's token is: an absolute path, so it changes when the folder moves. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { readIfThere, replaceSecretFile } from '../private-files.ts'

const fileName = 'softhsm2.conf'
const heading =
  '# Strongroom sets directories.tokendir to the folder of this file at each start, unless this line is removed.\n'
/** As `init` wrote it before there was a heading. */
const formerText = /^directories\.tokendir = .*\/tokens\nobjectstore\.backend = file\nlog\.level = ERROR\n$/
const tokenFolder = /^[ \t]*directories\.tokendir[ \t]*=[ \t]*(.*?)[ \t]*$/m

interface DataFolder {
  readonly path: string
  readonly config: Pick<Config, 'hsms' | 'storage'>
}

/** @param folder absolute. Throws OperatorError when SoftHSM cannot read its path. */
export function softHsmConfiguration(folder: string): string {
  return `${heading}${tokenFolderLine(folder)}\nobjectstore.backend = file\nlog.level = ERROR\n`
}

/**
 * Makes sure that an HSM that uses the folder's own token uses the one of this folder, wherever it was moved or copied to, and not that
 * of the folder it came from. Throws OperatorError.
 *
 * @param write whether the file may be changed, which is so for whoever holds the lock on the folder's storage
 */
export function settleSoftHsm(folder: DataFolder, { write }: { write: boolean }): void {
  const { path } = folder
  const file = join(path, fileName)
  requireOwnToken(folder, file)
  const text = textOf(file)
  if (text === undefined) return
  const named = tokenFolder.exec(text)?.[1]
  const own = join(path, 'tokens')
  if (named === own || (named !== undefined && isSame(named, own))) return
  if (!write) {
    throw new OperatorError(
      `${file} refers to ${named}: if the data folder was moved, start the gateway or run strongroom init once`,
    )
  }
  replaceSecretFile(file, withTokenFolder(text, tokenFolderLine(path)))
}

/**
 * A configuration from before paths could be relative still names the file of the folder that it was copied from. What `init` wrote
 * belongs to the storage, or the configuration, in the same folder.
 */
function requireOwnToken({ path, config }: DataFolder, own: string): void {
  const used = configurationsOf(config)
  if (used.some(file => isSame(file, own))) return
  const homes = [path, dirname(config.storage.file)]
  const isForeign = (file: string) =>
    existsSync(file) ? textOf(file) !== undefined && !homes.some(home => isSame(home, dirname(file))) : existsSync(own)
  const foreign = used.find(file => file.endsWith(`/${fileName}`) && isForeign(file))
  if (foreign === undefined) return
  throw new OperatorError(
    `the configuration in ${path} uses the token of another data folder (SOFTHSM2_CONF: ${foreign}): set SOFTHSM2_CONF: ./${fileName}`,
  )
}

function configurationsOf({ hsms }: Pick<Config, 'hsms'>): string[] {
  return Object.values(hsms)
    .flatMap(hsm => [hsm, ...Object.values(hsm.members ?? {})])
    .flatMap(({ environment }) => environment?.SOFTHSM2_CONF ?? [])
}

/** Of a file that `init` wrote: a user's own is left alone. */
function textOf(file: string): string | undefined {
  const text = readIfThere(file)
  return text !== undefined && (text.startsWith(heading) || formerText.test(text)) ? text : undefined
}

/** SoftHSM takes 1024 bytes of a line, and ends a value at these characters (SimpleConfigLoader.cpp). */
function tokenFolderLine(folder: string): string {
  const line = `directories.tokendir = ${join(folder, 'tokens')}`
  if (/[#=\r\n]/.test(folder) || Buffer.byteLength(line) > 1000) {
    throw new OperatorError(
      `SoftHSM cannot use the folder ${folder}: choose a shorter path without "#", "=" and line breaks`,
    )
  }
  return line
}

function withTokenFolder(text: string, line: string): string {
  return tokenFolder.test(text) ? text.replace(tokenFolder, () => line) : `${text}${line}\n`
}

function isSame(one: string, other: string): boolean {
  return existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other)
}
