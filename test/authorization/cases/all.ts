import { actions } from './actions.ts'
import { addressConditions } from './address-conditions.ts'
import type { Case } from './case.ts'
import { crossAccountCases } from './cross-account.ts'
import { decidedHere } from './decided-here.ts'
import { encryptionContexts } from './encryption-context.ts'
import { evaluationOrder } from './evaluation-order.ts'
import { foundByDifferentialTest } from './found-by-differential-test.ts'
import { globalConditionKeys } from './global-condition-keys.ts'
import { guidePolicies } from './guide-policies.ts'
import { kmsConditionKeys } from './kms-condition-keys.ts'
import { permissionsBoundaries, sessionPolicies } from './limits.ts'
import { notPrincipals } from './not-principal.ts'
import { principals } from './principals.ts'
import { resources } from './resources.ts'
import { services } from './services.ts'
import { setConditions } from './set-conditions.ts'
import { stringConditions } from './string-conditions.ts'
import { tags } from './tags.ts'
import { trustPolicies } from './trust-policies.ts'
import { typedConditions } from './typed-conditions.ts'
import { variablesAndVersions } from './variables-and-versions.ts'

/** All documented cases, by topic. */
export const documentedCases: Readonly<Record<string, readonly Case[]>> = {
  'evaluation order': evaluationOrder,
  principals,
  NotPrincipal: notPrincipals,
  actions,
  resources,
  'string conditions': stringConditions,
  'conditions on numbers, dates, booleans and binary values': typedConditions,
  'conditions on addresses and ARNs': addressConditions,
  'set operators, IfExists and Null': setConditions,
  'variables and versions': variablesAndVersions,
  'condition keys of KMS': kmsConditionKeys,
  'encryption contexts': encryptionContexts,
  'global condition keys': globalConditionKeys,
  'permissions boundaries': permissionsBoundaries,
  'session policies': sessionPolicies,
  'cross-account requests': crossAccountCases,
  services,
  ...trustPolicies,
  'policies of the guides': guidePolicies,
  'access by tags': tags,
  'what AWS leaves open': decidedHere,
  'what the differential test found': foundByDifferentialTest,
}
