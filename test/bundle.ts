/** The program as one bundle with its packages, for tests: its processes start in half the time, and a run of the tests starts hundreds. */
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

const root = join(import.meta.dirname, '..')
const source = join(root, 'src')

/** The program, and what it starts as processes and threads of their own. */
const entries = [
  'main',
  'audit/index/index-thread',
  'audit/sinks/process',
  'hsm/doctor/inspector',
  'hsm/worker/gateway-watch',
  'hsm/worker/provisioner',
  'hsm/worker/worker',
  'storage/database-thread',
]

/** They find files of their own by their place. */
const external = ['pkcs11js', 'graphene-pk11', 'pino']

/** Resolves to the path of the bundle of main.ts, at the same place for the same code: what Node.js has compiled of it is kept by path. */
export async function bundleProgram(): Promise<string> {
  const place = 'file:///place-of-the-bundle'
  const bundle = await rolldown({
    input: Object.fromEntries(entries.map(entry => [entry, join(source, `${entry}.ts`)])),
    platform: 'node',
    external,
    plugins: [
      {
        name: 'place of modules',
        transform: (code, id) =>
          code.replaceAll('import.meta.url', `'${place}/${relative(source, id).replace(/ts$/, 'js')}'`),
      },
    ],
  })
  const { output } = await bundle.generate({ entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' })
  await bundle.close()
  const files = output.map(file => [file.fileName, 'code' in file ? file.code : file.source] as const)
  const hash = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16)
  const cache = join(root, 'node_modules/.cache')
  const folder = join(cache, `strongroom-${hash}`)
  const main = join(folder, 'dist/main.js')
  if (existsSync(main)) return main
  mkdirSync(cache, { recursive: true })
  const written = mkdtempSync(join(cache, 'strongroom-'))
  for (const [name, content] of files) {
    const path = join(written, 'dist', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, String(content).replaceAll(place, pathToFileURL(join(folder, 'dist')).href))
  }
  // Read for the version.
  copyFileSync(join(root, 'package.json'), join(written, 'package.json'))
  if (!existsSync(folder)) renameSync(written, folder)
  return main
}
