/** Addresses of hosts, looked up without libuv's pool: its only thread writes the audit journal, and name servers may not answer. */
import { lookup, promises } from 'node:dns'
import type { LookupFunction } from 'node:net'

/** Milliseconds that a name server has, and how often it is asked. */
const patience = { timeout: 1000, tries: 2 }

/** Answers after which a look-up in the machine's own way ends soon, too: it also knows the names of /etc/hosts. */
const unknown = ['ENOTFOUND', 'ENODATA', 'ECONNREFUSED']

/** @param servers addresses of name servers; default: those of the machine */
export function hostLookup(servers?: readonly string[]): LookupFunction {
  const resolver = new promises.Resolver(patience)
  if (servers) resolver.setServers(servers)
  return (hostname, options, callback) => {
    // Node.js's own way, in the pool.
    const lookUp = () => lookup(hostname, options, callback)
    if (hostname === 'localhost') return lookUp()
    addressesOf(hostname, resolver).then(
      addresses => {
        if (options.all) callback(null, addresses)
        else callback(null, addresses[0]!.address, addresses[0]!.family)
      },
      (error: NodeJS.ErrnoException) => (unknown.includes(error.code ?? '') ? lookUp() : callback(error, [])),
    )
  }
}

async function addressesOf(hostname: string, resolver: promises.Resolver) {
  const found = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
  const addresses = found.flatMap((result, index) =>
    result.status === 'fulfilled' ? result.value.map(address => ({ address, family: index === 0 ? 4 : 6 })) : [],
  )
  if (addresses.length > 0) return addresses
  throw (found[0] as PromiseRejectedResult).reason
}
