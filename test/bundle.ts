/** The program as one bundle with its packages, for tests: its processes start in half the time, and a run of the tests starts hundreds. */
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..')
const source = join(root, 'src')

/** The program, and what it starts as processes and threads of their own, or lets them load first. */
const entries = [
  'main',
  'audit/index/index-thread',
  'audit/sinks/process',
  'hsm/doctor/inspector',
  'hsm/worker/gateway-watch',
  'hsm/worker/provisioner',
  'hsm/worker/truster',
  'hsm/worker/worker',
  'storage/database-thread',
  'supervisor/process',
]

/** They find files of their own by their place. */
const external = ['pkcs11js', 'graphene-pk11', 'pino']

/** Milliseconds. No run of the tests takes as long. */
const day = 24 * 60 * 60_000

/**
 * Makes the bundle, unless there is one of the same source. Each source has a folder of its own: what other runs start must not change.
 * @returns the path of the bundled main.ts
 */
export async function bundleProgram(): Promise<string> {
  const cache = join(root, 'node_modules/.cache')
  const folder = join(cache, `strongroom-${hashOfSource()}`)
  const main = join(folder, 'dist/main.js')
  if (existsSync(main)) {
    // It is in use.
    utimesSync(folder, new Date(), new Date())
    return main
  }
  const { build } = await import('rolldown')
  mkdirSync(cache, { recursive: true })
  for (const other of globSync('strongroom-*', { cwd: cache })) removeUnused(join(cache, other))
  const written = mkdtempSync(join(cache, 'strongroom-making-'))
  await build({
    input: Object.fromEntries(entries.map(entry => [entry, join(source, `${entry}.ts`)])),
    platform: 'node',
    external,
    plugins: [{ name: 'place of modules', transform: (code, id) => placed(code, id, join(folder, 'dist')) }],
    output: { dir: join(written, 'dist'), entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
  })
  // Read for the version.
  copyFileSync(join(root, 'package.json'), join(written, 'package.json'))
  try {
    renameSync(written, folder)
  } catch (error) {
    // Another run was faster.
    rmSync(written, { recursive: true })
    if (!existsSync(main)) throw error
  }
  return main
}

function removeUnused(folder: string): void {
  const { mtimeMs } = statSync(folder, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() }
  if (Date.now() - mtimeMs > day) rmSync(folder, { recursive: true, force: true })
}

/** Modules find files by their place, which is that of the build: theirs would be that of the chunk they are in. */
function placed(code: string, id: string, dist: string): string | undefined {
  if (!id.startsWith(source + sep)) return undefined
  const url = pathToFileURL(join(dist, relative(source, id).replace(/ts$/, 'js')))
  return code.replaceAll('import.meta.url', JSON.stringify(url))
}

function hashOfSource(): string {
  const files = globSync(['src/**/*.*', 'package*.json', 'test/bundle.ts'], { cwd: root }).sort()
  const hash = createHash('sha256').update(root)
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)))
  return hash.digest('hex').slice(0, 16)
}
