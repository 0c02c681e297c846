import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { administration, apis, xks } from '../src/apis/catalogue.ts'

const allApis = [...apis, administration, xks]

/** The rules of docs/architecture.md: which part of src may import which, and what stands in one part only. */

const root = join(import.meta.dirname, '..')
const src = join(root, 'src')
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8')

/** The rows of the table of the page with this heading, each as its two cells. */
function tableOf(heading: string): readonly (readonly [string, string])[] {
  const lines = page
    .slice(page.indexOf(`| ${heading} |`))
    .split('\n\n')[0]!
    .split('\n')
  return lines.slice(2).map(line => {
    const [, first, second] = line.split('|')
    return [first!, second!] as const
  })
}

function quotedIn(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, quoted]) => quoted!)
}

/** What a part may import, by the part: a path in src, of a file or folder. */
const mayImport = new Map(
  tableOf('Part | May import').flatMap(([parts, imports]) => quotedIn(parts).map(part => [part, imports] as const)),
)

/** Nobody imports these but the parts named. */
const importedOnlyBy: Record<string, readonly string[]> = {
  main: [],
  cli: ['main'],
  assemble: ['cli', 'supervisor'],
}

const onlyIn = tableOf('In the code of | only stands').flatMap(([parts, texts]) =>
  quotedIn(texts).map(text => ({ text, parts: quotedIn(parts) })),
)

/** Whether a path, without its extension, is this file or in this folder; `*` stands for one name. */
function isIn(path: string, part: string): boolean {
  return new RegExp(`^${part.replaceAll('*', '[^/]+')}(/|$)`).test(path)
}

interface Import {
  readonly typeOnly: boolean
  /** Whether it is loaded when the code comes to it. */
  readonly isLate: boolean
  readonly path: string
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name))
}

const files = filesIn(src).map(path => ({ path, name: relative(src, path), code: readFileSync(path, 'utf8') }))

