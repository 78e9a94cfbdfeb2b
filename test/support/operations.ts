import type { AdminOperations } from '../../src/observe/admin/operations.ts'

/** Operations that only note what they were told; one session `k3v9x0q2m1` on the listeners `edge` and `inner`. */
export function notedOperations({ isEmpty = true } = {}) {
  const calls: unknown[] = []
  const operations: AdminOperations = {
    listeners: () => ['edge', 'inner'],
    endSession: (id) => {
      calls.push(['end', id])
      return id === 'k3v9x0q2m1'
    },
    drain: (order) => calls.push(['drain', order]),
    resume: (listeners) => calls.push(['resume', listeners]),
    whenEmpty: async (timeoutMs) => {
      calls.push(['wait', timeoutMs])
      return isEmpty
    },
  }
  return { operations, calls }
}
