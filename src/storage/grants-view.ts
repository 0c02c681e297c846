/** All grants in memory. The cost of finding those that fit a request does not grow with the number of grants of the key. */
import type { EncryptionContext } from '../model/keys/encryption-context.ts'
import {
  type Grant,
  type GrantConstraints,
  type GrantOperation,
  type GrantPrincipal,
  grantOperations,
  isWithin,
} from '../model/keys/grant.ts'
import type { GrantSearch } from './storage.ts'

export class GrantsView {
  readonly #keys = new Map<string, GrantsOfKey>()

  find(keyArn: string, id: string): Grant | undefined {
    return this.#keys.get(keyArn)?.byId.get(id)
  }

  findByFingerprint(keyArn: string, fingerprint: string): Grant | undefined {
    return this.#keys.get(keyArn)?.byFingerprint.get(fingerprint)
  }

  count(keyArn: string): number {
    return this.#keys.get(keyArn)?.byId.size ?? 0
  }

  /** Grants that fit. */
  search(search: GrantSearch): Iterable<Grant> {
    return this.#keys.get(search.keyArn)?.search(search) ?? []
  }

  put(grant: Grant): void {
    this.remove(grant)
    const { keyArn } = grant
    const known = this.#keys.get(keyArn)
    const grants = known ?? new GrantsOfKey()
    if (!known) this.#keys.set(keyArn, grants)
    grants.put(grant)
  }

  remove({ keyArn, id }: Grant): void {
    const grants = this.#keys.get(keyArn)
    const grant = grants?.byId.get(id)
    if (!grants || !grant) return
    grants.remove(grant)
    if (grants.byId.size === 0) this.#keys.delete(keyArn)
  }

  removeKey(keyArn: string): void {
    this.#keys.delete(keyArn)
  }
}

class GrantsOfKey {
  readonly byId = new Map<string, Grant>()
  readonly byFingerprint = new Map<string, Grant>()
  readonly #byGrantee = new Map<string, GrantsToPrincipal>()

  search({ grantee, operation, constraints }: GrantSearch): Iterable<Grant> {
    return this.#byGrantee.get(principalKey(grantee))?.search(operation, constraints) ?? []
  }

  put(grant: Grant): void {
    this.byId.set(grant.id, grant)
    if (grant.fingerprint !== undefined) this.byFingerprint.set(grant.fingerprint, grant)
    const grantee = principalKey(grant.grantee)
    const known = this.#byGrantee.get(grantee)
    const grants = known ?? new GrantsToPrincipal()
    if (!known) this.#byGrantee.set(grantee, grants)
    grants.put(grant)
  }

  remove(grant: Grant): void {
    this.byId.delete(grant.id)
    if (grant.fingerprint !== undefined) this.byFingerprint.delete(grant.fingerprint)
    const grantee = principalKey(grant.grantee)
    const grants = this.#byGrantee.get(grantee)!
    grants.remove(grant)
    if (grants.isEmpty) this.#byGrantee.delete(grantee)
  }
}

function principalKey({ arn, uniqueId }: GrantPrincipal): string {
  return uniqueId === undefined ? arn : `${arn} ${uniqueId}`
}

/** The grants at one place, by operation. Most are the only one: those need no set. */
type Grants = Map<GrantOperation, Grant | Set<Grant>>

/** Reached by encryption context pairs, one from each node to the next, in order. */
interface Node {
  /** Grants that require the pairs on the way here. */
  subset?: Grants
  /** Grants that require these pairs, and allow no others. */
  equals?: Grants
  children?: Map<string, Node>
}

interface Place {
  readonly pairs: readonly string[]
  readonly kind: 'subset' | 'equals'
  readonly operations: readonly GrantOperation[]
}

/**
 * The grants of one key to one principal, in a trie of their constraints: a request with few pairs passes few nodes, however many grants
 * there are.
 */
class GrantsToPrincipal {
  readonly #root: Node = {}

