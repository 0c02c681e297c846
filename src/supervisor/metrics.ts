/** The metrics of all gateway processes as one text. */
import type { Slot, SlotState } from './slot.ts'

/** Milliseconds for a process to answer: one that does not is left out, as one that is down. */
const patience = 2000

const states: readonly SlotState[] = ['starting', 'ready', 'stopping', 'down']

/** Of the processes in the slots, and those of the supervisor. In Prometheus text exposition format. */
export class ProcessMetrics {
  readonly #slots: () => readonly Slot[]

  constructor(slots: () => readonly Slot[]) {
    this.#slots = slots
  }

  async text(): Promise<string> {
    const slots = this.#slots()
    const answers = slots.map(({ process }) => process && within(patience, process.metrics()))
    const texts = await Promise.all(answers.map(async answer => (await answer) ?? ''))
    return merged([ofSupervisor(slots), ...texts])
  }
}

/** Written here, as prom-client has 88 modules, which the supervisor would load for these two. */
function ofSupervisor(slots: readonly Slot[]): string {
  const count = (wanted: SlotState) => slots.filter(({ state }) => state === wanted).length
  return [
    '# HELP strongroom_processes Gateway processes by state',
    '# TYPE strongroom_processes gauge',
    ...states.map(state => `strongroom_processes{state="${state}"} ${count(state)}`),
    '# HELP strongroom_process_restarts_total Gateway processes started in place of lost ones',
    '# TYPE strongroom_process_restarts_total counter',
    ...slots.map(({ gateway, restarts }) => `strongroom_process_restarts_total{gateway="${gateway}"} ${restarts}`),
  ].join('\n')
}

async function within(milliseconds: number, answer: Promise<string>): Promise<string> {
  const { promise: late, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(resolve, milliseconds, '')
  try {
    return await Promise.race([answer.catch(() => ''), late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * One text of several, whose series differ by their labels: all lines of a metric must be one group, with its HELP and TYPE once
 * (prometheus.io, "Exposition formats", "Grouping and sorting").
 */
export function merged(texts: readonly string[]): string {
  const groups = new Map<string, Group>()
  for (const text of texts) {
    let group: Group | undefined
    for (const line of text.split('\n')) {
      const [, kind, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? []
      if (name !== undefined) group = groupOf(name, groups)
      if (name === undefined) line !== '' && group?.series.push(line)
      else group!.heading.set(kind!, group!.heading.get(kind!) ?? line)
    }
  }
  return [...groups.values()].map(({ heading, series }) => [...heading.values(), ...series, ''].join('\n')).join('\n')
}

interface Group {
  readonly heading: Map<string, string>
  readonly series: string[]
}

function groupOf(name: string, groups: Map<string, Group>): Group {
  const group = groups.get(name) ?? { heading: new Map(), series: [] }
  groups.set(name, group)
  return group
}