function importsOf({ path, code }: { path: string; code: string }): Import[] {
  const statements = code.matchAll(
    /^(?:import|export)\s+(type\s)?[^'"]*?from\s+'(\.[^']+)'|^import\s+'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm,
  )
  return [...statements].map(([, type, from, effect, dynamic]) => ({
    typeOnly: type !== undefined,
    isLate: dynamic !== undefined,
    path: relative(src, resolve(dirname(path), from ?? effect ?? dynamic!)).replace(/\.ts$/, ''),
  }))
}

/**
 * Every file that a process loads which runs this one, each with the file that imports it. `import { type T }` loads the file.
 *
 * @param atOnce only what is loaded before any code runs
 */
function loadedBy(entry: string, { atOnce = false } = {}): ReadonlyMap<string, string> {
  const loaded = new Map([[entry, '']])
  for (const name of loaded.keys()) {
    const file = files.find(file => file.name === `${name}.ts`)
    for (const { path, typeOnly, isLate } of file ? importsOf(file) : []) {
      if (!typeOnly && !(isLate && atOnce) && !loaded.has(path)) loaded.set(path, name)
    }
  }
  return loaded
}

/** Import cycles, each as its path from its first file in the order of names back to that file. */
function cyclesIn(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles = [...imports.keys()].map(name => shortestCycle(name, imports))
  return cycles
    .filter(cycle => cycle !== undefined && cycle[0]! <= [...cycle].sort()[0]!)
    .map(cycle => cycle!.join(' → '))
}

function shortestCycle(start: string, imports: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const paths = [[start]]
  const seen = new Set<string>()
  for (const path of paths) {
    for (const next of imports.get(path.at(-1)!) ?? []) {
      if (next === start) return [...path, start]
      if (!seen.has(next)) paths.push([...path, next])
      seen.add(next)
    }
  }
  return undefined
}

/** The part of the table that a file belongs to: the one with the longest path. */
function partOf(name: string): string | undefined {
  const parts = [...mayImport.keys()].filter(part => isIn(name.replace(/\.ts$/, ''), part))
  return parts.sort((a, b) => b.length - a.length)[0]
}

function allows(imports: string, { path, typeOnly }: Import): boolean {
  if (imports.trim() === 'anything') return true
  return [...imports.matchAll(/(types of )?`([^`]+)`/g)].some(([, types, to]) => {
    return isIn(path, to!) && (typeOnly || types === undefined)
  })
}

/** By the folder that each has in apis/ and in operations/. */
const apisByFolder = new Map(
  await Promise.all(
    [...new Set(files.flatMap(({ name }) => /^operations\/([^/]+)\//.exec(name)?.[1] ?? []))].map(async folder => {
      const exported = Object.values<unknown>(await import(`../src/apis/${folder}/${folder}.ts`))
      return [folder, allApis.find(api => exported.includes(api))!] as const
    }),
  ),
)

describe('the architecture', () => {
  it('names exactly the parts of src', () => {
    expect(mayImport.size).toBeGreaterThan(30)
    for (const { name } of files) expect(partOf(name), name).toBeDefined()
    const used = new Set(files.map(({ name }) => partOf(name)))
    expect([...mayImport.keys()].filter(part => !used.has(part))).toEqual([])
  })

  it.each(files.map(file => [file.name, file] as const))('lets %s import only what its part may', (name, file) => {
    const part = partOf(name)!
    for (const imported of importsOf(file)) {
      const to = partOf(imported.path)
      if (to === part) continue
      expect(allows(mayImport.get(part)!, imported), `${name} imports ${imported.path}`).toBe(true)
      const importers = importedOnlyBy[to!]
      if (importers) expect(importers, `${name} imports ${imported.path}`).toContain(part)
    }
  })

  it('has no import cycle, type imports included', () => {
    const imports = new Map(
      files.map(file => [file.name.replace(/\.ts$/, ''), importsOf(file).map(({ path }) => path)] as const),
    )
    expect(cyclesIn(imports)).toEqual([])
  })

  it.each([
    ['a → b → a', 'ab ba'],
    ['b → c → d → b', 'ab bc cd db'],
    ['a → a', 'ab aa bc'],
  ])('would detect the cycle %s in %s', (cycle, arrows) => {
    const imports = Map.groupBy(arrows.split(' '), arrow => arrow[0]!)
    const graph = new Map([...imports].map(([from, arrows]) => [from, arrows.map(arrow => arrow[1]!)]))
    expect(cyclesIn(graph)).toEqual([cycle])
  })

  it('lets what belongs to one API be imported by that API only, and by the list of APIs', () => {
    expect(new Set(apisByFolder.values())).toEqual(new Set(allApis))
    const ownerOf = (path: string) => {
      const [, folder] = /^(?:apis|operations)\/([^/]+)\//.exec(path) ?? []
      return folder !== undefined && apisByFolder.has(folder) ? folder : undefined
    }
    for (const file of files.filter(({ name }) => name !== 'apis/catalogue.ts')) {
      for (const { path } of importsOf(file)) {
        const owner = ownerOf(path)
        // The command line is the client of the administration API.
        if (owner === 'administration' && file.name.startsWith('cli/')) continue
        if (owner !== undefined) expect(ownerOf(file.name), `${file.name} imports ${path}`).toBe(owner)
      }
    }
  })

  it.each([...apisByFolder])(
    'names the API %s in its folders only, and in the model of its resources',
    (folder, api) => {
      const { service, actionPrefix, eventSource } = api
      const names = new RegExp(`'${service}'|\\b${actionPrefix}[\\w*$]|\\b${eventSource.replaceAll('.', '\\.')}`)
      // The XKS proxy has the actions of AWS KMS, whose key policies decide.
      const sharing = [...apisByFolder].flatMap(([other, api]) => (api.actionPrefix === actionPrefix ? [other] : []))
      const own = new RegExp(`^(apis|operations)/(${[folder, ...sharing].join('|')})/`)
      const found = files.filter(({ name, code }) => !own.test(name) && names.test(code)).map(({ name }) => name)
      // Keys have ARNs and policies of AWS KMS.
      for (const name of found)
        expect(name).toMatch(
          /^(model\/(arn\.ts|xks\/|identities\/aws-managed-policies\.ts|keys\/)|storage\/migrations\/)/,
        )
    },
  )

  it('lets no operation import another', () => {
    for (const file of files.filter(({ name }) => /^operations\/[^/]+\/[^/]+\//.test(name))) {
      for (const { path } of importsOf(file)) expect(path, file.name).not.toMatch(/^operations\/[^/]+\/[^/]+\//)
    }
  })

  it('lets a profile import the contract of profiles only', () => {
    const makes = files.filter(({ name }) => /^hsm\/profiles\/(?!profile|catalogue|find-profile)/.test(name))
    for (const file of makes) {
      for (const { path } of importsOf(file)) expect(path, file.name).toBe('hsm/profiles/profile')
    }
  })

  it('keeps the native library out of the gateway process: main.ts loads nothing of hsm/token/', () => {
    const loaded = loadedBy('main')
    expect(loaded.has('hsm/client')).toBe(true)
    for (const [path, by] of loaded) expect(isIn(path, 'hsm/token'), `${by} imports ${path}`).toBe(false)
  })

  it('loads the command line only, and of all packages commander, before a command runs', () => {
    const loaded = loadedBy('main', { atOnce: true })
    expect(loaded.has('cli/serve')).toBe(true)
    expect(loadedBy('main').has('assemble')).toBe(true)
    const isSmall = /^(main|cli\/.*|config\/administrator|errors|version|shell-quoted|private-files|model\/keys\/.*)$/
    for (const [path, by] of loaded) expect(path, `${by} imports ${path}`).toMatch(isSmall)
    for (const { name, code } of files.filter(({ name }) => loaded.has(name.replace(/\.ts$/, '')))) {
      const packages = [...code.matchAll(/^import (?!type)[^'"]*?from '([^.'][^']*)'/gm)].map(([, from]) => from!)
      expect(
        packages.filter(from => from !== 'commander' && !from.startsWith('node:')),
        name,
      ).toEqual([])
    }
  })

  it.each(onlyIn)('keeps "$text" in $parts', ({ text, parts }) => {
    const literal = text.replace(/[.()\\/]/g, '\\$&').replaceAll('*', '\\w+')
    const found = files
      .filter(({ code }) => new RegExp(literal).test(code))
      .map(({ name }) => name.replace(/\.ts$/, ''))
    for (const path of found)
      expect(
        parts.some(part => isIn(path, part)),
        path,
      ).toBe(true)
  })

  it('has no folder without a name of its own', () => {
    const folders = new Set(files.flatMap(({ name }) => name.split('/').slice(0, -1)))
    for (const name of ['utils', 'helpers', 'common', 'shared', 'lib']) expect(folders).not.toContain(name)
  })

  it('is mirrored by the folders of test/', () => {
    const whole =
      /^(authorization\/cases|contracts|deploy|end-to-end|fault-hsm|fleet|preloaded|soak|state-machine|transcripts)(\/|$)/
    const folders = new Set(filesIn(join(root, 'test')).map(path => relative(join(root, 'test'), dirname(path))))
    for (const folder of folders) if (!whole.test(folder)) expect(existsSync(join(src, folder)), folder).toBe(true)
  })

  it('has catalogues that are up to date', () => {
    const check = () =>
      execFileSync(process.execPath, ['scripts/catalogue.ts', '--check'], { cwd: root, stdio: 'pipe' })
    expect(check).not.toThrow()
  })
})
