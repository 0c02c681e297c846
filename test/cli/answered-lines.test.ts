import { once } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerLines, LineError } from '../../src/cli/answered-lines.ts'

const echo = (line: string) => {
  if (line.startsWith('bad')) throw new LineError(`cannot answer ${line}`)
  return JSON.stringify(line)
}

async function answersTo(chunks: readonly Uint8Array[]): Promise<{ answers: string[]; lines: number; failed: number }> {
  const output = new PassThrough()
  const written = text(output)
  const counts = await answerLines(Readable.from(chunks), output, echo)
  output.end()
  return { answers: (await written).split('\n').slice(0, -1), ...counts }
}

describe('answered lines', () => {
  it('are answered in order, one line each, however the input is cut', async () => {
    const line = fc.string({ unit: 'binary', maxLength: 40 }).filter(line => line !== '' && !/[\n\ufeff]/.test(line))
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(200)),
        fc.boolean(),
        async (lines, cuts, end) => {
          const bytes = Buffer.from(lines.join('\n') + (end ? '\n' : ''))
          const places = [0, ...cuts.filter(cut => cut < bytes.length).sort((a, b) => a - b), bytes.length]
          const chunks = places.slice(1).map((place, index) => bytes.subarray(places[index], place))
          const { answers, failed } = await answersTo(chunks)
          expect(answers.map(answer => JSON.parse(answer))).toEqual(
            lines.map(line => (line.startsWith('bad') ? { error: `cannot answer ${line}` } : line)),
          )
          expect(failed).toBe(lines.filter(line => line.startsWith('bad')).length)
        },
      ),
      { numRuns: 20 },
    )
  })

  it.each([
    ['is empty', '', 'the line is empty'],
    ['is not UTF-8', Buffer.from([0xff, 0xfe]), 'the line is not UTF-8'],
    ['is cut within a character', Buffer.from('é').subarray(0, 1), 'the line is not UTF-8'],
    ['cannot be answered', 'bad', 'cannot answer bad'],
    ['is too long', 'x'.repeat(1024 * 1024 + 1), 'the line is longer than 1048576 bytes'],
  ])('a line that %s is answered with what is wrong, and so are those behind it', async (_title, line, error) => {
    const input = Buffer.concat([Buffer.from('one\n'), Buffer.from(line), Buffer.from('\ntwo')])
    const { answers, lines, failed } = await answersTo([input])
    expect(answers).toEqual(['"one"', JSON.stringify({ error }), '"two"'])
    expect({ lines, failed }).toEqual({ lines: 3, failed: 1 })
  })

  it('accept the longest line, in many pieces', async () => {
    const piece = Buffer.alloc(64 * 1024, 'x')
    const { answers } = await answersTo([...Array.from({ length: 16 }, () => piece), Buffer.from('\n')])
    expect(answers).toEqual([JSON.stringify('x'.repeat(1024 * 1024))])
  })

  it('do not pile up in memory if a line never ends', async () => {
    const piece = Buffer.alloc(1024 * 1024, 'x')
    async function* endless() {
      for (let count = 0; count < 500; count++) yield piece
    }
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    const output = new Writable({ write: (_chunk, _encoding, done) => done() })
    const watched = (async function* () {
      for await (const chunk of endless()) {
        most = Math.max(most, process.memoryUsage().arrayBuffers - before)
        yield chunk
      }
    })()
    expect(await answerLines(watched, output, echo)).toEqual({ lines: 1, failed: 1 })
    expect(most).toBeLessThan(50 * 1024 * 1024)
  })

  it('are answered at once, not only at the end', async () => {
    const input = new PassThrough()
    const output = new PassThrough()
    const done = answerLines(input, output, echo)
    for (const line of ['first', 'second']) {
      input.write(`${line}\n`)
      const [answer] = await once(output, 'data')
      expect(`${answer}`).toBe(`"${line}"\n`)
    }
    input.end()
    await done
  })

  it('are read no further while the answers are not read', async () => {
    let given = 0
    async function* input() {
      for (; given < 1000; given++) yield Buffer.from(`${'x'.repeat(1000)}\n`)
    }
    const output = new PassThrough({ highWaterMark: 10_000 })
    const done = answerLines(input(), output, echo)
    for (let count = 0; count < 100; count++) await turn()
    expect(given).toBeLessThan(20)
    output.resume()
    await done
    expect(given).toBe(1000)
  })
})
