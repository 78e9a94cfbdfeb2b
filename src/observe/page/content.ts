import type { Rates } from '../view/rates.ts'
import type { ListView, PinholeView, SessionView, StatusView } from '../view/shapes.ts'
import type { PageChoice } from './choice.ts'

/** Everything the page shows, taken at one moment. */
export interface PageContent {
  readonly status: StatusView
  /** Why the process is not ready, or null. */
  readonly notReady: string | null
  readonly sessions: ListView<SessionView>
  readonly pinholes: ListView<PinholeView>
  /** Null until it was measured. */
  readonly rates: Rates | null
  readonly now: Date
  readonly choice: PageChoice
  /** Operators can show a token. */
  readonly canAct: boolean
}
