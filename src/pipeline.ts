import { type Api, type ApiRequest, type ApiResponse, headerOf } from './apis/api.ts'
import { Failure, missingAuthenticationToken } from './errors.ts'
import { type Caller, queueOf } from './model/identities/caller.ts'
import { checkAbilities } from './model/keys/ability.ts'
import type { Key } from './model/keys/key.ts'
import { heldBy } from './model/keys/recorded-material.ts'
import type { AnyOperation, Target } from './operations/operation.ts'
import { type Call, checkedInCall, checkPermissions } from './permissions.ts'
import { auditFailure, toldToCaller } from './pipeline/failures.ts'
import { recordedMembers, responseElements } from './pipeline/recorded-members.ts'
import type { Entry, Hsms, PathServices } from './services.ts'
import { scopesOf } from './storage/fleet/scopes.ts'
import { Changes, Conflict, LeaseLost } from './storage/storage.ts'
import { wipe } from './wipe.ts'

/**
 * The path of every request, through every API: authenticate, find operation and target, authorize, check, run, commit, audit, answer.
 * Nothing is answered before it is audited, nor before every gateway that may serve shows what the answer could show: see storage/fleet/.
 */
export async function handle(request: ApiRequest, api: Api, services: PathServices): Promise<ApiResponse> {
  const { audit, authenticate, metrics, storage } = services
  const { sourceAddress, tls } = request
  const [userAgent, host] = [headerOf(request, 'user-agent'), headerOf(request, 'host')]
  const entry = audit.open({ eventSource: api.eventSource, sourceAddress, userAgent, host, tls })
  const finished = metrics.started(api.service)
  let isRecorded = false
  try {
    if (request.failure) throw request.failure
    if (!storage.fleet.mayServe) throw new LeaseLost()
    const seen = storage.fleet.applied
    const signer = await authenticate(request, api)
    entry.caller = signer
    const found = api.operation(request)
    const operation = found instanceof Promise ? await found : found
    entry.operation = operation
    if (!signer && !operation.identify) throw missingAuthenticationToken()
    const input = api.input(operation, await request.body(), request)
    try {
      entry.requestParameters = recordedMembers(api, operation, 'input', input)
      const callerOf = async (signer: Caller | undefined) =>
        operation.identify ? await operation.identify(input, { ...services, sourceAddress }) : signer!
      const caller = await callerOf(signer)
      entry.caller = caller
      const call = { request, api, entry, caller, operation, input, seen }
      // What a caller may do, or is, may be what others have changed.
      const again = async () => {
        const seen = storage.fleet.applied
        const caller = await callerOf(await authenticate(request, api))
        entry.caller = caller
        return run({ ...call, caller, seen }, services)
      }
      const { answer, usedKeys, isChange, writeRecord } = await runWithRetry(() => run(call, services), again)
      const settled = settledFor(isChange ? undefined : entry.resources, request, services)
      await (settled ? Promise.all([writeRecord(), settled]) : writeRecord())
      isRecorded = true
      if ((await settled) === false) throw notSettled()
      // Whatever this gateway shows, its commit has been made.
      if (!isChange && !storage.fleet.mayServe) throw new LeaseLost()
      if (usedKeys) recordUses(usedKeys, operation, entry, services)
      finished(operation.name, 'success')
      return answer
    } finally {
      // Not earlier, as the request may be retried after a conflict.
      wipe(input)
    }
  } catch (thrown) {
    const errorCode = (failure: Failure) => api.errorCode(failure, request)
    const failure = await refused(request, entry, Failure.from(thrown), { errorCode, isRecorded }, services)
    finished(entry.operation?.name, errorCode(failure))
    const refusal = api.refuse(await toldToCaller(failure, entry, services), entry.requestId, request)
    return failure instanceof LeaseLost ? withoutConnection(refusal) : refusal
  }
}

