/** All multi-Region keys, and what was made with them. */
import type { Kind, Refusal } from '../model.ts'
import { type Family, Member, membersOf, newName, type Region } from './member.ts'

/** What was made with a key of a family: its current material then, and the number of the result. */
interface Made {
  readonly id: string
  readonly material: number
  readonly product: number
}

export class Model {
  readonly families: Family[]
  readonly made: Made[]

  constructor(families: Family[] = [], made: Made[] = []) {
    this.families = families
    this.made = made
  }

  clone(): Model {
    return new Model(structuredClone(this.families), [...this.made])
  }

  create(id: string, account: string, kind: Kind, primary: Region): void {
    const materials = kind.Origin === 'EXTERNAL' ? [] : [{ name: newName() }]
    const keys = { [primary]: { enabled: true, copies: {} } }
    this.families.push({ id, account, kind, primary, keys, materials, names: {} })
  }

  member(id: string, region: Region): Member {
    return new Member(this.families.find(family => family.id === id)!, region)
  }

  get members(): readonly Member[] {
    return this.families.flatMap(membersOf)
  }

  use(member: Member, product: number): Refusal {
    const { unusable, family } = member
    if (unusable === undefined) this.made.push({ id: family.id, material: family.materials.at(-1)!.name, product })
    return unusable
  }

  /** When something happens by itself next. */
  get due(): number {
    return Math.min(...this.members.map(({ due }) => due))
  }

  /** What happens by itself until then. */
  reach(now: number): void {
    for (const member of this.members) member.reach(now)
  }
}
