/** All grants in memory. The cost of finding those that fit a request does not grow with the number of grants of the key. */
import type { EncryptionContext } from '../model/keys/encryption-context.ts'
import { type Grant, type GrantOperation, grantOperations, isWithin } from '../model/keys/grant.ts'
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

  search(search: GrantSearch): Grant | undefined {
    return this.#keys.get(search.keyArn)?.search(search)
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
  /** By ARN, then by unique id. */
  readonly #byGrantee = new Map<string, Map<string | undefined, GrantsToPrincipal>>()

  search(search: GrantSearch): Grant | undefined {
    const { arn, uniqueId } = search.grantee
    return this.#byGrantee.get(arn)?.get(uniqueId)?.search(search)
  }

  put(grant: Grant): void {
    const { id, fingerprint, grantee } = grant
    this.byId.set(id, grant)
    if (fingerprint !== undefined) this.byFingerprint.set(fingerprint, grant)
    const sameArn = this.#byGrantee.get(grantee.arn) ?? new Map<string | undefined, GrantsToPrincipal>()
    this.#byGrantee.set(grantee.arn, sameArn)
    const grants = sameArn.get(grantee.uniqueId) ?? new GrantsToPrincipal()
    sameArn.set(grantee.uniqueId, grants)
    grants.put(grant)
  }

  remove(grant: Grant): void {
    const { id, fingerprint, grantee } = grant
    this.byId.delete(id)
    if (fingerprint !== undefined) this.byFingerprint.delete(fingerprint)
    const sameArn = this.#byGrantee.get(grantee.arn)
    const grants = sameArn?.get(grantee.uniqueId)
    // It may be the last one, and in none of the places: its constraints contradict each other.
    if (!sameArn || !grants) return
    grants.remove(grant)
    if (grants.isEmpty) sameArn.delete(grantee.uniqueId)
    if (sameArn.size === 0) this.#byGrantee.delete(grantee.arn)
  }
}

/** Grants by their operations. Most are the only one of an operation: those need no set. */
type ByOperation = Map<GrantOperation, Grant | Set<Grant>>

/** Reached by encryption context pairs, one from each node to the next, in order of their keys. Most nodes hold one grant: those need no map. */
interface Node {
  /** Grants that require the pairs on the way here. */
  subset?: Grant | ByOperation
  /** Grants that require these pairs, and allow no others. */
  equals?: Grant | ByOperation
  /** By key, then by value of the next pair. */
  children?: Map<string, Map<string, Node>>
}

/**
 * The grants of one key to one principal. Those with constraints are in a trie: a request with few pairs passes few nodes, however many
 * grants there are, and one with many pairs no more than there are.
 */
class GrantsToPrincipal {
  /** By operations to which no constraints apply. */
  readonly #free: ByOperation = new Map()
  /** By the others. */
  readonly #constrained: Node = {}

  get isEmpty(): boolean {
    return this.#free.size === 0 && isEmpty(this.#constrained)
  }