/**
 * Undefined if every gateway shows what this one shows of the resources, default of all; else resolves when they do, or to false when the
 * sender of the request gives up waiting.
 */
function settledFor(
  resources: Entry['resources'],
  { answerBy }: Pick<ApiRequest, 'answerBy'>,
  { storage, metrics }: Pick<PathServices, 'storage' | 'metrics'>,
): Promise<boolean> | undefined {
  const settled = storage.fleet.settled(resources, answerBy)
  if (!settled) return undefined
  const observe = metrics.settling()
  return settled.finally(observe)
}

function notSettled(): Failure {
  return new Failure(
    'DependencyTimeout',
    'Another gateway has not applied the last changes in time. Retry the request.',
  )
}

/** What the caller is told of a failure, once it is on record. One of the gateway itself shows nothing that others must show, too. */
async function refused(
  request: ApiRequest,
  entry: Entry,
  failure: Failure,
  { errorCode, isRecorded }: { readonly errorCode: (failure: Failure) => string; readonly isRecorded: boolean },
  services: PathServices,
): Promise<Failure> {
  const { fleet } = services.storage
  const isOutdated = () => failure.fault === 'caller' && !fleet.mayServe
  const shown = isOutdated() ? new LeaseLost() : failure
  const settled = shown.fault === 'caller' ? settledFor(entry.resources, request, services) : undefined
  const told = isRecorded ? shown : await auditFailure(entry, shown, errorCode, services)
  if ((await settled) === false) return notSettled()
  return isOutdated() ? new LeaseLost() : told
}

/** So that a client that tries again may reach another gateway. */
function withoutConnection(answer: ApiResponse): ApiResponse {
  return { ...answer, headers: { ...answer.headers, Connection: 'close' } }
}

/** Maximum attempts of a request whose records are changed by others. */
const attempts = 10
/** Resolves when earlier retries have ended. */
let retries: Promise<unknown> = Promise.resolve()

/** A call whose changes are committed. */
interface Outcome {
  readonly answer: ApiResponse
  readonly usedKeys: Target['usedKeys']
  /** Whether something was committed. */
  readonly isChange: boolean
  /** Must resolve before the answer is sent. */
  readonly writeRecord: () => Promise<void>
}

/** Retries after conflicts run one after another: concurrently, all but one would conflict again. */
function runWithRetry(attempt: () => Promise<Outcome>, again: () => Promise<Outcome>): Promise<Outcome> {
  return attempt().catch((thrown: unknown) => {
    if (!(thrown instanceof Conflict)) throw thrown
    const turn = retries.then(() => retryAfterConflict(again))
    retries = turn.catch(() => undefined)
    return turn
  })
}

async function retryAfterConflict(attempt: () => Promise<Outcome>): Promise<Outcome> {
  for (let count = 2; count <= attempts; count++) {
    try {
      return await attempt()
    } catch (thrown) {
      if (!(thrown instanceof Conflict)) throw thrown
    }
  }
  throw new Failure('Throttling', 'The resource is being changed by others all the time. Retry the request.')
}

interface Decided extends Call {
  /** Number of the last change in the view before the caller was known. */
  readonly seen: number
}

