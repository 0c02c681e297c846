/** Fills a SoftHSM token with many key objects: a thousand copies take as long as making ten of them. */
import { randomUUID } from 'node:crypto'
import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { connectHsm } from '../../../src/hsm/registry.ts'
import { newMaterial } from '../../contracts/hsm.ts'
import type { SoftHsm } from '../softhsm.ts'

/** Requires that no process has the token open. @returns CKA_IDs of usable keys */
export async function fill(softHsm: SoftHsm, objects: number): Promise<readonly string[]> {
  const materials = Array.from({ length: 20 }, newMaterial)
  const hsm = await connectHsm({ ...softHsm.options, workers: 1 })
  for (const id of materials) await hsm.generateKey(id, 'SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'used')
  await hsm.generateKey(newMaterial(), 'HMAC_256', 'GENERATE_VERIFY_MAC', 'copied')
  const before = keyFiles(softHsm)
  await hsm.generateKey(newMaterial(), 'HMAC_256', 'GENERATE_VERIFY_MAC', 'copied')
  await hsm.close()
  const [folder, copied] = keyFiles(softHsm).find(([, file]) => !before.some(([, other]) => other === file))!
  for (let made = before.length + 1; made < objects; made++) {
    copyFileSync(join(folder, copied), join(folder, `${randomUUID()}.object`))
  }
  return materials
}

function keyFiles({ directory }: SoftHsm): readonly (readonly [folder: string, file: string])[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter(({ name }) => name.endsWith('.object') && name !== 'token.object')
    .map(({ parentPath, name }) => [parentPath, name])
}