  search({ operation, constraints, accept }: GrantSearch): Grant | undefined {
    const found = firstOf(this.#free.get(operation), accept)
    const root = this.#constrained
    if (found || !grantOperations[operation].constrained || isEmpty(root)) return found
    if (!constraints) return firstOfAny(root, { operation, accept }, { nodes: 1000 })
    const { EncryptionContextEquals: exact, EncryptionContextSubset: required } = constraints
    const context = exact ?? required ?? {}
    const walk = { operation, context, keys: inOrder(context), exact: exact !== undefined, accept }
    return firstFrom(root, walk, 0, 0)
  }

  put(grant: Grant): void {
    for (const operation of freeOperations(grant)) add(this.#free, operation, grant)
    const place = placeOf(grant)
    if (!place) return
    let node = this.#constrained
    for (const key of inOrder(place.context)) node = childOf(node, key, place.context[key]!)
    putAt(node, place.kind, grant)
  }

  remove(grant: Grant): void {
    for (const operation of freeOperations(grant)) drop(this.#free, operation, grant)
    const place = placeOf(grant)
    if (place) removeFrom(this.#constrained, grant, place, inOrder(place.context))
  }
}

function freeOperations({ operations, constraints }: Grant): readonly GrantOperation[] {
  return constraints ? operations.filter(operation => !grantOperations[operation].constrained) : operations
}

function constrainedOperations({ operations }: Grant): readonly GrantOperation[] {
  return operations.filter(operation => grantOperations[operation].constrained)
}

interface Place {
  readonly context: EncryptionContext
  readonly kind: 'subset' | 'equals'
}

/** Where both constraints are given, only the equal context can fit, if it has what is required. */
function placeOf(grant: Grant): Place | undefined {
  const { constraints } = grant
  if (!constraints || constrainedOperations(grant).length === 0) return undefined
  const { EncryptionContextEquals: exact, EncryptionContextSubset: required } = constraints
  if (!exact) return { context: required ?? {}, kind: 'subset' }
  return isWithin({ EncryptionContextEquals: exact }, constraints) ? { context: exact, kind: 'equals' } : undefined
}

/** In order: a set of pairs has one way through the trie. */
function inOrder(context: EncryptionContext): readonly string[] {
  const keys = Object.keys(context)
  return keys.length > 1 ? keys.sort() : keys
}

type Asked = Pick<GrantSearch, 'operation' | 'accept'>

interface Walk extends Asked {
  readonly context: EncryptionContext
  readonly keys: readonly string[]
  /** Whether there is no more of the encryption context. */
  readonly exact: boolean
}

/** The first grant that is accepted, at the node or further on. @param from the next key */
function firstFrom(node: Node, walk: Walk, depth: number, from: number): Grant | undefined {
  const { keys, exact } = walk
  const here = firstAt(node.subset, walk) ?? (exact && depth === keys.length ? firstAt(node.equals, walk) : undefined)
  if (here || !node.children) return here
  return node.children.size < keys.length - from
    ? firstOfChildren(node.children, walk, depth, from)
    : firstByKeys(node.children, walk, depth, from)
}

type Children = NonNullable<Node['children']>

function firstByKeys(children: Children, walk: Walk, depth: number, from: number): Grant | undefined {
  const { context, keys } = walk
  for (let i = from; i < keys.length; i++) {
    const key = keys[i]!
    const child = children.get(key)?.get(context[key]!)
    const found = child && firstFrom(child, walk, depth + 1, i + 1)
    if (found) return found
  }
  return undefined
}

/** Where the encryption context has more keys than there are children. Those of the children come after those on the way here. */
function firstOfChildren(children: Children, walk: Walk, depth: number, from: number): Grant | undefined {
  const { context } = walk
  for (const [key, byValue] of children) {
    const child = Object.hasOwn(context, key) ? byValue.get(context[key]!) : undefined
    const found = child && firstFrom(child, walk, depth + 1, from)
    if (found) return found
  }
  return undefined
}

/** @param left nodes to look at */
function firstOfAny(node: Node, asked: Asked, left: { nodes: number }): Grant | undefined {
  const here = firstAt(node.subset, asked) ?? firstAt(node.equals, asked)
  if (here || !node.children) return here
  for (const byValue of node.children.values()) {
    for (const child of byValue.values()) {
      if (left.nodes-- === 0) return undefined
      const found = firstOfAny(child, asked, left)
      if (found) return found
    }
  }
  return undefined
}

function firstAt(held: Grant | ByOperation | undefined, { operation, accept }: Asked): Grant | undefined {
  if (!held) return undefined
  if (held instanceof Map) return firstOf(held.get(operation), accept)
  return held.operations.includes(operation) ? firstOf(held, accept) : undefined
}

function firstOf(found: Grant | Set<Grant> | undefined, accept: GrantSearch['accept']): Grant | undefined {
  if (!(found instanceof Set)) return found && (!accept || accept(found)) ? found : undefined
  for (const grant of found) if (!accept || accept(grant)) return grant
  return undefined
}

function childOf(node: Node, key: string, value: string): Node {
  node.children ??= new Map()
  const byValue = node.children.get(key) ?? new Map<string, Node>()
  node.children.set(key, byValue)
  const child = byValue.get(value) ?? {}
  byValue.set(value, child)
  return child
}

function putAt(node: Node, kind: Place['kind'], grant: Grant): void {
  const held = node[kind]
  if (!held) {
    node[kind] = grant
    return
  }
  const grants: ByOperation = held instanceof Map ? held : new Map()
  for (const one of held instanceof Map ? [grant] : [held, grant]) {
    for (const operation of constrainedOperations(one)) add(grants, operation, one)
  }
  node[kind] = grants
}

function removeFrom(node: Node, grant: Grant, place: Place, [key, ...keys]: readonly string[]): void {
  if (key === undefined) {
    takeFrom(node, place.kind, grant)
    return
  }
  const value = place.context[key]!
  const byValue = node.children!.get(key)!
  const child = byValue.get(value)!
  removeFrom(child, grant, place, keys)
  if (isEmpty(child)) byValue.delete(value)
  if (byValue.size === 0) node.children!.delete(key)
  if (node.children!.size === 0) delete node.children
}

function takeFrom(node: Node, kind: Place['kind'], grant: Grant): void {
  const held = node[kind]
  if (held instanceof Map) for (const operation of constrainedOperations(grant)) drop(held, operation, grant)
  if (held === grant || (held instanceof Map && held.size === 0)) delete node[kind]
}

function isEmpty({ subset, equals, children }: Node): boolean {
  return !subset && !equals && !children
}

function add(grants: ByOperation, operation: GrantOperation, grant: Grant): void {
  const known = grants.get(operation)
  if (known instanceof Set) known.add(grant)
  else grants.set(operation, known ? new Set([known, grant]) : grant)
}

function drop(grants: ByOperation, operation: GrantOperation, grant: Grant): void {
  const known = grants.get(operation)
  if (known instanceof Set) known.delete(grant)
  if (known === grant || (known instanceof Set && known.size === 0)) grants.delete(operation)
}
