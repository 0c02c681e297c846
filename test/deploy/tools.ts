/** Programs and schemas for the tests of deploy/, which scripts/test installs in deploy/tools: 50 MB that nothing else needs. */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const folder = join(import.meta.dirname, '../../deploy/tools')
export const toolsFolder = join(folder, 'node_modules')
export const areInstalled = existsSync(join(toolsFolder, 'kubernetes-models')) && process.arch === 'x64'

/** Loads a package of deploy/tools. */
export const load: NodeJS.Require = createRequire(join(folder, 'package.json'))

/** Path of helm, unpacked once. */
export function helm(): string {
  const cache = join(toolsFolder, '.cache')
  const program = join(cache, 'helm')
  if (existsSync(program)) return program
  const archive = join(toolsFolder, '@aws-cdk/asset-kubectl-v20/lib/layer.zip')
  const unpacked = join(cache, `unpacking-${process.pid}`)
  mkdirSync(unpacked, { recursive: true })
  execFileSync('python3', ['-m', 'zipfile', '-e', archive, unpacked])
  chmodSync(join(unpacked, 'helm/helm'), 0o755)
  renameSync(join(unpacked, 'helm/helm'), program)
  return program
}