  get isEmpty(): boolean {
    return isEmpty(this.#root)
  }

  *search(operation: GrantOperation, constraints: GrantConstraints): Iterable<Grant> {
    const { constrained } = grantOperations[operation]
    const exact = constraints.EncryptionContextEquals
    const context = constrained ? (exact ?? constraints.EncryptionContextSubset) : undefined
    for (const grants of passed(this.#root, pairsOf(context), exact !== undefined)) {
      const found = grants.get(operation)
      for (const grant of found instanceof Set ? found : found ? [found] : []) {
        if (!constrained || isWithin(constraints, grant.constraints)) yield grant
      }
    }
  }

  put(grant: Grant): void {
    for (const { pairs, kind, operations } of placesOf(grant)) {
      let node = this.#root
      for (const pair of pairs) node = childOf(node, pair)
      node[kind] ??= new Map()
      for (const operation of operations) add(node[kind], operation, grant)
    }
  }

  remove(grant: Grant): void {
    for (const place of placesOf(grant)) removeFrom(this.#root, grant, place)
  }
}

/** Constraints do not apply to every operation. Where both are given, the equal context is the one that can fit. */
function placesOf({ operations, constraints }: Grant): readonly Place[] {
  const isFree = (operation: GrantOperation) => !constraints || !grantOperations[operation].constrained
  const { EncryptionContextEquals: exact, EncryptionContextSubset: required } = constraints ?? {}
  return [
    { pairs: [], kind: 'subset', operations: operations.filter(isFree) },
    {
      pairs: pairsOf(exact ?? required),
      kind: exact ? 'equals' : 'subset',
      operations: operations.filter(operation => !isFree(operation)),
    },
  ].filter(({ operations }) => operations.length > 0) as readonly Place[]
}

/** Each preceded by the lengths of key and value, so that no two pairs are the same. */
function pairsOf(context: EncryptionContext = {}): readonly string[] {
  return Object.entries(context)
    .map(([key, value]) => `${key.length} ${value.length} ${key}${value}`)
    .sort()
}

/** The grants at every place that fits the pairs. @param exact whether the pairs are the whole encryption context */
function* passed(node: Node, pairs: readonly string[], exact: boolean, depth = 0, from = 0): Iterable<Grants> {
  if (node.subset) yield node.subset
  if (node.equals && exact && depth === pairs.length) yield node.equals
  if (!node.children) return
  for (let i = from; i < pairs.length; i++) {
    const child = node.children.get(pairs[i]!)
    if (child) yield* passed(child, pairs, exact, depth + 1, i + 1)
  }
}

function childOf(node: Node, pair: string): Node {
  node.children ??= new Map()
  const known = node.children.get(pair)
  if (known) return known
  const child: Node = {}
  node.children.set(pair, child)
  return child
}

function removeFrom(node: Node, grant: Grant, { pairs, kind, operations }: Place, depth = 0): void {
  if (depth < pairs.length) {
    const pair = pairs[depth]!
    const child = node.children!.get(pair)!
    removeFrom(child, grant, { pairs, kind, operations }, depth + 1)
    if (isEmpty(child)) node.children!.delete(pair)
    if (node.children!.size === 0) delete node.children
    return
  }
  const grants = node[kind]!
  for (const operation of operations) drop(grants, operation, grant)
  if (grants.size === 0) delete node[kind]
}

function isEmpty({ subset, equals, children }: Node): boolean {
  return !subset && !equals && !children
}

function add(grants: Grants, operation: GrantOperation, grant: Grant): void {
  const known = grants.get(operation)
  if (known instanceof Set) known.add(grant)
  else grants.set(operation, known ? new Set([known, grant]) : grant)
}

function drop(grants: Grants, operation: GrantOperation, grant: Grant): void {
  const known = grants.get(operation)
  if (known instanceof Set) known.delete(grant)
  if (known === grant || (known instanceof Set && known.size === 0)) grants.delete(operation)
}
