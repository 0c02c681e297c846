import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { thorough } from './thorough.ts'

/** Follows each recipe of CONTRIBUTING.md in a copy of the source, with an example. */

// The compiler reads the whole source.
vi.setConfig({ testTimeout: 120_000 })

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')

/** The files that the steps of a recipe name, with what stands for the names of the example. */
function filesOf(recipe: string, names: Readonly<Record<string, string>> = {}): readonly string[] {
  const section = page.split(`### ${recipe}\n`)[1]!.split('\n#')[0]!
  return [...section.matchAll(/^\d\. `([^`]+)`/gm)].map(([, file]) => {
    return file!.replaceAll(/<(\w+)>/g, (_, name: string) => names[name]!)
  })
}

/** What is written into a file: all of a new one, or text put before the first line that starts with an anchor. */
type Edit = string | { readonly before: string; readonly text: string }
type Edits = Readonly<Record<string, Edit>>

let copy: string

beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), 'strongroom-recipe-'))
  for (const part of ['src', 'docs', 'scripts', 'package.json', 'tsconfig.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true })
  }
  mkdirSync(join(copy, 'test'))
  cpSync(join(root, 'test/architecture.test.ts'), join(copy, 'test/architecture.test.ts'))
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
})

afterEach(() => rmSync(copy, { recursive: true }))

function follow(edits: Edits): void {
  for (const [file, edit] of Object.entries(edits)) {
    const path = join(copy, file)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof edit === 'string') writeFileSync(path, edit)
    else {
      const code = readFileSync(path, 'utf8')
      const at = code.indexOf(`\n${edit.before}`)
      expect(at, `${edit.before} in ${file}`).toBeGreaterThan(0)
      writeFileSync(path, `${code.slice(0, at + 1)}${edit.text}\n${code.slice(at + 1)}`)
    }
  }
}

/** The errors of the compiler. */
function compile(...entries: readonly string[]): string {
  const compilerOptions = { noEmit: true, incremental: true, tsBuildInfoFile: 'recipe.tsbuildinfo' }
  const options = JSON.stringify({ extends: './tsconfig.json', compilerOptions, include: [], files: entries })
  writeFileSync(join(copy, 'tsconfig.recipe.json'), options)
  return spawnSync('tsc', ['--project', 'tsconfig.recipe.json'], { cwd: copy, encoding: 'utf8' }).stdout
}

function writeCatalogues(): void {
  execFileSync(process.execPath, ['scripts/catalogue.ts'], { cwd: copy })
}

function checkArchitecture(): void {
  const { status, stdout } = spawnSync('vitest', ['run', 'test/architecture.test.ts'], { cwd: copy, encoding: 'utf8' })
  expect(status, stdout).toBe(0)
}

/** Evaluates an expression of the copy. */
function evaluate(file: string, expression: string): string {
  const program = `import * as it from './${file}'; process.stdout.write(String(${expression}))`
  return execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', program], {
    cwd: copy,
    encoding: 'utf8',
  })
}

describe('the recipe for', () => {
  it.runIf(thorough)('an operation names every file that the operation needs', () => {
    const [file, catalogue] = filesOf('Add an operation', {
      group: 'custom-key-stores',
      operation: 'disconnect-custom-key-store',
    })
    follow({
      [file!]: `
        import { Failure } from '../../../errors.ts'
        import { operation } from '../operation.ts'
        import { account } from '../targets.ts'
        export const disconnectCustomKeyStore = operation('DisconnectCustomKeyStore')({
          readOnly: false,
          target: account(),
          recorded: ['CustomKeyStoreId'],
          async run({ input }) {
            throw new Failure('CustomKeyStoreNotFound', input.CustomKeyStoreId)
          },
        })`.replaceAll(/^ {8}/gm, ''),
    })
    writeCatalogues()
    expect(compile(file!, catalogue!)).toBe('')
    const names = evaluate(catalogue!, 'it.operations.map(({ name }) => name)')
    expect(names.split(',')).toContain('DisconnectCustomKeyStore')
  })

  it('an API names every file that the API needs', () => {
    const [operation, , api, list] = filesOf('Add an API', { service: 'memos', operation: 'get-memo' })
    follow({
      [operation!]: `
        import type { Operation, Target } from '../operation.ts'
        interface Memo { readonly Name: string }
        const operation = (declared: Operation<Memo, Memo, Target>) => declared
        export const getMemo = operation({
          name: 'GetMemo',
          readOnly: true,
          target: { find: () => ({ permissions: [], resources: [], check() {} }) },
          recorded: ['Name'],
          run: async ({ input }) => input,
        })`.replaceAll(/^ {8}/gm, ''),
      [api!]: `
        import { operations } from '../../operations/memos/catalogue.ts'
        import type { Api } from '../api.ts'
        export const memos: Api = {
          service: 'memos',
          actionPrefix: 'memos:',
          eventSource: 'memos.example.com',
          claims: ({ url }) => url === '/memos',
          operation: () => operations[0],
          input: (_operation, body) => ({ Name: String(body) }),
          accept: (_operation, output) => ({ status: 200, headers: {}, body: JSON.stringify(output) }),
          errorCode: ({ code }) => code,
          refuse: ({ status, message }) => ({ status, headers: {}, body: message }),
        }`.replaceAll(/^ {8}/gm, ''),
      [list!]: { before: 'import { kms }', text: "import { memos } from './memos/memos.ts'" },
    })
    const path = join(copy, list!)
    writeFileSync(path, readFileSync(path, 'utf8').replace('= [kms', '= [kms, memos'))
    writeCatalogues()
    expect(compile('src/assemble.ts')).toBe('')
    checkArchitecture()
    expect(evaluate(list!, 'it.apis.map(({ service }) => service)')).toBe('kms,memos,sts,cloudtrail')
  })

  it.runIf(thorough)('an HSM call names exactly the files that the call needs', () => {
    const user = 'src/hsm/use-of-the-call.ts'
    const edits: Edits = {
      'src/hsm/hsm.ts': {
        before: '  random(length: number)',
        text: '  addEntropy(seed: Uint8Array): Promise<void>',
      },
      'src/hsm/wire/calls.ts': {
        before: '  random: {',
        text: '  addEntropy: { kind: 99, ...management, request: fields({ seed: bytes }), answer: nothing },',
      },
      'src/hsm/client.ts': {
        before: '  async random(',
        text: "  async addEntropy(seed: Uint8Array): Promise<void> {\n    await this.#call('addEntropy', { seed })\n  }\n",
      },
      'src/hsm/token/pkcs11.ts': {
        before: '  random(',
        text: '  async addEntropy({ seed }: { seed: Buffer }): Promise<void> {\n    seed.fill(0)\n  }\n',
      },
    }
    const files = Object.keys(edits)
    expect(filesOf('Add an HSM call')).toEqual(files)
    const use =
      "import type { Hsm } from './hsm.ts'\nexport const use = (hsm: Hsm) => hsm.addEntropy(new Uint8Array())\n"
    const entries = ['src/hsm/client.ts', 'src/hsm/worker/worker.ts', user]
    const untouched = Object.fromEntries(files.map(file => [file, readFileSync(join(root, file), 'utf8')]))
    follow({ ...edits, [user]: use })
    expect(compile(...entries)).toBe('')
    for (const file of files) {
      follow({ ...untouched, ...edits, [file]: untouched[file]! })
      expect(compile(...entries), `without ${file}`).toContain('addEntropy')
    }
  })
})
