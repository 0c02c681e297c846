import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maximumParameters, type Parameter, parseParameters } from '../../../src/apis/query/parameters.ts'
import { fastest, longestTime } from '../../timing.ts'

const parse = (body: string | Uint8Array, query = '') => parseParameters(query, Buffer.from(body))
const textOf = ({ members }: Parameter, ...path: string[]): string | undefined => {
  const [name, ...rest] = path
  const found = members.get(name!)
  return rest.length === 0 ? found?.value : found && textOf(found, ...rest)
}
const refused = (message: string) => expect.objectContaining({ code: 'Serialization', message })

describe('parameters', () => {
  it('are those of query and body', () => {
    const parameters = parse('B=2&C', 'A=1')
    expect(['A', 'B', 'C'].map(name => textOf(parameters, name))).toEqual(['1', '2', ''])
  })

  it('are what a browser would send', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), text => {
        const value = text.toWellFormed()
        expect(textOf(parse(new URLSearchParams({ A: value }).toString()), 'A')).toBe(value)
      }),
    )
  })

  it('have names of several parts, which may be those of properties of objects', () => {
    const parameters = parse('Tags.member.1.Key=a&Tags.member.1.Value=b&__proto__.constructor=c')
    expect(textOf(parameters, 'Tags', 'member', '1', 'Key')).toBe('a')
    expect(textOf(parameters, '__proto__', 'constructor')).toBe('c')
    expect(({} as { constructor: unknown }).constructor).toBe(Object)
  })

  it.each(['A=1&A=1', 'A=1&B=2&%41=3', 'A&A'])('are not given twice: %s', body => {
    expect(() => parse(body)).toThrow(refused('The request has a parameter twice.'))
  })

  it('are not given twice, in query and body', () => {
    expect(() => parse('A=1', 'A=2')).toThrow(refused('The request has a parameter twice.'))
  })

  it.each<[string, string | Uint8Array]>([
    ['half an escape', 'A=%4'],
    ['no escape', 'A=%zz'],
    ['half a character', 'A=%C3'],
    ['an overlong character', 'A=%C0%80'],
    ['half of a surrogate pair', 'A=%ED%A0%80'],
    ['bytes that are no UTF-8', Uint8Array.of(0x41, 0x3d, 0xff)],
  ])('are UTF-8: %s', (_, body) => {
    expect(() => parse(body)).toThrow(refused('The request is not form-encoded UTF-8.'))
  })

  it.each([
    ['parameters', Array.from({ length: maximumParameters + 1 }, (_, i) => `A${i}=`).join('&')],
    ['separators', '&'.repeat(maximumParameters + 1)],
    ['parameters after separators', `${'&'.repeat(maximumParameters)}A=1`],
  ])('are not too many: %s', (_, body) => {
    expect(() => parse(body)).toThrow(refused(`The request exceeds the limit of ${maximumParameters} parameters.`))
  })

  it('are as many as allowed', () => {
    const body = Array.from({ length: maximumParameters }, (_, i) => `A${i}=`).join('&')
    expect(parse(body).members.size).toBe(maximumParameters)
  })

  it('have names of few parts', () => {
    expect(() => parse(`${'a.'.repeat(16)}a=`)).toThrow(refused('The name of a parameter has too many parts.'))
    expect(() => parse('.'.repeat(190_000))).toThrow(refused('The name of a parameter has too many parts.'))
  })

  it('are parsed in short time, whatever they are', () => {
    const length = 192 * 1024
    const longest = longestTime()
    for (const part of ['&', '=', '.', '%41', '%', '+', 'a=b&', 'a.b.c.d.e.f.g&', 'é']) {
      const body = Buffer.from(part.repeat(length / Buffer.byteLength(part)))
      const attempt = () => {
        try {
          parse(body)
        } catch {}
      }
      expect(fastest(3, attempt), part).toBeLessThan(longest)
    }
  })
})
