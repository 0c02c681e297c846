/**
 * Writes the catalogue of each plug-in folder: static imports of everything in it. Run it after adding or removing a file.
 * With --check it only says, by its exit code, whether a catalogue is stale.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'

interface Folder {
  readonly path: string
  /** Name of the list that the catalogue exports. */
  readonly list: string
}

const root = join(import.meta.dirname, '..')
const folders: readonly Folder[] = [
  ...readdirSync(join(root, 'src/operations'), { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => ({ path: `src/operations/${name}`, list: 'operations' })),
  { path: 'src/jobs', list: 'jobs' },
  { path: 'src/cli', list: 'commands' },
  { path: 'src/hsm/profiles', list: 'profiles' },
]

/** Plug-ins are in the sub-folders, if any; files beside the catalogue are shared by them. */
function plugIns(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  const subFolders = entries.filter(entry => entry.isDirectory()).map(entry => join(folder, entry.name))
  if (subFolders.length > 0) return subFolders.flatMap(plugIns)
  return entries
    .filter(({ name }) => name.endsWith('.ts') && name !== 'catalogue.ts')
    .map(({ name }) => join(folder, name))
}

function exportedName(file: string): string | undefined {
  return /^export const (\w+) = (?:operation|job|command|profile)[<(]/m.exec(readFileSync(file, 'utf8'))?.[1]
}

function catalogueOf({ path, list }: Folder): string {
  const folder = join(root, path)
  const found = plugIns(folder)
    .map(file => ({ name: exportedName(file), from: `./${relative(folder, file)}` }))
    .filter(({ name }) => name !== undefined)
    .sort((a, b) => (a.from < b.from ? -1 : 1))
  const imports = found.map(({ name, from }) => `import { ${name} } from '${from}'`)
  const items = found.map(({ name }) => `  ${name},`)
  return `// Written by scripts/catalogue.ts.\n${imports.join('\n')}\n\nexport const ${list} = [\n${items.join('\n')}\n] as const\n`
}

let stale = false
for (const folder of folders) {
  const file = join(root, folder.path, 'catalogue.ts')
  const text = catalogueOf(folder)
  if (process.argv.includes('--check')) stale ||= readFileSync(file, 'utf8') !== text
  else writeFileSync(file, text)
}
if (stale) {
  console.error('A catalogue is stale: run npm run catalogue.')
  process.exitCode = 1
}
