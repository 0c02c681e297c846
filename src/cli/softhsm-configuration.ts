/** `softhsm2.conf` of a data folder: it contains the absolute path of the folder's tokens, so it is rewritten when the folder moves. */
import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../config.ts'
import { OperatorError } from '../errors.ts'
import { readIfThere, replaceSecretFile } from '../private-files.ts'

const fileName = 'softhsm2.conf'
const heading =
  '# Strongroom sets directories.tokendir to the folder of this file at each start, unless this line is removed.\n'
/** As written by earlier versions of `init`, without the heading. */
const formerText = /^directories\.tokendir = .*\/tokens\nobjectstore\.backend = file\nlog\.level = ERROR\n$/
const tokenFolder = /^[ \t]*directories\.tokendir[ \t]*=[ \t]*(.*?)[ \t]*$/m

interface DataFolder {
  readonly path: string
  readonly config: Pick<Config, 'hsms' | 'storage'>
}

/** @param folder absolute. Throws OperatorError if SoftHSM cannot parse its path. */
export function softHsmConfiguration(folder: string): string {
  return `${heading}${tokenFolderLine(folder)}\nobjectstore.backend = file\nlog.level = ERROR\n`
}

/**
 * Makes a folder that was moved or copied use its own token, not that of the original. Throws OperatorError.
 *
 * @param write whether the file may be changed; only with the lock on the folder's storage
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
 * A copied configuration with an absolute path still names the file of the original folder. A file that `init` wrote belongs to the storage
 * or configuration in the same folder.
 */
function requireOwnToken({ path, config }: DataFolder, own: string): void {
  const used = configurationsOf(config)
  if (used.some(file => isSame(file, own))) return
  const { file } = config.storage
  const homes = file === undefined ? [path] : [path, dirname(file)]
  const isForeign = (file: string) =>
    existsSync(file) ? textOf(file) !== undefined && !homes.some(home => isSame(home, dirname(file))) : existsSync(own)
  const foreign = used.find(file => file.endsWith(`/${fileName}`) && isForeign(file))
  if (foreign === undefined) return
  throw new OperatorError(
    `the configuration in ${path} uses the token of another data folder (SOFTHSM2_CONF: ${foreign}): set SOFTHSM2_CONF: ./${fileName}, or, if gateways are to share a token, see docs/fleet.md, SoftHSM`,
  )
}

function configurationsOf({ hsms }: Pick<Config, 'hsms'>): string[] {
  return Object.values(hsms)
    .flatMap(hsm => [hsm, ...Object.values(hsm.members ?? {})])
    .flatMap(({ environment }) => environment?.SOFTHSM2_CONF ?? [])
}

/** Undefined for a file that `init` did not write: it is left alone. */
function textOf(file: string): string | undefined {
  const text = readIfThere(file)
  return text !== undefined && (text.startsWith(heading) || formerText.test(text)) ? text : undefined
}

/** SoftHSM reads 1024 bytes of a line, and ends a value at these characters (SimpleConfigLoader.cpp). */
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
