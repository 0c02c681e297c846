import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inspectHsm } from '../../src/hsm/inspect.ts'
import { createSoftHsm, noPkcs11Library, type SoftHsm } from './softhsm.ts'

let softHsm: SoftHsm
beforeAll(async () => {
  softHsm = await createSoftHsm()
})
afterAll(() => softHsm.remove())

describe('inspectHsm', () => {
  it('reports what a healthy HSM can do', async () => {
    const report = await inspectHsm(softHsm.options)
    expect(report).toMatchObject({
      library: { manufacturer: 'SoftHSM', cryptokiVersion: '2.40' },
      token: { label: 'strongroom-test', model: 'SoftHSM v2' },
      pin: 'accepted',
      trials: { 'random numbers': 'works', 'AES-256 keys, AES-GCM': 'works' },
      keys: 0,
      problems: [],
    })
    expect(report.tokens).toEqual([report.token])
    expect(report.mechanisms).toContain('CKM_AES_GCM')
  })

  it('does not try a PIN after a wrong one, unless it is forced to', async () => {
    writeFileSync(softHsm.pinFile, 'wrong-pin')
    expect(await inspectHsm(softHsm.options)).toMatchObject({
      pin: 'refused',
      problems: [`The PIN in ${softHsm.pinFile} was refused.`],
    })
    writeFileSync(softHsm.pinFile, 'test-user-pin')
    expect((await inspectHsm(softHsm.options)).pin).toBe('not tried')
    expect((await inspectHsm({ ...softHsm.options, force: true })).pin).toBe('accepted')
    expect((await inspectHsm(softHsm.options)).pin).toBe('accepted')
  })

  it.each([
    ['the library is not there', { library: '/nowhere/lib.so' }, /No such file/],
    ['the library is no PKCS#11 module', { library: noPkcs11Library }, /C_GetFunctionList/],
    ['the token is not there', { tokenLabel: 'absent' }, /no token with label "absent"/],
    ['the PIN file is not there', { pinFile: '/nowhere/pin' }, /ENOENT/],
  ])('reports a problem when %s', async (_what, options, problem) => {
    const { problems } = await inspectHsm({ ...softHsm.options, ...options })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(problem)
  })
})