/** Rejects with Conflict, having changed nothing, if another request changed what this one had read. */
async function run(call: Decided, services: PathServices): Promise<Outcome> {
  const { request, api, entry, caller, operation, input, seen } = call
  const hsms = services.hsms.for(queueOf(caller), request.answerBy)
  const { storage, clock, audit, outbox, maxOnDemandRotations, metering, emulator, serviceKeys, events } = services
  const { keyStores, externalKeyStores } = services
  const search = { caller, storage, hsms, operation: operation.name, serviceKeys, keyStores }
  const found = operation.target.find(input, search)
  const target: Target = found instanceof Promise ? await found : found
  entry.resources = target.resources
  entry.owner = target.owner
  entry.additionalEventData = target.additionalEventData
  // Of an attempt before.
  entry.responseElements = undefined
  entry.change = undefined
  if (target.requestParameters) entry.requestParameters = { ...entry.requestParameters, ...target.requestParameters }
  entry.reasons = checkPermissions(target, call, services)
  const isDryRun = operation.isDryRun?.(input) ?? false
  if (target.prepare && !isDryRun) {
    await target.prepare()
    entry.resources = target.resources
  }
  const validation = operation.validate?.(input, { storage, hsms })
  if (validation) await validation
  target.check()
  entry.material = target.recordedMaterial
  checkHsms(target, hsms)
  if (isDryRun) throw new Failure('DryRunOperation', dryRunText)
  const recordable = operation.readOnly && !operation.undo ? outbox.audited() : outbox.begin(audit.record(entry))
  if (recordable) await recordable
  const changes = new Changes()
  const checkKeyPolicy = checkedInCall(call, services)
  const { requestId } = entry
  const externalKeys = externalKeyStores.for({ requestId, operation: operation.name, caller })
  const own = { maxOnDemandRotations, metering, emulator, serviceKeys, events, keyStores, externalKeyStores }
  const means = { ...own, storage, hsms, clock, checkKeyPolicy, externalKeys }
  const undone = async (thrown: unknown): Promise<never> => {
    await operation.undo!(changes, { hsms })
    throw thrown
  }
  const running = operation.run({ ...means, input, target, caller, changes })
  const output = (operation.undo ? await running.catch(undone) : await running) ?? undefined
  try {
    if (changes.list.length > 0) entry.resources = [...createdKeys(changes), ...target.resources]
    entry.material ??= createdMaterial(changes)
    entry.responseElements = responseElements(api, operation, output, entry)
    entry.change = operation.recordedChange?.(changes)
    const data = operation.recordedData?.(changes)
    if (data) entry.additionalEventData = { ...target.additionalEventData, ...data }
    const answer = api.accept(operation, output, entry.requestId, request)
    if (changes.list.length > 0) changes.basis = { number: seen, scopes: scopesOf(target.resources, caller) }
    const committed = outbox.commit(changes, audit.record(entry))
    const afterConflict = (thrown: unknown) => (thrown instanceof Conflict ? undone(thrown) : Promise.reject(thrown))
    const writeRecord = operation.undo ? await committed.catch(afterConflict) : await committed
    return { answer, usedKeys: target.usedKeys, isChange: changes.list.length > 0, writeRecord }
  } finally {
    wipe(output)
  }
}

/** Only of successful requests, and with the id of a record that exists: KMS API Reference, "GetKeyLastUsage". */
function recordUses(
  usedKeys: readonly string[],
  { name: operation }: AnyOperation,
  { startedAt: usedAt, eventId, requestId }: Entry,
  { storage: { keys } }: PathServices,
): void {
  for (const keyArn of usedKeys) keys.recordUse({ keyArn, operation, usedAt, eventId, requestId })
}

function createdMaterial({ created }: Changes): Entry['material'] {
  const [object] = created
  return object && { ids: {}, held: heldBy(object) }
}

/** They are no resources of the request before it runs, but for those whose creation is an event of its own. */
function createdKeys({ list, events }: Changes): readonly string[] {
  const isCreated = ({ revision, arn }: Key) => revision === 0 && !events.some(({ resource }) => resource === arn)
  return list.flatMap(({ noun, record }) => (noun === 'keys' && isCreated(record) ? [record.arn] : []))
}

const dryRunText = 'The request would have succeeded, but the DryRun option is set.'

/** Refuses what an HSM does not support without calling it, so that a dry run has the same result as the call. */
function checkHsms({ hsmUses = [] }: Target, hsms: Hsms): void {
  for (const use of hsmUses) {
    const hsm = hsms.named(use.hsm)
    checkAbilities(ability => hsm.whyUnsupported(ability), use.abilities)
  }
}
