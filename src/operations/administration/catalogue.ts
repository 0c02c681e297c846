// Written by scripts/catalogue.ts.
import { applyIdentities } from './apply-identities.ts'
import { deleteService } from './delete-service.ts'
import { exportIdentities } from './export-identities.ts'
import { listAccounts } from './list-accounts.ts'
import { listServices } from './list-services.ts'
import { putService } from './put-service.ts'

export const operations = [
  applyIdentities,
  deleteService,
  exportIdentities,
  listAccounts,
  listServices,
  putService,
] as const
