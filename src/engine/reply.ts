/** A whole reply of the server that was held for us to read. */
export interface Reply {
  /** 100 to 699. */
  readonly code: number
  /** The closing line, without line end: the only one that is ever read for an endpoint. */
  readonly line: string
  /** All lines as they came, each with its end: LF or CRLF. */
  readonly text: string
}
