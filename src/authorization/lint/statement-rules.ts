import leven from 'leven'
import { asciiLowerCase } from '../../model/ascii.ts'
import type { PolicyVocabulary } from '../../model/policy-vocabulary.ts'
import { xksPrincipal } from '../../model/xks/prefix.ts'
import { compilePattern, piecesOf } from '../pattern.ts'
import { accountsIn, listed, type StatementRule, type Studied, type Subject } from './rule.ts'

/** Rules about the principals, actions and resources of one statement. */
export const statementRules: readonly StatementRule[] = [
  rule('foreign-account-full-access', otherAccountsWithEverything),
  rule('public-principal', publicPrincipal),
  rule('not-principal-allow', notPrincipalAllow),
  rule('not-action-allow', notActionAllow),
  rule('service-principal', servicePrincipals),
  rule('deleted-principal', deletedPrincipals),
  rule('unknown-action', unknownActions),
  rule('foreign-action', foreignActions),
  rule('action-not-on-key', actionsWithoutKey),
  rule('resource-in-key-policy', resourceInKeyPolicy),
  rule('alias-as-resource', aliasAsResource),
]

function rule(name: string, find: StatementRule['find']): StatementRule {
  return { name, find }
}

function otherAccountsWithEverything({ effect, principals, covers }: Studied, subject: Subject): readonly string[] {
  const { kind, account, vocabulary } = subject
  if (kind === 'trust' || effect === 'Deny' || !principals || principals.negated) return []
  if (!vocabulary.resourceActions.every(action => covers.has(action))) return []
  const others = accountsIn(principals.aws).filter(name => name !== account)
  return others.map(
    name => `allows the account ${name} everything, also to change this policy and to schedule the deletion of the key`,
  )
}

/** Global condition keys that say who calls, or from where. */
const whoCalls = /^aws:(?:principal|source|userid|username|vpcsourceip|calledvia)/

function publicPrincipal({ effect, principals, conditions }: Studied, { vocabulary }: Subject): readonly string[] {
  if (effect === 'Deny' || !principals || principals.negated || !principals.aws.includes('*')) return []
  const own = vocabulary.callerKeys.map(asciiLowerCase)
  const keys = conditions.map(({ key }) => asciiLowerCase(key))
  if (keys.some(key => whoCalls.test(key) || own.includes(key))) return []
  return ['allows everybody, in every account: no condition restricts who calls']
}

function notPrincipalAllow({ effect, principals }: Studied): readonly string[] {
  if (effect === 'Deny' || !principals?.negated) return []
  return ['allows everybody but those in NotPrincipal, in every account']
}

function notActionAllow({ effect, actions }: Studied): readonly string[] {
  if (effect === 'Deny' || !actions.negated) return []
  return ['allows every action but those in NotAction, also actions that do not exist yet']
}

function servicePrincipals({ principals }: Studied): readonly string[] {
  const { aws = [], services = [] } = principals ?? {}
  const others = services.filter(name => name !== xksPrincipal)
  const named = [...others, ...aws.filter(name => name.includes(':role/aws-service-role/'))]
  const text = 'applies to a service only if it was created here and the setting authentication.services is on'
  return named.length === 0 ? [] : [`names ${listed(named)}: it ${text}`]
}

/** GetKeyPolicy shows the unique id of a user or role that is gone, instead of its ARN. */
function deletedPrincipals({ principals }: Studied): readonly string[] {
  const ids = principals?.aws.filter(name => /^A(?:ID|RO)A/.test(name)) ?? []
  return ids.map(id => `names ${id}, the unique id of a user or role that may have been deleted`)
}

/** A name of this API, with or without wildcards, to which no action fits. */
function unknownActions({ actions }: Studied, { vocabulary }: Subject): readonly string[] {
  const { prefix } = vocabulary
  const unknown = actions.values.filter(value => {
    return asciiLowerCase(value).startsWith(prefix) && matching(value, vocabulary).length === 0
  })
  return unknown.map(value => `names ${value}, which no action matches${suggestion(value, vocabulary)}`)
}

function suggestion(value: string, { prefix, actions }: PolicyVocabulary): string {
  const name = asciiLowerCase(value.slice(prefix.length))
  const ranked = actions.map(action => ({ action, distance: leven(name, asciiLowerCase(action)) }))
  const best = ranked.sort((a, b) => a.distance - b.distance)[0]
  return best && best.distance <= 3 ? `: did you mean ${prefix}${best.action}?` : ''
}

/** An identity-based policy is about other services, too. */
function foreignActions({ actions }: Studied, { kind, vocabulary: { prefix } }: Subject): readonly string[] {
  if (kind === 'identity') return []
  const foreign = actions.values.filter(value => value !== '*' && !asciiLowerCase(value).startsWith(prefix))
  return foreign.map(value => `names ${value}, which is not an action on a ${ownerOf(kind)}`)
}

function actionsWithoutKey({ actions }: Studied, { kind, vocabulary }: Subject): readonly string[] {
  if (kind === 'identity') return []
  const { resourceActions } = vocabulary
  const without = actions.values.filter(value => {
    const found = matching(value, vocabulary)
    return found.length > 0 && !found.some(action => resourceActions.includes(action))
  })
  return without.map(
    value => `names ${value}, which acts on no ${ownerOf(kind)}: only identity-based policies decide it`,
  )
}

/** What has a policy of the kind. */
function ownerOf(kind: Subject['kind']): 'role' | 'key' {
  return kind === 'trust' ? 'role' : 'key'
}

function matching(value: string, { prefix, actions }: PolicyVocabulary): readonly string[] {
  const matches = compilePattern(piecesOf(asciiLowerCase(value)))
  return actions.filter(action => matches(asciiLowerCase(prefix + action)))
}

function resourceInKeyPolicy({ resources }: Studied, { kind }: Subject): readonly string[] {
  if (kind === 'identity') return []
  const others = resources.values.filter(value => value !== '*')
  const element = resources.negated ? 'NotResource' : 'Resource'
  return others.map(value => `has the ${element} ${value}: in a key policy "*" stands for the key`)
}

/** KMS Developer Guide, "Specifying KMS keys in IAM policy statements". */
function aliasAsResource(
  { resources, covers, coversOthers }: Studied,
  { kind, vocabulary }: Subject,
): readonly string[] {
  if (kind === 'resource' || resources.negated || coversOthers) return []
  if (vocabulary.aliasActions.some(action => covers.has(action))) return []
  const aliases = resources.values.filter(value => value.includes(':alias/'))
  return aliases.map(
    value => `has the Resource ${value}, but an alias is the resource of actions on aliases only: name its key`,
  )
}
